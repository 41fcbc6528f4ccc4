// Byte-pair encoding of one piece of text: symbols are merged in order of rank, the leftmost first
// at a tie. Scanning all pairs for every merge is quadratic, and a long piece without spaces is
// easily sent; a heap of pairs over a linked list of symbols needs O(n log n). A pair in the heap
// goes stale when a neighbor takes one of its symbols; it is then recognized by its rank and passed
// over.

/// A vocabulary's merges.
struct BytePairModel: Sendable {
  struct Merge: Sendable {
    let rank: Int32
    let result: Int32
  }

  /// What a piece begins as: a symbol a byte, or a symbol a character.
  enum Symbols: Sendable {
    /// `[256]`; nil where the vocabulary lacks the byte.
    case bytes([Int32?])
    case characters([Unicode.Scalar: Int32])
  }

  let symbols: Symbols
  /// By `pair(left, right)`.
  let merges: [UInt64: Merge]
  /// Takes the place of a symbol the vocabulary lacks; nil drops it.
  let unknown: Int32?
  /// A run of unknown symbols is one token.
  let fusesUnknown: Bool
  /// Pieces that are tokens as they stand are not merged; nil where the file does not ask for it.
  let wholePieces: Vocabulary?

  static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// Arrays kept from piece to piece.
  struct Scratch {
    fileprivate var ids: [Int32] = []
    fileprivate var next: [Int32] = []
    fileprivate var previous: [Int32] = []
    fileprivate var queue = MergeQueue()
  }

  /// Appends the ids of one piece.
  func encode(
    _ bytes: [UInt8], _ range: Range<Int>, into ids: inout [Int32], _ scratch: inout Scratch
  ) {
    if let wholePieces, let id = wholePieces.id(of: spelling(bytes[range])) {
      ids.append(id)
      return
    }
    begin(bytes[range], &scratch.ids)
    if scratch.ids.count > 1, !merges.isEmpty { merge(&scratch) }
    for id in scratch.ids where id != Self.taken { ids.append(id) }
  }

  /// Marks a symbol its left neighbor has taken.
  private static let taken: Int32 = -1

  private func spelling(_ piece: ArraySlice<UInt8>) -> [UInt8] {
    if case .bytes = symbols { return ByteAlphabet.spelling(of: piece) }
    return Array(piece)
  }

  private func begin(_ piece: ArraySlice<UInt8>, _ ids: inout [Int32]) {
    ids.removeAll(keepingCapacity: true)
    var wasUnknown = false
    func append(_ id: Int32?) {
      if let id {
        ids.append(id)
      } else if let unknown, !(wasUnknown && fusesUnknown) {
        ids.append(unknown)
      }
      wasUnknown = id == nil
    }
    switch symbols {
    case .bytes(let table):
      for byte in piece { append(table[Int(byte)]) }
    case .characters(let table):
      for scalar in String(decoding: piece, as: UTF8.self).unicodeScalars { append(table[scalar]) }
    }
  }

  private func merge(_ s: inout Scratch) {
    let count = Int32(s.ids.count)
    s.next = (0..<count).map { $0 + 1 }
    s.previous = (0..<count).map { $0 - 1 }
    s.queue.removeAll()
    for position in 0..<count - 1 { enqueue(position, &s, count) }
    while let (rank, position) = s.queue.popFirst() {
      let right = s.next[Int(position)]
      guard s.ids[Int(position)] != Self.taken, right < count,
        let merge = merges[Self.pair(s.ids[Int(position)], s.ids[Int(right)])], merge.rank == rank
      else { continue }
      s.ids[Int(position)] = merge.result
      s.ids[Int(right)] = Self.taken
      let after = s.next[Int(right)]
      s.next[Int(position)] = after
      if after < count { s.previous[Int(after)] = position }
      let before = s.previous[Int(position)]
      if before >= 0 { enqueue(before, &s, count) }
      enqueue(position, &s, count)
    }
  }

  private func enqueue(_ position: Int32, _ s: inout Scratch, _ count: Int32) {
    let right = s.next[Int(position)]
    guard right < count else { return }
    guard let merge = merges[Self.pair(s.ids[Int(position)], s.ids[Int(right)])] else { return }
    s.queue.insert(rank: merge.rank, position: position)
  }
}

/// A binary heap of (rank, position), least first.
private struct MergeQueue {
  private var entries: [UInt64] = []

  mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

  mutating func insert(rank: Int32, position: Int32) {
    let entry = BytePairModel.pair(rank, position)
    entries.append(entry)
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if entries[parent] <= entry { break }
      entries[child] = entries[parent]
      child = parent
    }
    entries[child] = entry
  }

  mutating func popFirst() -> (rank: Int32, position: Int32)? {
    guard let first = entries.first, let last = entries.popLast() else { return nil }
    if !entries.isEmpty { sink(last) }
    return (Int32(first >> 32), Int32(truncatingIfNeeded: first))
  }

  private mutating func sink(_ entry: UInt64) {
    var parent = 0
    while 2 * parent + 1 < entries.count {
      var child = 2 * parent + 1
      if child + 1 < entries.count, entries[child + 1] < entries[child] { child += 1 }
      if entries[child] >= entry { break }
      entries[parent] = entries[child]
      parent = child
    }
    entries[parent] = entry
  }
}
