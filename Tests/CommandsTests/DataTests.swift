// forage data check as a person runs it.

import Operations
import Testing

@Suite struct DataTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private let settings = [
    "--task.heldOutCount=4", "--task.validationCount=4", "--task.verifier.kind=gsm8k",
  ]

  private func lines(_ count: Int) -> String {
    (0..<count).map { "{\"question\":\"q\($0)\",\"answer\":\"so #### \($0)\"}\n" }.joined()
  }

  @Test func `a good file is counted and measured`() throws {
    let path = try folder.write(
      "a.jsonl", lines(20) + "{\"question\":\"q0\",\"answer\":\"#### 0\"}\n")
    let outcome = try Forage.run(["data", "check", path, "--limit", "3"] + settings)
    #expect(outcome.has(.success), "\(outcome.complaint)")
    for part in [
      "lines            21", "train 12, validation 4, held-out 4", "1 questions stand twice",
      "20 of 20 get full marks", "least 3, 50 % 3, 90 % 4", "10 prompts have more than 3 bytes",
    ] {
      #expect(outcome.output.contains(part), "\(part): \(outcome.output)")
    }
  }

  @Test func `a gold answer without full marks and a bad line are named by their lines`() throws {
    let flawed = try folder.write(
      "flawed.jsonl", lines(20) + "{\"question\":\"x\",\"answer\":\"many\"}\n")
    let outcome = try Forage.run(["data", "check", flawed] + settings)
    #expect(outcome.has(.badInput))
    #expect(outcome.output.contains("20 of 21") && outcome.output.contains("line 21"))
    let broken = try folder.write("broken.jsonl", lines(3) + "{\"question\":\n")
    let refused = try Forage.run(["data", "check", broken] + settings)
    #expect(!refused.has(.success))
    #expect(refused.complaint.contains("broken.jsonl:4:1"), "\(refused.complaint)")
  }
}
