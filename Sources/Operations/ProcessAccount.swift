// What a process says of itself once a second, in a file beside its log: who does what, who waits
// for whom, how full its queues are. A reader needs no answer from anybody, so `forage status` can
// draw who waits for whom while replay is dead.
//
// The file is written over in place, always to the same length: a full disk, of which the account
// is to tell, has no room for a new one. It is not fsynced: after a crash it is worth nothing but
// the name of a process that is gone.

import Documents
import Glibc

public struct ProcessAccount: Sendable {
  /// Where a supervised process writes its account: set by the supervisor.
  public static let environmentName = "FORAGE_ACCOUNT"
  static let intervalMicroseconds: UInt32 = 1_000_000
  /// Older than this, a living process does not write: it is stopped or starved.
  public static let freshSeconds = 3.0
  /// Sixteen strands and thirty-two gauges with long names.
  static let maximumBytes = 1 << 14

  /// A strand.
  public struct Line: Sendable {
    public var strand: String
    public var activity: Strand.Activity
    public var text: String
    public var milliseconds: Int
    public var sinceTurnMilliseconds: Int
    public var isLate: Bool

    public init(
      strand: String, activity: Strand.Activity, text: String, milliseconds: Int,
      sinceTurnMilliseconds: Int, isLate: Bool
    ) {
      self.strand = strand
      self.activity = activity
      self.text = text
      self.milliseconds = milliseconds
      self.sinceTurnMilliseconds = sinceTurnMilliseconds
      self.isLate = isLate
    }
  }

  public var name: String
  public var processID: Int
  /// Nanoseconds of `MonotonicClock`, which all processes of a machine share.
  public var at: Int64
  /// The first is what the process is about.
  public var strands: [Line]
  public var gauges: [Watchdog.Gauge]

  public init(
    name: String, processID: Int, at: Int64, strands: [Line], gauges: [Watchdog.Gauge]
  ) {
    self.name = name
    self.processID = processID
    self.at = at
    self.strands = strands
    self.gauges = gauges
  }

  /// A line a strand, for last words.
  public var lines: [String] {
    strands.map { line in
      let verb = line.activity == .work ? "" : "waits for "
      return "\(name)/\(line.strand): \(verb)\(line.text), for "
        + "\(Self.seconds(line.milliseconds)) s; its last turn was "
        + "\(Self.seconds(line.sinceTurnMilliseconds)) s ago"
    }
      + gauges.map {
        "\(name): \($0.name) \($0.value)" + ($0.maximum > 0 ? " of \($0.maximum)" : "")
      }
  }

  private static func seconds(_ milliseconds: Int) -> String {
    "\(milliseconds / 1000).\(milliseconds % 1000 / 100)"
  }
}

extension ProcessAccount {
  var document: Document {
    .object([
      ("name", .string(name)), ("process", .integer(processID)), ("at", .integer(Int(at))),
      (
        "strands",
        .array(
          strands.map { line in
            .object([
              ("strand", .string(line.strand)), ("activity", .string(line.activity.rawValue)),
              ("text", .string(line.text)), ("milliseconds", .integer(line.milliseconds)),
              ("sinceTurnMilliseconds", .integer(line.sinceTurnMilliseconds)),
              ("isLate", .bool(line.isLate)),
            ])
          })
      ),
      (
        "gauges",
        .array(
          gauges.map { gauge in
            .object([
              ("name", .string(gauge.name)), ("value", .integer(gauge.value)),
              ("maximum", .integer(gauge.maximum)),
            ])
          })
      ),
    ])
  }

  /// Bytes of an account: a short one is filled up with spaces, so that it takes its place on the
  /// disk once. A long one says less.
  var bytes: [UInt8] {
    var account = self
    while true {
      let bytes = Array((JSON.write(account.document) + "\n").utf8)
      if bytes.count <= Self.maximumBytes {
        return bytes + [UInt8](repeating: 0x20, count: Self.maximumBytes - bytes.count)
      }
      if account.gauges.popLast() == nil { _ = account.strands.popLast() }
    }
  }

  /// An account as a process left it; nil when there is none or it cannot be read.
  public init?(path: String) {
    // It may be read while it is written, and is then no JSON: another look will do.
    var read: Document?
    for _ in 0..<3 where read == nil {
      guard let bytes = try? Files.read(path, maximumBytes: Self.maximumBytes) else { return nil }
      read = try? JSON.parse(bytes, source: path)
    }
    guard let document = read, case .string(let name)? = document["name"]?.value,
      case .integer(let process)? = document["process"]?.value,
      case .integer(let at)? = document["at"]?.value
    else { return nil }
    self.name = name
    processID = process
    self.at = Int64(at)
    strands = []
    gauges = []
    for element in Self.elements(document["strands"]) {
      guard case .string(let strand)? = element["strand"]?.value,
        case .string(let activity)? = element["activity"]?.value,
        case .string(let text)? = element["text"]?.value
      else { continue }
      strands.append(
        Line(
          strand: strand, activity: Strand.Activity(rawValue: activity) ?? .work, text: text,
          milliseconds: Self.integer(element["milliseconds"]),
          sinceTurnMilliseconds: Self.integer(element["sinceTurnMilliseconds"]),
          isLate: element["isLate"] == .bool(true)))
    }
    for element in Self.elements(document["gauges"]) {
      guard case .string(let name)? = element["name"]?.value else { continue }
      gauges.append(
        Watchdog.Gauge(
          name: name, value: Self.integer(element["value"]),
          maximum: Self.integer(element["maximum"])))
    }
  }

  private static func elements(_ document: Document?) -> [Document] {
    if case .array(let elements)? = document?.value { elements } else { [] }
  }

  private static func integer(_ document: Document?) -> Int {
    if case .integer(let number)? = document?.value { number } else { 0 }
  }

  /// Seconds since it was written.
  public var ageSeconds: Double { MonotonicClock.seconds(since: at) }

  /// What the system says of the process: "running", "stopped by a signal", nil when it is gone.
  public var condition: String? { Self.condition(of: processID) }

  /// The third field of /proc/PID/stat, in words; nil for a process that is not there or only
  /// waits to be reaped.
  public static func condition(of processID: Int) -> String? {
    guard
      let text = try? Files.readText("/proc/\(processID)/stat", maximumBytes: 4096),
      let end = text.lastIndex(of: ")")
    else { return nil }
    switch text[end...].dropFirst(2).first {
    case "T", "t": return "stopped by a signal"
    case "D": return "in a call of the kernel that cannot be interrupted"
    case "Z", "X", nil: return nil
    default: return "running"
    }
  }
}

/// The writing end of an account; belongs to the thread that writes.
final class AccountFile {
  private let path: String
  private var descriptor: Int32 = -1

  init(path: String) { self.path = path }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Writes over what was there; what a disk does not take leaves the old, whose age then tells.
  func write(_ account: ProcessAccount) {
    if descriptor < 0 {
      descriptor = (try? Descriptor.open(path, O_WRONLY | O_CREAT)) ?? -1
      guard descriptor >= 0 else { return }
    }
    _ = account.bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress!, $0.count, 0) }
  }
}
