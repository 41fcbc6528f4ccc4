// Byte-pair encoding of one piece of text: symbols are merged in order of rank, the leftmost first
// at a tie. Scanning all pairs for every merge is quadratic: right for a word, where it is the
// fastest, and wrong for a long piece without spaces, which is easily sent. Those are merged by a
// heap of pairs over a linked list of symbols in O(n log n). A pair in the heap goes stale when a
// neighbor takes one of its symbols; it is then recognized by its rank and passed over.

/// A vocabulary's merges.
struct BytePairModel: Sendable {
  /// What a piece begins as: a symbol a byte, or a symbol a character.
  enum Symbols: Sendable {
    /// `[256]`; -1 where the vocabulary lacks the byte.
    case bytes([Int32])
    /// With `bytes`, a character the vocabulary lacks is its bytes, `<0x0A>` and so on: `[256]`.
    case characters([Unicode.Scalar: Int32], bytes: [Int32]?)
  }

  let symbols: Symbols
  let merges: MergeTable
  /// Takes the place of a symbol the vocabulary lacks; nil drops it.
  let unknown: Int32?
  /// A run of unknown symbols is one token.
  let fusesUnknown: Bool
  /// Pieces that are tokens as they stand are not merged; nil where the file does not ask for it.
  let wholePieces: Vocabulary?

  /// Symbols of the longest piece merged by scans: at most this many squared steps, which a heap
  /// takes too.
  private static let longestScan = 40

  /// Arrays kept from piece to piece.
  struct Scratch {
    fileprivate var ids: [Int32] = []
    fileprivate var pairs: [UInt64] = []
    fileprivate var next: [Int32] = []
    fileprivate var previous: [Int32] = []
    fileprivate var queue = MergeQueue()
  }

  /// Appends the ids of one piece.
  func encode(
    _ piece: UnsafeBufferPointer<UInt8>, into ids: inout [Int32], _ scratch: inout Scratch
  ) {
    if let wholePieces, let id = wholePieces.id(of: spelling(piece)) {
      ids.append(id)
      return
    }
    begin(piece, &scratch.ids)
    if scratch.ids.count <= 1 || merges.count == 0 {
      ids.append(contentsOf: scratch.ids)
    } else if scratch.ids.count <= Self.longestScan {
      scan(&scratch)
      ids.append(contentsOf: scratch.ids)
    } else {
      merge(&scratch)
      for id in scratch.ids where id != Self.taken { ids.append(id) }
    }
  }

  /// Marks a symbol its left neighbor has taken, or that the vocabulary lacks.
  private static let taken: Int32 = -1

  private func spelling(_ piece: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    if case .bytes = symbols { return ByteAlphabet.spelling(of: Array(piece)[...]) }
    return Array(piece)
  }

  private func begin(_ piece: UnsafeBufferPointer<UInt8>, _ ids: inout [Int32]) {
    ids.removeAll(keepingCapacity: true)
    var wasUnknown = false
    func append(_ id: Int32) {
      if id >= 0 {
        ids.append(id)
      } else if let unknown, !(wasUnknown && fusesUnknown) {
        ids.append(unknown)
      }
      wasUnknown = id < 0
    }
    switch symbols {
    case .bytes(let table):
      for byte in piece { append(table[Int(byte)]) }
    case .characters(let table, let bytes):
      var place = 0
      while place < piece.count {
        let (scalar, width) = UTF8Text.scalar(in: piece, at: place)
        if let id = table[scalar] {
          append(id)
        } else if let bytes {
          for offset in 0..<width { append(bytes[Int(piece[place + offset])]) }
        } else {
          append(-1)
        }
        place += width
      }
    }
  }

  /// Merges the least pair until none is left, looking through all of them each time.
  private func scan(_ s: inout Scratch) {
    var count = s.ids.count
    s.pairs.removeAll(keepingCapacity: true)
    for index in 0..<count - 1 { s.pairs.append(merges.merge(s.ids[index], s.ids[index + 1])) }
    s.ids.withUnsafeMutableBufferPointer { ids in
      s.pairs.withUnsafeMutableBufferPointer { pairs in
        while count > 1 {
          var least = MergeTable.none
          var place = 0
          // The first of equals: ranks are unique to a pair of ids, so equals are the same pair.
          for index in 0..<count - 1 where pairs[index] < least {
            least = pairs[index]
            place = index
          }
          if least == MergeTable.none { break }
          ids[place] = MergeTable.result(least)
          count -= 1
          for index in place + 1..<max(place + 1, count) { ids[index] = ids[index + 1] }
          for index in place..<max(place, count - 1) { pairs[index] = pairs[index + 1] }
          if place > 0 { pairs[place - 1] = merges.merge(ids[place - 1], ids[place]) }
          if place < count - 1 { pairs[place] = merges.merge(ids[place], ids[place + 1]) }
        }
      }
    }
    s.ids.removeLast(s.ids.count - count)
  }

  private func merge(_ s: inout Scratch) {
    let count = Int32(s.ids.count)
    s.next.removeAll(keepingCapacity: true)
    s.previous.removeAll(keepingCapacity: true)
    for place in 0..<count {
      s.next.append(place + 1)
      s.previous.append(place - 1)
    }
    s.queue.removeAll()
    for position in 0..<count - 1 { enqueue(position, &s, count) }
    while let (rank, position) = s.queue.popFirst() {
      let right = s.next[Int(position)]
      guard s.ids[Int(position)] != Self.taken, right < count else { continue }
      let merge = merges.merge(s.ids[Int(position)], s.ids[Int(right)])
      guard merge != MergeTable.none, MergeTable.rank(merge) == rank else { continue }
      s.ids[Int(position)] = MergeTable.result(merge)
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
    let merge = merges.merge(s.ids[Int(position)], s.ids[Int(right)])
    guard merge != MergeTable.none else { return }
    s.queue.insert(rank: MergeTable.rank(merge), position: position)
  }
}

/// A binary heap of (rank, position), least first.
private struct MergeQueue {
  private var entries: [UInt64] = []

  mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

  mutating func insert(rank: Int32, position: Int32) {
    let entry = MergeTable.pair(rank, position)
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
