// forage-replay itself, on a temporary run that is nothing but tickets, with a stand-in for the
// learner that names version 0 and never leases: so every ticket can be granted and filled.

import Digests
import Documents
import Experience
import Messaging
import Operations
import Wire

final class BenchReplay {
  /// A start reads and migrates an empty ledger.
  private static let startMilliseconds = 30_000
  private static let stopSeconds = 20.0

  let endpoint: String
  private let folder: BenchFolder
  private let run: RunFolder
  private let lifeline: Lifeline
  private let child: ChildProcess
  private let learner: ReplayAsker
  private(set) var version: PolicyVersion

  /// Starts it on the disk of `parent` with `settings`, and lets version 0 be known.
  init(in parent: String, settings: RunSettings) throws {
    folder = try BenchFolder(in: parent)
    run = try RunFolder.create(at: "\(folder.path)/run")
    try Files.writeDurably(run.settings, Array(settings.yaml.utf8))
    endpoint = try Endpoints.connecting(settings.network, run: run).replay
    lifeline = try Lifeline()
    let log = run.log("replay")
    child = try ChildProcess(
      "\(try Programs.folder())/forage-replay", ["--run", run.path], output: .append(log),
      error: .append(log), lifeline: lifeline)
    learner = try ReplayAsker(endpoint)
    version = PolicyVersion(lineage: "", number: 0, digest: Digest(of: []))
    do {
      version = try hello(nil)
      _ = try hello(version)
    } catch {
      let text = (try? Files.readText(log, maximumBytes: 1 << 20)) ?? ""
      let last = text.split(separator: "\n").last.map { "; its last words: \($0)" } ?? ""
      throw Failure(
        "start forage-replay on", on: run.path, happened: "\(error)\(last)",
        remedy: "check that it stands beside forage and that the disk has room",
        exitCode: .unavailable)
    }
  }

  deinit {
    _ = child.stop(deadline: .after(seconds: Self.stopSeconds))
    if let sockets = try? run.socketsFolder() { try? Files.remove(sockets) }
  }

  /// The lineage is learned first: version 0 is named within it.
  private func hello(_ version: PolicyVersion?) throws -> PolicyVersion {
    let hello = Hello(
      role: .learner, name: "learner", numericClass: MadeGroups.numericClass,
      weightsAddress: "ipc:///bench", announceAddress: "ipc:///bench", version: version)
    let reply = try learner.ask(.hello(hello), milliseconds: Self.startMilliseconds)
    guard case .welcome(let welcome) = reply else { throw ReplayAsker.unexpected(reply, "a hello") }
    return welcome.version
      ?? PolicyVersion(lineage: welcome.lineage, number: 0, digest: Digest(of: [0]))
  }
}

/// One connection to replay, used by the thread that made it.
final class ReplayAsker {
  private static let patienceMilliseconds = 60_000

  private let client: DealerClient
  /// Above the numbers that submissions carry, which are their tickets'.
  private var nextID = 1 << 40

  init(_ endpoint: String) throws(MessagingError) {
    client = try DealerClient(to: endpoint, peer: "replay", in: MessagingContext())
  }

  func ask(_ request: Request, milliseconds: Int = patienceMilliseconds) throws -> Reply {
    nextID += 1
    let id = nextID
    let frames = try client.exchange(
      Envelope(id: id, body: request).encoded(),
      matching: { (try? Envelope<Reply>(decoding: $0))?.id == id },
      deadlineMilliseconds: milliseconds)
    return try Envelope<Reply>(decoding: frames).body
  }

  func helloAsActor(_ name: String) throws {
    let reply = try ask(
      .hello(Hello(role: .actor, name: name, numericClass: MadeGroups.numericClass)))
    guard case .welcome = reply else { throw Self.unexpected(reply, "a hello") }
  }

  /// The numbers of `count` tickets.
  func tickets(_ count: Int, version: PolicyVersion) throws -> [Int] {
    var numbers: [Int] = []
    while numbers.count < count {
      let wanted = min(count - numbers.count, WireLimits.maximumTickets)
      let reply = try ask(.tickets(TicketRequest(version: version, count: wanted)))
      guard case .tickets(let tickets) = reply else {
        throw Self.unexpected(reply, "a request for \(wanted) tickets")
      }
      numbers += tickets.map(\.key.number)
    }
    return numbers
  }

  /// Submits one message after another, `window` of them on their way, until all are acknowledged.
  func submit(_ messages: [Frames], window: Int) throws {
    var sent = 0
    var acknowledged = 0
    while acknowledged < messages.count {
      while sent < messages.count, sent - acknowledged < window {
        try client.send(messages[sent], deadlineMilliseconds: Self.patienceMilliseconds)
        sent += 1
      }
      let frames = try client.awaitReply(
        matching: { _ in true }, deadlineMilliseconds: Self.patienceMilliseconds)
      let reply = try Envelope<Reply>(decoding: frames).body
      guard case .acknowledged = reply else { throw Self.unexpected(reply, "a group") }
      acknowledged += 1
    }
  }

  static func unexpected(_ reply: Reply, _ what: String) -> Failure {
    Failure("send replay", on: what, happened: "the answer was \(reply)", exitCode: .internal)
  }
}
