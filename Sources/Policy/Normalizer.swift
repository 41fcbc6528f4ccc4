// Unicode normal forms, by Foundation: a tokenizer's first step, for the files that ask for it.

import Foundation

/// Unicode normal forms a tokenizer.json asks for, applied in order before a text is split.
struct Normalizer: Sendable {
  enum Form: String, Sendable, CaseIterable {
    case composed = "NFC"
    case decomposed = "NFD"
    case compatibilityComposed = "NFKC"
    case compatibilityDecomposed = "NFKD"
  }

  let forms: [Form]

  func normalize(_ bytes: [UInt8]) -> [UInt8] {
    // ASCII is its own normal form in all four.
    guard !forms.isEmpty, bytes.contains(where: { $0 >= 0x80 }) else { return bytes }
    var text = String(decoding: bytes, as: UTF8.self)
    for form in forms {
      switch form {
      case .composed: text = text.precomposedStringWithCanonicalMapping
      case .decomposed: text = text.decomposedStringWithCanonicalMapping
      case .compatibilityComposed: text = text.precomposedStringWithCompatibilityMapping
      case .compatibilityDecomposed: text = text.decomposedStringWithCompatibilityMapping
      }
    }
    return Array(text.utf8)
  }
}
