// A TensorBoard event file: records of the TFRecord format, each a protobuf message `Event`.
//
//     record   8 bytes length, 4 bytes masked CRC-32C of these 8, the message, 4 bytes masked
//              CRC-32C of the message; all little-endian
//     Event    1: wall_time double   2: step int64   3: file_version string   5: summary Summary
//     Summary  1: value Value, one a key
//     Value    1: tag string   2: simple_value float
//
// Six fields of two wire types do not ask for a protobuf library. (Formats: tensorflow.org's
// tfrecord page, event.proto and summary.proto.)

import Documents

package struct EventFile {
  package private(set) var bytes: [UInt8] = []

  init(_ metrics: RunMetrics) {
    self.init(steps: metrics.steps, evaluations: metrics.evaluations)
  }

  /// A run's clock begins at 0 with its first step and counts steps alone: what it waited while it
  /// was stopped is not in the curves.
  package init(steps: [Document], evaluations: [Document]) {
    append(event(seconds: 0) { $0.put(3, text: "brain.Event:2") })
    var seconds = 0.0
    var ends: [Int: Double] = [:]
    for record in steps {
      guard let step = record["step"]?.integerValue else { continue }
      seconds += record["time/step"]?.numberValue ?? 0
      ends[step + 1] = seconds
      append(event(seconds: seconds) { $0.put(step: step, scalars(record, except: "step")) })
    }
    for record in evaluations {
      guard let version = record["evaluation"]?.integerValue else { continue }
      let seconds = ends[version] ?? 0
      append(
        event(seconds: seconds) { $0.put(step: version, scalars(record, except: "evaluation")) })
    }
  }

  private func event(seconds: Double, _ fill: (inout ProtobufMessage) -> Void) -> [UInt8] {
    var message = ProtobufMessage()
    message.put(1, double: seconds)
    fill(&message)
    return message.bytes
  }

  /// Every number of a record by its key.
  private func scalars(_ record: Document, except left: String) -> ProtobufMessage {
    var summary = ProtobufMessage()
    guard case .object(let members) = record.value else { return summary }
    for member in members where member.key != left {
      guard let number = member.value.numberValue else { continue }
      var value = ProtobufMessage()
      value.put(1, text: member.key)
      value.put(2, float: Float(number))
      summary.put(1, message: value)
    }
    return summary
  }

  private mutating func append(_ message: [UInt8]) {
    let length = Self.littleEndian(UInt64(message.count))
    bytes += length + Self.littleEndian(Self.masked(CRC32C.of(length)))
    bytes += message + Self.littleEndian(Self.masked(CRC32C.of(message)))
  }

  /// TFRecord's own: a check sum of data that holds check sums would be weak.
  private static func masked(_ sum: UInt32) -> UInt32 {
    ((sum >> 15) | (sum << 17)) &+ 0xA282_EAD8
  }

  fileprivate static func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }
}

/// Fields one after another; wire types 0 (varint), 1 (64 bits), 2 (bytes) and 5 (32 bits).
private struct ProtobufMessage {
  var bytes: [UInt8] = []

  mutating func put(_ field: UInt64, double: Double) {
    put(varint: field << 3 | 1)
    bytes += EventFile.littleEndian(double.bitPattern)
  }

  mutating func put(_ field: UInt64, float: Float) {
    put(varint: field << 3 | 5)
    bytes += EventFile.littleEndian(float.bitPattern)
  }

  mutating func put(_ field: UInt64, text: String) { put(field, Array(text.utf8)) }

  mutating func put(_ field: UInt64, message: ProtobufMessage) { put(field, message.bytes) }

  mutating func put(step: Int, _ summary: ProtobufMessage) {
    put(varint: 2 << 3)
    put(varint: UInt64(step))
    put(5, message: summary)
  }

  private mutating func put(_ field: UInt64, _ content: [UInt8]) {
    put(varint: field << 3 | 2)
    put(varint: UInt64(content.count))
    bytes += content
  }

  private mutating func put(varint: UInt64) {
    var rest = varint
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}

/// The Castagnoli polynomial, reflected, a bit at a time: an export is small and rare.
package enum CRC32C {
  package static func of(_ bytes: [UInt8]) -> UInt32 {
    var sum = UInt32.max
    for byte in bytes {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0x82F6_3B78 : sum >> 1 }
    }
    return ~sum
  }
}
