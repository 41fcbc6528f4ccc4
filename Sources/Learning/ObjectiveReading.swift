// The `objective` section of a run's settings. Objectives may not see settings files, so the room
// that uses both reads it.

import Documents
import Objectives

extension GRPOSettings {
  /// Reads the section; `maximumNewTokens` is the default length of the constant normalization.
  public init(_ section: Document?, source: String, maximumNewTokens: Int) throws(DocumentError) {
    let fields = try Fields(section, source: source, path: "objective")
    try self.init(fields, maximumNewTokens: maximumNewTokens)
    try fields.finish()
  }

  /// As `init(_:source:maximumNewTokens:)`, for who wants the resolved section from `fields` after.
  public init(_ fields: Fields, maximumNewTokens: Int) throws(DocumentError) {
    self.init()
    clipLow = try fields.number("clipLow", default: clipLow, in: 0...1)
    clipHigh = try fields.number("clipHigh", default: clipHigh, in: 0...1e9)
    let dual = try fields.number("dualClip", default: dualClip ?? 0, in: 0...1e9)
    dualClip = dual == 0 ? nil : dual
    ratioLevel = try fields.choice("ratioLevel", default: ratioLevel)
    normalization = try fields.choice("normalization", default: normalization)
    constantLength = try fields.integer(
      "constantLength", default: maximumNewTokens, in: 1...1_000_000_000)
    baseline = try fields.choice("baseline", default: baseline)
    dividesByDeviation = try fields.bool("dividesByDeviation", default: dividesByDeviation)
    beta = try fields.number("beta", default: beta, in: 0...1e6)
    divergencePlace = try fields.choice("divergencePlace", default: divergencePlace)
    divergenceEstimator = try fields.choice("divergenceEstimator", default: divergenceEstimator)
    divergenceWeight = try fields.choice("divergenceWeight", default: divergenceWeight)
    let cap = try fields.number("importanceCap", default: importanceCap ?? 0, in: 0...1e9)
    importanceCap = cap == 0 ? nil : cap
    entropyBonus = try fields.number("entropyBonus", default: entropyBonus, in: -1e6...1e6)
    truncation = try fields.choice("truncation", default: truncation)
    truncationPenalty = try fields.number(
      "truncationPenalty", default: truncationPenalty, in: 0...1e6)
    do {
      try check()
    } catch {
      throw fields.error(error.key, error.problem)
    }
  }
}
