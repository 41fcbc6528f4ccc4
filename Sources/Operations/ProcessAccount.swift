// What a process says of itself once a second, in a file beside its log: who does what, who waits
// for whom, how full its queues are. A reader needs no answer from anybody, so `forage status` can
// draw who waits for whom while replay is dead.
//
// The file is replaced by a rename and not fsynced: it is worth nothing after a crash but the name
// of a process that is gone.

import Documents
import Glibc

public struct ProcessAccount: Sendable {
  /// Where a supervised process writes its account: set by the supervisor.
  public static let environmentName = "FORAGE_ACCOUNT"
  static let intervalMicroseconds: UInt32 = 1_000_000
  /// Older than this, a living process does not write: it is stopped or starved.
  public static let freshSeconds = 3.0
  static let maximumBytes = 1 << 16

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
      + gauges.map { "\(name): \($0.name) \($0.value) of \($0.maximum)" }
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

  /// Replaces the file; a disk that takes nothing leaves the old one, whose age then tells.
  func write(to path: String) {
    let aside = "\(path).\(processID).part"
    guard
      let descriptor = try? Descriptor.open(aside, O_WRONLY | O_CREAT | O_TRUNC)
    else { return }
    defer { close(descriptor) }
    let bytes = Array((JSON.write(document) + "\n").utf8)
    guard (try? Descriptor.writeAll(descriptor, bytes, path: aside)) != nil,
      rename(aside, path) == 0
    else {
      unlink(aside)
      return
    }
  }

  /// An account as a process left it; nil when there is none or it cannot be read.
  public init?(path: String) {
    guard let bytes = try? Files.read(path, maximumBytes: Self.maximumBytes),
      let document = try? JSON.parse(bytes, source: path),
      case .string(let name)? = document["name"]?.value,
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
