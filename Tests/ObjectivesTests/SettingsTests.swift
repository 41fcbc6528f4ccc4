import Objectives
import Testing

@Suite struct SettingsTests {
  @Test func `the defaults stand`() throws {
    try GRPOSettings().check()
    #expect(GRPOSettings().needsReference && !GRPOSettings().needsCurrentForCredit)
  }

  @Test func `k1 in the loss is refused with the reason, and allowed in the reward`() throws {
    var settings = GRPOSettings()
    settings.divergenceEstimator = .k1
    let fault = #expect(throws: ObjectiveFault.self) { try settings.check() }
    #expect(fault?.key == "divergenceEstimator")
    #expect(fault?.problem.contains("gradient of exactly nothing") == true)
    settings.divergencePlace = .reward
    try settings.check()
    #expect(settings.needsCurrentForCredit)
  }

  @Test(
    arguments: [
      ("clipLow", { @Sendable in $0.clipLow = 1 }),
      ("clipHigh", { @Sendable in $0.clipHigh = -.ulpOfOne }),
      ("clipHigh", { @Sendable in $0.clipHigh = .infinity }),
      ("dualClip", { @Sendable in $0.dualClip = 1 }),
      ("importanceCap", { @Sendable in $0.importanceCap = 0.5 }),
      ("constantLength", { @Sendable in $0.normalization = .constant }),
      ("entropyBonus", { @Sendable in $0.entropyBonus = .nan }),
      ("truncationPenalty", { @Sendable in $0.truncationPenalty = 1 }),
      ("beta", { @Sendable in $0.beta = -1 }),
      (
        "divergenceWeight",
        { @Sendable in
          $0.divergencePlace = .reward
          $0.divergenceWeight = .live
        }
      ),
    ] as [(String, @Sendable (inout GRPOSettings) -> Void)])
  func `a setting out of range is refused by name`(
    key: String, change: @Sendable (inout GRPOSettings) -> Void
  ) {
    var settings = GRPOSettings()
    change(&settings)
    let fault = #expect(throws: ObjectiveFault.self) { try settings.check() }
    #expect(fault?.key == key)
  }

  @Test func `only a ratio by sequence keeps a completion together`() {
    var settings = GRPOSettings()
    #expect(settings.scope == .token)
    settings.ratioLevel = .sequence
    #expect(settings.scope == .completion)
  }
}
