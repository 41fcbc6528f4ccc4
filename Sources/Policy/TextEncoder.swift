// The way of one text to ids, with the memory it needs kept from text to text: pieces, the symbols
// being merged, and the ids of pieces met before. A tokenizer is a value that several threads use
// at once; each takes an encoder of its own and gives it back.

import Synchronization

/// Encoders not in use.
final class TextEncoders: Sendable {
  /// More threads than this at once make their own each time.
  private static let maximumIdle = 8

  private let idle = Mutex<[TextEncoder]>([])

  func withOne<Result>(_ body: (TextEncoder) -> Result) -> Result {
    let encoder = idle.withLock { $0.popLast() } ?? TextEncoder()
    defer {
      idle.withLock { idle in
        if idle.count < Self.maximumIdle { idle.append(encoder) }
      }
    }
    return body(encoder)
  }
}

/// Memory of one text after another, all by one tokenizer file. One thread uses it at a time.
final class TextEncoder: @unchecked Sendable {
  private var pieces = TextPieces()
  private var scratch = BytePairModel.Scratch()
  private var cache = PieceCache()

  /// Appends the ids of valid UTF-8; see `Tokenizer.encode`.
  func encode(
    _ text: [UInt8], guarded: [Range<Int>], by file: TokenizerFile, into ids: inout [Int32]
  ) {
    file.rawTokens.forEachPart(of: text, in: 0..<text.count, guarded: guarded) { part in
      switch part {
      case .token(let id): ids.append(id)
      case .text(let range):
        for stretch in stretches(range, guarded: guarded, by: file) {
          encode(text, stretch.range, isGuarded: stretch.isGuarded, by: file, into: &ids)
        }
      }
    }
  }

  /// Special tokens that are looked for in normalized text, where places are no longer those of
  /// the text, are kept out of guarded stretches by cutting it there. Files with such tokens are
  /// rare; all others keep the text whole, as the pieces on both sides of a cut may be one.
  private func stretches(
    _ range: Range<Int>, guarded: [Range<Int>], by file: TokenizerFile
  ) -> [(range: Range<Int>, isGuarded: Bool)] {
    guard file.normalizedTokens.hasSpecial, !guarded.isEmpty else { return [(range, false)] }
    var stretches: [(range: Range<Int>, isGuarded: Bool)] = []
    var done = range.lowerBound
    for stretch in guarded {
      let inside = stretch.clamped(to: range)
      if inside.isEmpty { continue }
      if done < inside.lowerBound { stretches.append((done..<inside.lowerBound, false)) }
      stretches.append((inside, true))
      done = inside.upperBound
    }
    if done < range.upperBound { stretches.append((done..<range.upperBound, false)) }
    return stretches
  }

  private func encode(
    _ text: [UInt8], _ range: Range<Int>, isGuarded: Bool, by file: TokenizerFile,
    into ids: inout [Int32]
  ) {
    let normalized = file.normalizer.normalize(text[range])
    let all = normalized ?? text
    let own = normalized.map { 0..<$0.count } ?? range
    file.normalizedTokens.forEachPart(of: all, in: own, guarded: isGuarded ? [own] : []) { part in
      switch part {
      case .token(let id): ids.append(id)
      case .text(let stretch):
        let isFirst = range.lowerBound == 0 && stretch.lowerBound == own.lowerBound
        pieces.cut(all[stretch], by: file.preTokenizer, isFirst: isFirst)
        encodePieces(by: file, into: &ids)
      }
    }
  }

  private func encodePieces(by file: TokenizerFile, into ids: inout [Int32]) {
    pieces.bytes.withUnsafeBufferPointer { bytes in
      for range in pieces.ranges {
        let piece = UnsafeBufferPointer(rebasing: bytes[range])
        guard piece.count <= PieceCache.maximumPieceBytes else {
          file.model.encode(piece, into: &ids, &scratch)
          continue
        }
        let hash = cache.hash(piece)
        if cache.append(piece, hash: hash, to: &ids) { continue }
        let start = ids.count
        file.model.encode(piece, into: &ids, &scratch)
        cache.insert(piece, hash: hash, ids: ids[start...])
      }
    }
  }
}
