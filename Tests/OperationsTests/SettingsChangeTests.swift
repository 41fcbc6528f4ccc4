// What a resume may change: every difference is named with both values, and each kind is judged.

import Documents
import Operations
import Testing

@Suite struct SettingsChangeTests {
  func settings(_ overrides: String...) throws -> RunSettings {
    try RunSettings(document: .object([]), source: "test", overrides: overrides)
  }

  func changes(_ overrides: String...) throws -> [SettingsChange] {
    SettingsChange.between(
      try settings(), try RunSettings(document: .object([]), source: "test", overrides: overrides))
  }

  @Test func `a change is named with both values`() throws {
    let changes = try changes("learner.learningRate=5e-5", "task.digits=3")
    #expect(changes.map(\.key) == ["task.digits", "learner.learningRate"])
    #expect("\(changes[1])" == "learner.learningRate from 0.0001 to 5e-05")
    #expect("\(changes[0])" == "task.digits from nothing to 3")
  }

  @Test func `a number written another way is no change`() throws {
    #expect(try changes("learner.learningRate=1.0e-4", "learner.clipNorm=1.0").isEmpty)
    let yaml = try RunSettings(
      document: YAML.parse(Array(settings("objective.beta=0.040").yaml.utf8), source: "y"),
      source: "y")
    let json = try RunSettings(
      JSON.parse(Array(JSON.write(settings("objective.beta=4e-2").resolved).utf8), source: "j"),
      source: "j")
    #expect(SettingsChange.between(yaml, json).isEmpty)
  }

  @Test func `threads, addresses and the number of actors are free`() throws {
    let changes = try changes(
      "actor.count=4", "run.threads=3", "network.listen=127.0.0.1", "supervisor.stallSeconds=90",
      "learner.keepCheckpoints=7")
    #expect(changes.count == 5 && changes.allSatisfy { $0.kind == .free })
    try SettingsChange.check(changes, allowed: [], on: "run")
  }

  @Test func `what a step depends on is refused until it is named`() throws {
    let changes = try changes("learner.learningRate=5e-5", "objective.beta=0.5", "actor.count=4")
    let failure = #expect(throws: Failure.self) {
      try SettingsChange.check(changes, allowed: ["objective.beta"], on: "run")
    }
    #expect(failure?.exitCode == .settings)
    #expect(failure?.happened == "changed: learner.learningRate from 0.0001 to 5e-05")
    #expect(failure?.remedy.contains("--allow-change learner.learningRate") == true)
    try SettingsChange.check(
      changes, allowed: ["objective.beta", "learner.learningRate"], on: "run")
  }

  @Test func `what the run's files follow from is refused in any case`() throws {
    // Of a task, what deals its splits: a seed, a share, and any setting nobody has thought about.
    for override in [
      "run.seed=9", "sampling.groupSize=4", "model.layers=9", "warmStart.batch=3", "task.seed=2",
      "task.heldOutShare=0.3", "task.digits=3", "task.somethingNew=1", "task.heldOutFile=a.jsonl",
    ] {
      let changes = try changes(override)
      #expect(changes.map(\.kind) == [.fixed])
      #expect(throws: Failure.self) {
        try SettingsChange.check(changes, allowed: changes.map(\.key), on: "run")
      }
    }
  }

  @Test func `a settings file of a later format is refused by its number`() throws {
    #expect(try settings().resolved["format"] == 1)
    let error = #expect(throws: DocumentError.self) { try settings("format=2") }
    #expect(error?.problem.contains("is 2; this program reads 1: use a newer one") == true)
  }

  @Test func `how a task asks, judges and pays may change where it is named`() {
    for key in ["task.verifier.accepts", "task.correctReward", "task.template", "task.file"] {
      #expect(SettingsChange.kind(of: key) == .recorded)
    }
  }

  @Test func `a key nobody has thought about is one a step may depend on`() {
    #expect(SettingsChange.kind(of: "learner.somethingNew") == .recorded)
    #expect(SettingsChange.kind(of: "actors") == .recorded)
  }
}
