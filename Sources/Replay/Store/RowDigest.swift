// A digest over a row's columns, checked before the row is used: SQLite's own integrity check does
// not see a flipped byte inside a value.

import Digests
import Experience

package enum RowDigest {
  /// Tags and lengths keep two neighboring values from being cut differently and agreeing.
  package static func of(_ table: String, _ values: [SQLValue]) -> [UInt8] {
    var bytes = Array(table.utf8)
    bytes.reserveCapacity(256)
    for value in TableColumns.digested(table, values) { append(value, to: &bytes) }
    return Digest(of: bytes).bytes
  }

  private static func append(_ value: SQLValue, to bytes: inout [UInt8]) {
    func append(_ tag: UInt8, _ number: UInt64) {
      bytes.append(tag)
      withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
    }
    switch value {
    case .null: append(0, 0)
    case .integer(let number): append(1, UInt64(bitPattern: Int64(number)))
    case .number(let number): append(2, number.bitPattern)
    case .text(let text):
      append(3, UInt64(text.utf8.count))
      bytes.append(contentsOf: text.utf8)
    case .blob(let blob):
      append(4, UInt64(blob.count))
      bytes.append(contentsOf: blob)
    }
  }
}
