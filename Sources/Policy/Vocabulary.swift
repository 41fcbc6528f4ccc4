// Spellings of tokens in one flat array: a vocabulary of 150,000 small arrays would cost an
// allocation each. Looked up by bytes, never by String: Swift holds canonically equivalent strings
// equal, and a vocabulary may carry both spellings of one.

/// Bytes as a dictionary's key.
struct Spelling: Hashable {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}

/// Ids and spellings of every token, holes allowed.
struct Vocabulary: Sendable {
  private let ids: [Spelling: Int32]
  private let bytes: [UInt8]
  /// `[size + 1]`; the spelling of id i is `bytes[starts[i] ..< starts[i + 1]]`, empty for a hole.
  private let starts: [Int]

  /// Spellings and ids are unique and not empty.
  init(_ ids: [Spelling: Int32]) {
    let size = (ids.values.max().map(Int.init) ?? -1) + 1
    var spellings = [[UInt8]?](repeating: nil, count: size)
    for (spelling, id) in ids { spellings[Int(id)] = spelling.bytes }
    var bytes: [UInt8] = []
    var starts = [0]
    starts.reserveCapacity(size + 1)
    for spelling in spellings {
      bytes += spelling ?? []
      starts.append(bytes.count)
    }
    self.ids = ids
    self.bytes = bytes
    self.starts = starts
  }

  /// One more than the greatest id.
  var size: Int { starts.count - 1 }

  func id(of spelling: [UInt8]) -> Int32? { ids[Spelling(spelling)] }

  func contains(_ id: Int32) -> Bool {
    id >= 0 && id < size && starts[Int(id)] < starts[Int(id) + 1]
  }

  func spelling(of id: Int32) -> ArraySlice<UInt8> {
    bytes[starts[Int(id)]..<starts[Int(id) + 1]]
  }
}
