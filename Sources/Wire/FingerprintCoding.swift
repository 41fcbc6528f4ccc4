// A fingerprint as JSON: a list of parts, in hellos and in the ledger.

import Documents
import Experience

extension Fingerprint {
  public var document: Document {
    .list(parts, atMost: WireLimits.maximumParts) {
      .object([("name", .string($0.name)), ("value", .sentence($0.value))])
    }
  }

  /// Reads what `document` wrote; `source` names the file in errors.
  public init(_ document: Document, source: String) throws(DocumentError) {
    let fields = try Fields(.object([("fingerprint", document)]), source: source)
    self = try fields.fingerprint("fingerprint")
  }
}

extension Fields {
  /// Empty when absent.
  func fingerprint(_ key: String) throws(DocumentError) -> Fingerprint {
    Fingerprint(
      try list(key, maximumCount: WireLimits.maximumParts) { (part) throws(DocumentError) in
        Fingerprint.Part(try part.name("name"), try part.sentence("value"))
      })
  }
}
