// The nouns inside bodies: digests, versions, ticket keys, lists of them.

import Documents
import Experience

extension Document {
  static func digest(_ digest: Digest) -> Document { .string(digest.hexadecimal) }

  static func version(_ version: PolicyVersion) -> Document {
    .object([
      ("lineage", .string(version.lineage)), ("number", .integer(version.number)),
      ("digest", .digest(version.digest)),
    ])
  }

  static func key(_ key: TicketKey) -> Document {
    switch key.purpose {
    case .train:
      .object([("purpose", "train"), ("number", .integer(key.number))])
    case .evaluate(let version):
      .object([
        ("purpose", "evaluate"), ("version", .integer(version)), ("number", .integer(key.number)),
      ])
    }
  }

  static func ticket(_ ticket: Ticket) -> Document {
    .object(
      [("key", .key(ticket.key)), ("minimumVersion", .integer(ticket.minimumVersion))]
        + optional("level", ticket.level.map(Document.integer)))
  }

  static func file(_ file: NamedDigest) -> Document {
    .object([("name", .string(file.name)), ("digest", .digest(file.digest))])
  }

  static func sentence(_ text: String) -> Document { .string(bounded(text)) }

  static func list<Element>(
    _ elements: [Element], atMost maximum: Int, _ write: (Element) -> Document
  ) -> Document {
    precondition(elements.count <= maximum, "\(elements.count) elements, at most \(maximum)")
    return .array(elements.map(write))
  }

  static func refusal(_ refusal: Refusal) -> [(String, Document)] {
    [("code", .string(refusal.code.rawValue)), ("sentence", .sentence(refusal.sentence))]
  }
}

/// A member only when there is a value: an absent one and null read alike.
func optional(_ key: String, _ value: Document?) -> [(String, Document)] {
  value.map { [(key, $0)] } ?? []
}

private enum PurposeName: String, CaseIterable { case train, evaluate }

extension Fields {
  func count(_ key: String) throws(DocumentError) -> Int {
    try integer(key, in: 0...WireLimits.maximumNumber)
  }

  func optionalCount(_ key: String) throws(DocumentError) -> Int? {
    has(key) ? try count(key) : nil
  }

  /// A version number or a step.
  func versionNumber(_ key: String) throws(DocumentError) -> Int {
    try integer(key, in: 0...WireLimits.maximumVersion)
  }

  func name(_ key: String) throws(DocumentError) -> String {
    let name = try string(key, maximumLength: WireLimits.maximumNameBytes)
    // It is shown on terminals, which obey such characters.
    guard !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
    else { throw error(key, "has a control character") }
    return name
  }

  func address(_ key: String) throws(DocumentError) -> String {
    try string(key, default: "", maximumLength: WireLimits.maximumAddressBytes)
  }

  /// Words for a person; a control character, which a terminal would obey, becomes a blank.
  func sentence(_ key: String) throws(DocumentError) -> String {
    let text = try string(key, maximumLength: WireLimits.maximumSentenceBytes)
    guard text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
    else { return text }
    var shown = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      shown.append(scalar.properties.generalCategory == .control ? " " : scalar)
    }
    return String(shown)
  }

  func digest(_ key: String) throws(DocumentError) -> Digest {
    let text = try string(key, maximumLength: 2 * Digest.byteCount)
    guard let digest = Digest(hexadecimal: text) else {
      throw error(key, "expected \(2 * Digest.byteCount) lowercase hexadecimal digits")
    }
    return digest
  }

  func version(_ key: String) throws(DocumentError) -> PolicyVersion {
    let fields = try section(key)
    return PolicyVersion(
      lineage: try fields.name("lineage"), number: try fields.versionNumber("number"),
      digest: try fields.digest("digest"))
  }

  func optionalVersion(_ key: String) throws(DocumentError) -> PolicyVersion? {
    has(key) ? try version(key) : nil
  }

  func ticketKey() throws(DocumentError) -> TicketKey {
    let name: PurposeName = try choice("purpose")
    let number = try count("number")
    switch name {
    case .train: return TicketKey(purpose: .train, number: number)
    case .evaluate:
      return TicketKey(purpose: .evaluate(version: try versionNumber("version")), number: number)
    }
  }

  func refusal() throws(DocumentError) -> Refusal {
    Refusal(try choice("code"), try sentence("sentence"))
  }

  func list<Element>(
    _ key: String, maximumCount: Int, _ read: (Fields) throws(DocumentError) -> Element
  ) throws(DocumentError) -> [Element] {
    var elements: [Element] = []
    for section in try sections(key, maximumCount: maximumCount) {
      elements.append(try read(section))
    }
    return elements
  }

  func ticketKeys(_ key: String) throws(DocumentError) -> [TicketKey] {
    try list(key, maximumCount: WireLimits.maximumHeldTickets) {
      (section) throws(DocumentError) in try section.ticketKey()
    }
  }

  func files(_ key: String) throws(DocumentError) -> [NamedDigest] {
    try list(key, maximumCount: WireLimits.maximumFiles) { (section) throws(DocumentError) in
      NamedDigest(name: try section.name("name"), digest: try section.digest("digest"))
    }
  }
}
