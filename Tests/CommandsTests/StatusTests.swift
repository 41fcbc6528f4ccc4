// forage status: of a folder at rest, and of a replay that runs, whose own document it reads.

import Documents
import Messaging
import Operations
import Testing
import Wire

@Suite struct StatusTests {
  let folder: TemporaryFolder
  let run: RunFolder

  init() throws {
    folder = try TemporaryFolder()
    run = try Samples.writeRun(to: "\(folder.path)/run-001")
  }

  @Test func `a run at rest says how far it came and how to go on`() throws {
    let outcome = try Forage.run("status", run.path)
    #expect(outcome.has(.success), "\(outcome.complaint)")
    for part in [
      "run-001: not running", "2 of 3 steps", "newest checkpoint: step-000000",
      "forage run --resume \(run.path)",
    ] { #expect(outcome.output.contains(part), "\(part) in\n\(outcome.output)") }
    // Nothing is waited for that cannot come: a watch ends at once.
    #expect(try Forage.run("status", run.path, "--watch", seconds: 10).has(.success))
    let json = try parse(Forage.run("status", run.path, "--json").output)
    #expect(json["isLive"] == false && json["step"] == 2 && json["checkpoint"] == "step-000000")
  }

  @Test func `a live run says who is there and who waits for whom`() throws {
    // The ledger's lineage and settings are for replay to make.
    try Files.remove(run.ledger)
    let settings = try RunSettings.load(path: run.settings)
    let endpoint = try Endpoints.connecting(settings.network, run: run).replay
    let replay = try ChildProcess(
      Forage.program("forage-replay"), ["--run", run.path], output: .discard,
      error: .append("\(folder.path)/log"))
    defer {
      _ = replay.stop(deadline: .after(seconds: 10))
      try? Files.remove(Files.folder(of: String(endpoint.dropFirst("ipc://".count))))
    }
    let actor = try DealerClient(to: endpoint, peer: "replay", in: MessagingContext())
    let hello = Hello(
      role: .actor, name: "actor-7", numericClass: "class", holding: [], weightsAddress: "",
      announceAddress: "", version: nil, files: [])
    _ = try actor.exchange(
      Envelope(id: 1, body: Request.hello(hello)).encoded(), matching: { _ in true },
      deadlineMilliseconds: 30_000)
    let wish = Envelope(id: 2, body: Request.tickets(TicketRequest(version: nil, count: 1)))

    for place in [run.path, endpoint] {
      // A wish is answered within a second; what waits is seen while it waits.
      try actor.send(wish.encoded(), deadlineMilliseconds: 1000)
      let outcome = try Forage.run("status", place)
      #expect(outcome.has(.success), "\(outcome.complaint)")
      for part in [
        "step 0 of 3", "actor-7 waits for the learner to say hello", "0 granted of",
        "actor-7        -      0       0        0",
      ] { #expect(outcome.output.contains(part), "\(part) in\n\(outcome.output)") }
      let json = try parse(Forage.run("status", place, "--json").output)
      #expect(json["isLive"] == true && json["replay"]?["isFinished"] == false)
    }
    let lost = try Forage.run("status", "\(endpoint)-elsewhere")
    #expect(lost.has(.unavailable))
    #expect(lost.complaint.contains("no answer within"), "\(lost.complaint)")
  }
}
