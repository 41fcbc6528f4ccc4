// What a tokenizer does to a text before it splits it, for the files that ask for it: Unicode
// normal forms, by Foundation, and the marks that vocabularies in the manner of SentencePiece put
// in place of spaces.

import Foundation

/// The steps a tokenizer.json asks for, applied in order before a text is split.
struct Normalizer: Sendable {
  enum Form: String, Sendable, CaseIterable {
    case composed = "NFC"
    case decomposed = "NFD"
    case compatibilityComposed = "NFKC"
    case compatibilityDecomposed = "NFKD"
  }

  enum Step: Sendable {
    case form(Form)
    /// Put before a text that is not empty.
    case prepend([UInt8])
    /// Every occurrence, from the left; what is looked for is not empty.
    case replace([UInt8], with: [UInt8])
  }

  let steps: [Step]

  /// nil: the text is as it should be.
  func normalize(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var changed: [UInt8]?
    for step in steps {
      let current = changed.map { $0[...] } ?? text
      switch step {
      case .form(let form):
        if !Self.isNormal(current, form) { changed = Self.normalize(current, form) }
      case .prepend(let mark):
        if !current.isEmpty { changed = mark + current }
      case .replace(let old, let new): changed = ByteText.replacing(old, with: new, in: current)
      }
    }
    return changed
  }

  /// By the bytes alone, and often: false says only that it has to be looked at.
  private static func isNormal(_ text: ArraySlice<UInt8>, _ form: Form) -> Bool {
    // ASCII is its own normal form in all four. Characters below U+0300, whose first byte is at
    // most 0xcb, are composed already and combine with none of their kind.
    let least: UInt8 = form == .composed ? 0xcc : 0xc2
    return text.withUnsafeBufferPointer { bytes in
      // Bytes that continue a character are below all that begin one beyond ASCII.
      for byte in bytes where byte >= least { return false }
      return true
    }
  }

  private static func normalize(_ bytes: ArraySlice<UInt8>, _ form: Form) -> [UInt8] {
    let once = normal(String(decoding: bytes, as: UTF8.self), form)
    // Swift 6.3 leaves a mark that stands before one it takes apart (U+0F80 before U+0F81) out of
    // order; its result has nothing to take apart and comes out right.
    return Array(normal(once, form).utf8)
  }

  private static func normal(_ text: String, _ form: Form) -> String {
    switch form {
    case .composed: text.precomposedStringWithCanonicalMapping
    case .decomposed: text.decomposedStringWithCanonicalMapping
    case .compatibilityComposed: text.precomposedStringWithCompatibilityMapping
    case .compatibilityDecomposed: text.decomposedStringWithCompatibilityMapping
    }
  }
}

/// Bytes that are looked through for others.
enum ByteText {
  /// Every occurrence replaced, from the left; `old` is not empty.
  static func replacing(
    _ old: [UInt8], with new: [UInt8], in text: ArraySlice<UInt8>
  ) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var place = text.startIndex
    while place < text.endIndex {
      if text[place] == old[0], text[place...].starts(with: old) {
        result += new
        place += old.count
      } else {
        result.append(text[place])
        place += 1
      }
    }
    return result
  }
}
