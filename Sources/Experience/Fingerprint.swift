// What the bits of a run depend on, part by part: the programs that compute, the arithmetic this
// machine does, the libraries under both. Two processes with one fingerprint take the same step to
// the last bit; between two that differ nothing is claimed.

/// The parts by name, in a fixed order.
public struct Fingerprint: Equatable, Sendable {
  public struct Part: Equatable, Sendable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  public var parts: [Part]

  public init(_ parts: [Part] = []) { self.parts = parts }

  /// The part that names the arithmetic: the numeric class.
  public static let numbers = "numbers"

  /// The value of a part; nil where there is none of that name.
  public subscript(name: String) -> String? { parts.first { $0.name == name }?.value }

  /// Parts that tell where a run was, and that no bit depends on.
  public static let incidental: Set<String> = ["processor"]

  /// One part that is not the same on both sides; "" where a side has no such part.
  public struct Difference: Equatable, Sendable, CustomStringConvertible {
    public var name: String
    public var recorded: String
    public var here: String

    /// Bits may depend on it.
    public var matters: Bool { !Fingerprint.incidental.contains(name) }

    public var description: String {
      "\(name): recorded \(recorded.isEmpty ? "nothing" : recorded), here "
        + (here.isEmpty ? "nothing" : here)
    }
  }

  /// Where this one differs from the one that was recorded.
  public func differences(from recorded: Fingerprint) -> [Difference] {
    var names = recorded.parts.map(\.name)
    for part in parts where !names.contains(part.name) { names.append(part.name) }
    return names.compactMap { name in
      let (old, new) = (recorded[name] ?? "", self[name] ?? "")
      return old == new ? nil : Difference(name: name, recorded: old, here: new)
    }
  }
}
