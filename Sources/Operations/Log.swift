// Lines for people: `12:03:44.123 learner info  step 40 committed`.
//
// One write(2) a line, so that lines of several processes into one file stay whole. A log is passed
// to whoever needs it; there is no global one. What may be secret (keys, tokens of an account) is
// never passed to it.

import Glibc

/// How much a line matters.
public enum LogLevel: Int, Sendable, Comparable, CaseIterable {
  case debug, info, warning, error

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// Reads "debug", "info", "warning" or "error".
  public init?(name: String) {
    guard let level = Self.allCases.first(where: { "\($0)" == name }) else { return nil }
    self = level
  }
}

/// Writes leveled lines to standard error, a file, or both. Any thread.
public final class Log: Sendable {
  /// Longer lines are cut: a log is no place for a payload.
  public static let maximumLineBytes = 8192

  /// Who speaks: "learner", "actor-1".
  public let name: String
  public let level: LogLevel
  /// The last lines, those below the level among them: what a watchdog prints.
  public let events = EventRing()
  private let descriptors: [Int32]
  private let ownedDescriptor: Int32?

  /// `file` is appended to and made if missing; nil writes to standard error alone.
  public init(
    _ name: String, level: LogLevel = .info, file: String? = nil, standardError: Bool = true
  ) throws(Failure) {
    self.name = name
    self.level = level
    ownedDescriptor =
      nil == file
      ? nil
      : try Descriptor.open(
        file!, O_WRONLY | O_APPEND | O_CREAT, tried: "open the log",
        remedy: "check that its folder exists and can be written")
    descriptors = (standardError ? [STDERR_FILENO] : []) + (ownedDescriptor.map { [$0] } ?? [])
  }

  private init(name: String, level: LogLevel, descriptors: [Int32]) {
    self.name = name
    self.level = level
    self.descriptors = descriptors
    ownedDescriptor = nil
  }

  /// Standard error alone.
  public static func standardError(_ name: String, level: LogLevel = .info) -> Log {
    Log(name: name, level: level, descriptors: [STDERR_FILENO])
  }

  /// Says nothing: for tests and for libraries used alone.
  public static let silent = Log(name: "", level: .error, descriptors: [])

  deinit {
    if let ownedDescriptor { close(ownedDescriptor) }
  }

  public func debug(_ text: @autoclosure () -> String) { write(.debug, text) }
  public func info(_ text: @autoclosure () -> String) { write(.info, text) }
  public func warning(_ text: @autoclosure () -> String) { write(.warning, text) }
  public func error(_ text: @autoclosure () -> String) { write(.error, text) }

  private func write(_ level: LogLevel, _ text: () -> String) {
    guard !descriptors.isEmpty else { return }
    let words = text()
    events.note(words)
    guard level >= self.level else { return }
    let bytes = Self.line(
      stamp: WallClock.timeStamp, name: name, level: level, text: words)
    for descriptor in descriptors {
      // A log that cannot be written must not stop the work; there is nowhere to say so.
      _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress!, $0.count) }
    }
  }

  /// One line of bytes, newline last. Control characters would let a peer's text forge lines or
  /// move the terminal's cursor, so they are shown escaped.
  package static func line(
    stamp: String, name: String, level: LogLevel, text: String
  ) -> [UInt8] {
    let word = "\(level)"
    var bytes = Array("\(stamp) \(name) \(word)".utf8)
    bytes.append(contentsOf: repeatElement(0x20, count: 8 - word.utf8.count))
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x0A: bytes.append(contentsOf: Array("\\n".utf8))
      case 0x09: bytes.append(0x20)
      case 0..<0x20, 0x7F..<0xA0:
        bytes.append(contentsOf: Array("\\u{\(String(scalar.value, radix: 16))}".utf8))
      default: bytes.append(contentsOf: Array(String(scalar).utf8))
      }
      if bytes.count > maximumLineBytes - 32 {
        bytes.append(contentsOf: Array(" [cut]".utf8))
        break
      }
    }
    bytes.append(0x0A)
    return bytes
  }
}
