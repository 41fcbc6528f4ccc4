import Experience
import Tasks
import Testing

/// The same exercises under a verifier that pays half.
private struct Miserly: Exercises {
  let task = Arithmetic()
  var alphabet: [Character]? { task.alphabet }
  var tags: [String] { task.tags }
  func count(in split: Split) -> Int? { task.count(in: split) }
  func exercise(seed: UInt64, split: Split, index: Int) -> Exercise {
    task.exercise(seed: seed, split: split, index: index)
  }
  func judge(
    _ exercise: Exercise, completion: String, tokenCount: Int, isTruncated: Bool
  ) -> Verdict {
    var verdict = task.judge(
      exercise, completion: completion, tokenCount: tokenCount, isTruncated: isTruncated)
    for index in verdict.parts.indices { verdict.parts[index].value /= 2 }
    return verdict
  }
}

@Suite struct DefinitionTests {
  @Test func `a task that does the same has the same definition`() {
    #expect(Arithmetic().taskDefinition(seed: 1) == Arithmetic().taskDefinition(seed: 1))
    #expect(Arithmetic().verifierDefinition(seed: 1) == Arithmetic().verifierDefinition(seed: 1))
  }

  @Test func `another seed, split, operation or number of digits is another task`() {
    let known = Arithmetic().taskDefinition(seed: 1)
    #expect(known != Arithmetic().taskDefinition(seed: 2))
    #expect(known != Arithmetic(digits: 1).taskDefinition(seed: 1))
    #expect(known != Arithmetic(operations: [.subtract]).taskDefinition(seed: 1))
    #expect(known != Arithmetic(seed: 2).taskDefinition(seed: 1))
    #expect(known != Arithmetic(heldOutShare: 0.3).taskDefinition(seed: 1))
  }

  @Test func `a verifier that judges otherwise shows, and is the same task`() {
    #expect(Miserly().taskDefinition(seed: 1) == Arithmetic().taskDefinition(seed: 1))
    #expect(Miserly().verifierDefinition(seed: 1) != Arithmetic().verifierDefinition(seed: 1))
    let known = Arithmetic().verifierDefinition(seed: 1)
    #expect(known != Arithmetic(formatReward: 0.3).verifierDefinition(seed: 1))
  }
}
