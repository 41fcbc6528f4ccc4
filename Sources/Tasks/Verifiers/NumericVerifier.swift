// The answer as a number: 1,200 is 1200.0, 3/4 is 0.75, 1.2e3 is 1200. Equality is exact unless a
// tolerance is given.

/// Compares numbers with their units. Strictly: what the place holds is one number and it is right,
/// with the unit where the answer has one. Leniently: the number said last is right, wherever.
public struct NumericVerifier: Verifier {
  /// What a percent sign means.
  public enum Percent: String, Sendable, CaseIterable {
    /// 50% is 0.5.
    case value
    /// 50% is 50 with a unit.
    case unit
  }

  public let place: AnswerPlace
  public let relativeTolerance: Double
  public let absoluteTolerance: Double
  public let percent: Percent
  public let accepts: Acceptance

  public init(
    place: AnswerPlace = .said, relativeTolerance: Double = 0, absoluteTolerance: Double = 0,
    percent: Percent = .value, accepts: Acceptance = .strict
  ) {
    self.place = place
    self.relativeTolerance = relativeTolerance
    self.absoluteTolerance = absoluteTolerance
    self.percent = percent
    self.accepts = accepts
  }

  public func find(_ submission: Submission) -> Finding {
    guard let right = Quantity(submission.answer) else {
      return .invalid("the answer \"\(clipped(submission.answer))\" is not a number")
    }
    let said = place.answers(in: submission.completion)
    let given = said.map { place == .said ? Self.leading($0) : Quantity($0) }
    let isStrict =
      !given.isEmpty && given.allSatisfy { $0.map { isRight($0, right, needsUnit: true) } ?? false }
    let anywhere =
      given.last.flatMap { $0 }
      ?? AnswerPlace.said.answers(in: submission.completion).last.flatMap(Self.leading)
      ?? Quantity.last(in: submission.completion)
    let isLenient = isStrict || anywhere.map { isRight($0, right, needsUnit: false) } ?? false
    let reason =
      if isStrict {
        "right: \(clipped(submission.answer))"
      } else if said.isEmpty {
        place.absence
      } else if given.contains(where: { $0 == nil }) {
        "\"\(clipped(said[given.firstIndex { $0 == nil }!]))\" is no single number"
      } else if said.count > 1 {
        "\(said.count) answers, not all of them \(clipped(submission.answer))"
      } else {
        "wrong: \"\(clipped(said[0]))\" is not \(clipped(submission.answer))"
      }
    return .answer(strictly: isStrict, leniently: isLenient, accepts: accepts, reason: reason)
  }

  /// The one number of what follows a phrase: of the whole of it, or before a period or the like.
  static func leading(_ text: String) -> Quantity? {
    var text = text[...]
    // "is: **12**", "is $12$": signs before the number say nothing.
    while let first = text.unicodeScalars.first, ": =*\t\"'(".unicodeScalars.contains(first) {
      text = Substring(text.unicodeScalars.dropFirst())
    }
    if let whole = Quantity(String(text)) { return whole }
    // A sentence ends, or a mark closes: the number before it counts, if it is one.
    let bytes = Array(text.utf8)
    for (index, byte) in bytes.enumerated() {
      let next = index + 1 < bytes.count ? bytes[index + 1] : 0x20
      let ends =
        (byte == UInt8(ascii: ".") || byte == UInt8(ascii: ",")) && QuantityReader.isBlank(next)
        || byte == UInt8(ascii: ";") || byte == UInt8(ascii: "<") || byte == UInt8(ascii: ")")
        || byte == UInt8(ascii: "*") || byte == UInt8(ascii: "\"")
      if ends, index > 0 {
        let rest = bytes[index...].drop { !QuantityReader.isBlank($0) }
        // "12, or 13": the choice goes on behind the comma.
        let goesOn = rest.drop(while: QuantityReader.isBlank).starts(with: "or ".utf8)
        return goesOn ? nil : Quantity(String(decoding: bytes[..<index], as: UTF8.self))
      }
    }
    return nil
  }

  private func isRight(_ given: Quantity, _ right: Quantity, needsUnit: Bool) -> Bool {
    let isValue = percent == .value
    let number = isValue ? given.withoutPercent : given.number
    let expected = isValue ? right.withoutPercent : right.number
    guard
      number.isNear(expected, relative: relativeTolerance, absolute: absoluteTolerance)
    else { return false }
    let units = [given.unit, right.unit].map { isValue && $0 == "%" ? "" : $0 }
    if units[0] == units[1] { return true }
    // An answer without unit takes any; one with a unit never takes another.
    return units[1].isEmpty || (units[0].isEmpty && !needsUnit)
  }
}
