// Ids of pieces seen before. Most pieces of a text are words met already, and finding one costs a
// tenth of merging it. The cache is bounded: when it is full what is in it stays, as the commonest
// words come early. Its hash begins with a number drawn at start, so that no text can be written
// whose pieces collide.

/// Pieces and their ids. One thread uses it at a time.
struct PieceCache {
  /// With 24 bytes each and their text and ids beside them, some 4 MB.
  static let maximumPieces = 1 << 16
  /// Longer ones seldom come again.
  static let maximumPieceBytes = 64

  private struct Entry {
    let hash: UInt64
    let textStart: Int32
    let idStart: Int32
    let textCount: UInt16
    let idCount: UInt16
  }

  private var slots: [Int32] = []
  private var entries: [Entry] = []
  private var text: [UInt8] = []
  private var ids: [Int32] = []
  private let seed = UInt64.random(in: .min ... .max)

  func hash(_ piece: UnsafeBufferPointer<UInt8>) -> UInt64 {
    var hash = seed ^ UInt64(piece.count)
    var place = 0
    let bytes = UnsafeRawBufferPointer(piece)
    while place + 8 <= bytes.count {
      hash = Self.mix(hash ^ bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
      place += 8
    }
    var rest: UInt64 = 0
    while place < bytes.count {
      rest = rest << 8 | UInt64(bytes[place])
      place += 1
    }
    return Self.mix(hash ^ rest)
  }

  @inline(__always) private static func mix(_ word: UInt64) -> UInt64 {
    let (high, low) = (word ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(
      by: 0xd6e8_feb8_6659_fd93)
    return high ^ low
  }

  /// Appends the piece's ids and is true, or is false where it has not been seen.
  func append(
    _ piece: UnsafeBufferPointer<UInt8>, hash: UInt64, to result: inout [Int32]
  ) -> Bool {
    if slots.isEmpty { return false }
    let mask = slots.count - 1
    var place = Int(truncatingIfNeeded: hash) & mask
    while slots[place] >= 0 {
      let entry = entries[Int(slots[place])]
      if entry.hash == hash, matches(entry, piece) {
        let start = Int(entry.idStart)
        if entry.idCount == 1 {
          result.append(ids[start])
        } else {
          result.append(contentsOf: ids[start..<start + Int(entry.idCount)])
        }
        return true
      }
      place = (place + 1) & mask
    }
    return false
  }

  private func matches(_ entry: Entry, _ piece: UnsafeBufferPointer<UInt8>) -> Bool {
    guard entry.textCount == piece.count else { return false }
    return text.withUnsafeBufferPointer { text in
      for offset in 0..<piece.count where text[Int(entry.textStart) + offset] != piece[offset] {
        return false
      }
      return true
    }
  }

  /// Remembers a piece that `append` did not know, while there is room.
  mutating func insert(
    _ piece: UnsafeBufferPointer<UInt8>, hash: UInt64, ids new: ArraySlice<Int32>
  ) {
    guard piece.count <= Self.maximumPieceBytes, entries.count < Self.maximumPieces else { return }
    if 2 * entries.count >= slots.count { grow() }
    let mask = slots.count - 1
    var place = Int(truncatingIfNeeded: hash) & mask
    while slots[place] >= 0 { place = (place + 1) & mask }
    slots[place] = Int32(entries.count)
    entries.append(
      Entry(
        hash: hash, textStart: Int32(text.count), idStart: Int32(ids.count),
        textCount: UInt16(piece.count), idCount: UInt16(new.count)))
    text.append(contentsOf: piece)
    ids.append(contentsOf: new)
  }

  private mutating func grow() {
    slots = .init(repeating: -1, count: max(1024, 2 * slots.count))
    let mask = slots.count - 1
    for (index, entry) in entries.enumerated() {
      var place = Int(truncatingIfNeeded: entry.hash) & mask
      while slots[place] >= 0 { place = (place + 1) & mask }
      slots[place] = Int32(index)
    }
  }
}
