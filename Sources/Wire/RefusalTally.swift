// Who was refused what: counted by code and by name, so that a peer that misbehaves is found.

import Documents

/// Refusals sent by one service, by their codes and by whom they went to.
public struct RefusalTally: Equatable, Sendable {
  /// Names counted apart; whoever comes after them is counted as `others`.
  public static let maximumNames = 64
  public static let others = "others"

  public private(set) var codes: [Refusal.Code: Int] = [:]
  public private(set) var names: [String: [Refusal.Code: Int]] = [:]

  public init() {}

  /// One more refusal. The name is a peer's own, or the address it came from; it is kept only of
  /// those who sent what no sound peer sends, so that the others do not take their places.
  public mutating func count(_ code: Refusal.Code, of name: String) {
    codes[code, default: 0] += 1
    guard code.isFault else { return }
    let isKnown = names[name] != nil || names.count < Self.maximumNames
    names[isKnown ? name : Self.others, default: [:]][code, default: 0] += 1
  }

  /// How many of them no sound peer earns.
  public var faults: Int { codes.reduce(0) { $0 + ($1.key.isFault ? $1.value : 0) } }

  /// Numbers by code.
  public var document: Document { Self.document(codes) }

  /// `{"name", "codes"}` of each, the most refused first.
  public var nameDocuments: [Document] {
    names.map { (name: $0.key, codes: $0.value, count: $0.value.values.reduce(0, +)) }
      .sorted { ($1.count, $0.name) < ($0.count, $1.name) }
      .map { .object([("name", .string($0.name)), ("codes", Self.document($0.codes))]) }
  }

  private static func document(_ codes: [Refusal.Code: Int]) -> Document {
    .object(codes.map { ($0.key.rawValue, .integer($0.value)) }.sorted { $0.0 < $1.0 })
  }
}

extension Refusal.Code {
  /// What no sound peer of this run is refused for. The others come of ordinary life: a queue is
  /// full, a version is old, a learner was replaced, a service forgot whom it knew.
  public var isFault: Bool {
    switch self {
    case .malformed, .protocolVersion, .role, .anotherRun, .numericClass, .invalid, .corrupt,
      .tooLarge:
      true
    case .helloFirst, .stale, .unknownTicket, .fenced, .order, .busy, .gone: false
    }
  }
}
