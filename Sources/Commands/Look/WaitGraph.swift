// Who waits for whom, as a graph: a node a process, an edge for each wait, from whoever waits to
// the process or resource that its first words name.
//
// Three witnesses are heard, so that no one of them has to be alive: what each process of this host
// wrote of itself in the last second (`ProcessAccount`), what the system says of that process, and
// replay's answer, which knows of actors on other hosts and why it grants nothing.

import Documents
import Operations

package struct WaitGraph {
  package struct Node {
    package var name: String
    /// What it does, or for whom it waits.
    package var text: String
    package var isWaiting: Bool
    package var milliseconds: Int
    /// Names of other nodes, or of a resource.
    package var targets: [String] = []
    /// What is wrong with it: "stopped by a signal", "silent for 4.2 s"; nil when nothing is.
    package var trouble: String?
  }

  /// Waits shorter than this come and go all the time: no circle is made of them.
  package static let circleMilliseconds = 2_000
  /// Peers send a heartbeat a second.
  static let lateMilliseconds = 3_000

  private static let noAccount = "no account of itself"

  package private(set) var nodes: [Node] = []

  /// `isSilent`: replay holds its lock and did not answer.
  package init(accounts: [ProcessAccount], status: Document?, isReplaySilent: Bool = false) {
    for account in accounts { nodes.append(Self.node(account)) }
    for peer in status?["peers"]?.elements ?? [] where peer.text("role") != "looker" { hear(peer) }
    for wait in status?["waits"]?.elements ?? [] { hear(wait: wait) }
    if isReplaySilent { silenceReplay() }
    if case .bool(true)? = status?["service"]?["isDiskLow"]?.value {
      hearOfDisk(status?["service"])
    }
    // The supervisor has a place here only when it is in the way.
    nodes.removeAll { $0.name == "run" && !$0.isWaiting && $0.trouble == nil }
    for index in nodes.indices where nodes[index].isWaiting {
      nodes[index].targets = targets(of: nodes[index])
    }
    nodes.sort { ($0.name) < ($1.name) }
  }

  // MARK: Witnesses

  private static func node(_ account: ProcessAccount) -> Node {
    // A strand in trouble speaks for the process, else its first; and where that one waits, the
    // last that waits for somebody else: the thread it waits for, of the same process, knows why,
    // and one that waits for its own process knows nothing.
    let late = account.strands.filter(\.isLate).max { $0.milliseconds < $1.milliseconds }
    let first = account.strands.first
    let own = Set(account.strands.map(\.strand))
    let waits = account.strands.filter { $0.activity != .work }
    let outward = waits.last { line in
      !line.text.split(separator: " ").prefix(1).contains { own.contains(String($0)) }
    }
    let deepest = first?.activity == .work ? first : outward ?? waits.last
    let line = late ?? deepest ?? first
    let age = Int(account.ageSeconds * 1000)
    var node = Node(
      name: account.name, text: line?.text ?? "no word yet",
      isWaiting: line.map { $0.activity != .work } ?? false,
      milliseconds: (line?.milliseconds ?? 0) + age)
    let seconds = RunView.format(Double(age) / 1000, 1)
    switch account.condition {
    case nil: node.trouble = "process \(account.processID) is gone for \(seconds) s"
    case "running"?:
      if account.ageSeconds <= ProcessAccount.freshSeconds {
        if late != nil { node.trouble = "late" }
        return node
      }
      node.trouble = "\(noAccount) for \(seconds) s"
    case let condition?: node.trouble = condition
    }
    // What it waited for then is no wait now.
    node.text = "was last seen " + (node.isWaiting ? "waiting for " : "at ") + node.text
    node.isWaiting = false
    return node
  }

  private mutating func hear(_ peer: Document) {
    let name = peer.text("name") ?? "?"
    let silent = Int(peer.number("silentMilliseconds") ?? 0)
    let seconds = RunView.format(Double(silent) / 1000, 1)
    let trouble: String? =
      if case .bool(false)? = peer["isPresent"]?.value {
        "silent for \(seconds) s, taken for gone"
      } else if silent > Self.lateMilliseconds {
        "late: silent for \(seconds) s"
      } else {
        nil
      }
    if let index = nodes.firstIndex(where: { $0.name == name }) {
      // Whoever talks to replay lives, whatever became of its account.
      guard nodes[index].trouble?.hasPrefix(Self.noAccount) == true, trouble == nil,
        peer.text("state")?.isEmpty == false
      else {
        nodes[index].trouble = nodes[index].trouble ?? trouble
        return
      }
      nodes.remove(at: index)
    }
    let state = peer.text("state") ?? ""
    let prefix = "waiting for "
    let isWaiting = state.hasPrefix(prefix)
    nodes.append(
      Node(
        name: name,
        text: isWaiting
          ? String(state.dropFirst(prefix.count)) : state.isEmpty ? "no word yet" : state,
        isWaiting: isWaiting, milliseconds: Int(peer.number("stateMilliseconds") ?? 0),
        trouble: trouble))
  }

  /// Replay's own words for a request it cannot serve yet name whom the asker really waits for.
  private mutating func hear(wait: Document) {
    guard let who = wait.text("who"), let whom = wait.text("for") else { return }
    let milliseconds = Int(wait.number("milliseconds") ?? 0)
    if let index = nodes.firstIndex(where: { $0.name == who }) {
      // One with groups in hand that replay does not take waits for that first.
      guard !(nodes[index].isWaiting && nodes[index].text.hasPrefix("replay to take")) else {
        return
      }
      nodes[index].milliseconds = max(
        milliseconds, nodes[index].isWaiting ? nodes[index].milliseconds : 0)
      nodes[index].isWaiting = true
      nodes[index].text = whom
    } else {
      nodes.append(Node(name: who, text: whom, isWaiting: true, milliseconds: milliseconds))
    }
  }

  private mutating func silenceReplay() {
    let words = "does not answer"
    if let index = nodes.firstIndex(where: { $0.name == "replay" }) {
      nodes[index].trouble = nodes[index].trouble.map { "\(words): \($0)" } ?? words
    } else {
      nodes.append(
        Node(name: "replay", text: "no word", isWaiting: false, milliseconds: 0, trouble: words))
    }
  }

  private mutating func hearOfDisk(_ service: Document?) {
    let free = Int(service?.number("freeBytes") ?? 0)
    let reserve = Int(service?.number("reserveBytes") ?? 0)
    let text =
      "the disk to have room: \(DryRun.bytes(free)) are free, and groups are refused below "
      + DryRun.bytes(reserve)
    if let index = nodes.firstIndex(where: { $0.name == "replay" }) {
      nodes[index].text = text
      nodes[index].isWaiting = true
      nodes[index].milliseconds = max(nodes[index].milliseconds, Self.circleMilliseconds)
    } else {
      nodes.append(
        Node(
          name: "replay", text: text, isWaiting: true, milliseconds: Self.circleMilliseconds))
    }
  }

  // MARK: Edges

  /// A reason begins with whom it waits for: see Docs/WIRE.md, `wait`.
  private func targets(of node: Node) -> [String] {
    let text = node.text
    if text.hasPrefix("the learner") || text.hasPrefix("the weight server") { return ["learner"] }
    if text.hasPrefix("replay") { return ["replay"] }
    for resource in ["the disk", "the terminal"] where text.hasPrefix(resource) {
      return [resource]
    }
    let others = nodes.map(\.name).filter { $0 != node.name }
    let words = Set(
      text.split { !($0.isLetter || $0.isNumber || "-_.".contains($0)) }.map(String.init))
    let named = others.filter { words.contains($0) }
    if !named.isEmpty || !text.hasPrefix("actors") { return named }
    return others.filter { !["learner", "replay", "run"].contains($0) }
  }

  /// Names along a circle of waits that have lasted, the first again at its end; nil without one.
  ///
  /// Who waits for any of several is stuck only if all of them are: so whoever has one target that
  /// can go on is taken out again and again, and what is left goes round.
  package var circle: [String]? {
    var stuck: [String: [String]] = [:]
    for node in nodes
    where node.isWaiting && node.milliseconds >= Self.circleMilliseconds && !node.targets.isEmpty {
      stuck[node.name] = node.targets
    }
    while let free = stuck.first(where: { entry in
      entry.value.contains { stuck[$0] == nil }
    }) {
      stuck[free.key] = nil
    }
    guard var name = stuck.keys.min() else { return nil }
    var path: [String] = []
    while !path.contains(name) {
      path.append(name)
      name = stuck[name]?.first ?? name
    }
    return Array(path[(path.firstIndex(of: name) ?? 0)...]) + [name]
  }

  /// Who waits for what no process of the run can give: room on a disk, actors that are yet to
  /// come. Nil when nobody does.
  package var outsideWait: String? {
    for node in nodes where node.isWaiting && node.milliseconds >= Self.circleMilliseconds {
      let isOutside =
        node.targets.isEmpty
        ? node.text.hasPrefix("actors") : node.targets.allSatisfy { $0.hasPrefix("the ") }
      if isOutside { return "\(node.name) waits for \(node.text)" }
    }
    return nil
  }

  // MARK: Text

  /// A line a process, then the circle if there is one.
  package var lines: [String] {
    var lines = nodes.map { node in
      let since = node.milliseconds > 0 ? " for \(Self.seconds(node.milliseconds)) s" : ""
      let who = node.name + (node.trouble.map { " [\($0)]" } ?? "")
      let what = (node.isWaiting ? " waits for " : ": ") + node.text + since
      return who + what
        + (node.targets.isEmpty ? "" : "  -> " + node.targets.joined(separator: ", "))
    }
    if let circle {
      lines.append("a circle, in which nobody can go on: " + circle.joined(separator: " -> "))
    }
    return lines
  }

  private static func seconds(_ milliseconds: Int) -> String {
    RunView.format(Double(milliseconds) / 1000, 1)
  }

  package var document: Document {
    .object([
      (
        "nodes",
        .array(
          nodes.map { node in
            .object([
              ("name", .string(node.name)), ("text", .string(node.text)),
              ("isWaiting", .bool(node.isWaiting)), ("milliseconds", .integer(node.milliseconds)),
              ("waitsFor", .array(node.targets.map(Document.string))),
              ("trouble", node.trouble.map(Document.string) ?? nil),
            ])
          })
      ), ("circle", circle.map { .array($0.map(Document.string)) } ?? nil),
    ])
  }
}

extension RunFolder {
  /// What the processes of this host wrote of themselves, those that are gone among them.
  package var processAccounts: [ProcessAccount] {
    let suffix = ".doing.json"
    let names = (try? Files.list(logs)) ?? []
    return names.sorted().filter { $0.hasSuffix(suffix) }
      .compactMap { ProcessAccount(path: "\(logs)/\($0)") }
  }
}
