// The pages of `forage dashboard` by their addresses. Everything is read from the runs' folders,
// each time anew: nothing is asked of a run's processes, so that looking costs them nothing.
//
//     /                        the runs
//     /run/NAME                one run's report, live
//     /run/NAME/live           its body, or 204 when there is nothing newer than ?mark=
//     /run/NAME/completions    a table by step, reward and ratio, as forage inspect
//     /run/NAME/completion     one, its tokens colored
//     /compare?run=A&run=B     curves over each other

import Documents
import Experience
import HTTP
import Operations
import Replay

package final class DashboardSite: Sendable {
  /// More lines than colors would not be told apart.
  static let maximumCompared = Chart.colors.count
  /// Of each process, each time: the newest thirty thousand spans.
  private static let spanBytes = 1 << 20

  private let places: [String]
  private let scorer = NewestScorer()

  /// Folders of runs, or folders that hold some.
  package init(_ places: [String]) throws(Failure) {
    self.places = places
    guard try !runs().isEmpty else {
      throw Failure(
        "open the dashboard on", on: places.joined(separator: ", "),
        happened: "there is no run", remedy: "name a run's folder, or the one runs are made in",
        exitCode: .noInput)
    }
  }

  /// Runs that were begun since the last look are among them.
  func runs() throws(Failure) -> [RunFolder] {
    var found: [RunFolder] = []
    for place in places {
      let folder = RunFolder(place)
      if folder.isRun {
        found.append(folder)
      } else {
        for name in try Files.list(place).sorted() {
          let inner = RunFolder("\(place)/\(name)")
          if inner.isRun { found.append(inner) }
        }
      }
    }
    return found
  }

  package func answer(_ request: HTTPRequest) -> HTTPResponse {
    guard request.method == "GET" || request.method == "HEAD" else {
      return .text("only looked at: GET\n", status: 405)
    }
    do {
      return try page(request) ?? .text("there is no such page; begin at /\n", status: 404)
    } catch {
      let (line, _) = CommandFailure.report(error)
      return .text(line + "\n", status: 500)
    }
  }

  private func page(_ request: HTTPRequest) throws -> HTTPResponse? {
    let parts = request.path.split(separator: "/").map(String.init)
    if parts.isEmpty { return html(try front()) }
    if parts == ["compare"] { return html(try comparison(request)) }
    guard parts.count >= 2, parts[0] == "run",
      let run = try runs().first(where: { $0.name == parts[1] })
    else { return nil }
    switch parts.dropFirst(2) {
    case []:
      var page = frame(run, here: "report", body: "")
      page.live = "\(Self.address(run))/live"
      return html(page)
    case ["live"]: return try live(run, mark: request.query("mark") ?? "")
    case ["completions"]:
      let body = try CompletionsPage(run, request.query).html()
      return html(frame(run, here: "completions", body: body))
    case ["completion"]:
      guard let body = try completion(run, request) else { return nil }
      return html(frame(run, here: "a completion", body: body))
    default: return nil
    }
  }

  static func address(_ run: RunFolder) -> String { "/run/" + percentEncoded(run.name) }

  private func html(_ page: DashboardPage) -> HTTPResponse {
    HTTPResponse(
      contentType: "text/html; charset=utf-8",
      headers: [("Cache-Control", "no-store")], body: .bytes(Array(page.html().utf8)))
  }

  private func frame(_ run: RunFolder, here: String, body: String) -> DashboardPage {
    let address = Self.address(run)
    var ways: [(label: String, address: String?)] = [("runs", "/")]
    for (label, place) in [("report", address), ("completions", address + "/completions")] {
      ways.append((label, label == here ? nil : place))
    }
    if !ways.contains(where: { $0.label == here }) { ways.append((here, nil)) }
    return DashboardPage(title: "\(run.name), \(here)", ways: ways, body: body)
  }

  // MARK: One run

  /// The report, headed by what its processes do now.
  private func live(_ run: RunFolder, mark: String) throws -> HTTPResponse {
    let state = try DashboardState(run)
    // With somebody at work the lines above the report change all the time.
    if !state.isLive && mark == state.mark {
      return HTTPResponse(status: 204, contentType: "text/html", body: .bytes([]))
    }
    let spans = RunSpans(run, tailBytes: Self.spanBytes)
    let body = state.html() + ReportPage(facts: try ReportSource(run).facts(spans)).body()
    return HTTPResponse(
      contentType: "text/html; charset=utf-8",
      headers: [("Cache-Control", "no-store"), ("X-Mark", state.mark)],
      body: .bytes(Array(body.utf8)))
  }

  private func completion(_ run: RunFolder, _ request: HTTPRequest) throws -> String? {
    guard let key = Self.key(request),
      let sample = request.query("sample").flatMap({ Int($0) }), sample >= 0
    else { return nil }
    let look = try LedgerLook(run)
    guard let whole = try look.whole(key, sample: sample) else { return nil }
    return CompletionPage(
      whole: whole, look: look, newest: try scorer.scores(of: whole, in: run)
    ).html()
  }

  /// Nil for what is no ticket's: an address may hold any number, and the ledger computes its rows
  /// from what it is asked.
  private static func key(_ request: HTTPRequest) -> TicketKey? {
    let numbers = 0...InspectQuestion.greatestNumber
    guard let ticket = request.query("ticket").flatMap({ Int($0) }), numbers.contains(ticket)
    else { return nil }
    guard let text = request.query("version") else {
      return TicketKey(purpose: .train, number: ticket)
    }
    guard let version = Int(text), numbers.contains(version),
      ticket < InspectQuestion.evaluationTickets
    else { return nil }
    return TicketKey(purpose: .evaluate(version: version), number: ticket)
  }

  // MARK: Several runs

  private func front() throws -> DashboardPage {
    var rows = ""
    for run in try runs().reversed() { rows += Self.row(run) }
    return DashboardPage(
      title: "runs", ways: [("runs", nil)],
      body: """
        <h1>Runs</h1><form action="/compare" class="below"><table>
        <tr><th></th><th>run</th><th></th><th>step</th><th>reward</th><th>validation</th>
        <th>held-out pass@1</th></tr>\(rows)</table>
        <button>compare those marked</button></form>
        """)
  }

  /// One that cannot be read says why in place of its figures: the others are shown beside it.
  private static func row(_ run: RunFolder) -> String {
    do {
      return try DashboardState(run).row()
    } catch {
      return "<tr><td></td><td><a href=\"\(escape(address(run)))\">\(escape(run.name))</a></td>"
        + "<td colspan=\"5\">\(escape(CommandFailure.report(error).line))</td></tr>"
    }
  }

  private func comparison(_ request: HTTPRequest) throws -> DashboardPage {
    let names = request.query.filter { $0.name == "run" }.map(\.value)
    let chosen = try runs().filter { names.contains($0.name) }.prefix(Self.maximumCompared)
    guard !chosen.isEmpty else {
      return DashboardPage(
        title: "compare", ways: [("runs", "/"), ("compare", nil)],
        body: "<p>Mark runs on the page before, \(Self.maximumCompared) at most.</p>")
    }
    return DashboardPage(
      title: "compare", ways: [("runs", "/"), ("compare", nil)],
      body: try Self.compared(Array(chosen)))
  }

  /// Those that can be read over each other, under a sentence for each that cannot.
  private static func compared(_ runs: [RunFolder]) throws -> String {
    if let page = try? ComparisonPage(runs) { return page.html() }
    var readable: [RunFolder] = []
    var refusals = ""
    for run in runs {
      do {
        _ = try ComparisonPage([run])
        readable.append(run)
      } catch {
        let line = CommandFailure.report(error).line
        refusals += "<p>\(escape(run.name)): \(escape(line))</p>"
      }
    }
    return refusals + (readable.isEmpty ? "" : try ComparisonPage(readable).html())
  }
}

/// A path's part as RFC 3986 wants it.
func percentEncoded(_ text: String) -> String {
  var out = ""
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"), UInt8(ascii: "~"):
      out.unicodeScalars.append(Unicode.Scalar(byte))
    default:
      let digits = String(byte, radix: 16, uppercase: true)
      out += "%" + (digits.count < 2 ? "0" : "") + digits
    }
  }
  return out
}
