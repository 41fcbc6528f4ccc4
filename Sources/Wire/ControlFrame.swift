// The first frame of every message, and the only one that is not safetensors or raw bytes:
//
//     {"kind": "tickets", "protocol": 3, "id": 7, "body": {...}}
//
// Read strictly: an unknown key is refused rather than ignored, so that a misspelled one in a peer
// somebody writes is found by its first message and not by a run that goes slowly wrong.

import Documents
import Experience

struct ControlFrame {
  let kind: String
  let id: Int
  let body: Fields
  private let fields: Fields

  static func write(kind: String, id: Int, body: [(String, Document)]) -> [UInt8] {
    let bytes = JSON.writeBytes(
      .object([
        ("kind", .string(kind)), ("protocol", .integer(WireLimits.protocolVersion)),
        ("id", .integer(id)), ("body", .object(body)),
      ]))
    precondition(
      bytes.count <= WireLimits.maximumControlBytes,
      "\(kind): a control frame of \(bytes.count) bytes, at most \(WireLimits.maximumControlBytes)")
    return bytes
  }

  /// Checks frames and protocol, and opens the body; `finish` refuses what nobody asked for.
  init(_ frames: [[UInt8]]) throws(Refusal) {
    guard let first = frames.first else { throw Refusal(.malformed, "a message without frames") }
    guard frames.count - 1 <= WireLimits.maximumPayloadFrames else {
      throw Refusal(
        .tooLarge,
        "\(frames.count - 1) payload frames, at most \(WireLimits.maximumPayloadFrames)")
    }
    try self.init(first)
  }

  init(_ bytes: [UInt8]) throws(Refusal) {
    guard bytes.count <= WireLimits.maximumControlBytes else {
      throw Refusal(
        .tooLarge,
        "a control frame of \(bytes.count) bytes, at most \(WireLimits.maximumControlBytes)")
    }
    var spoken = WireLimits.protocolVersion
    do throws(DocumentError) {
      fields = try Fields(
        JSON.parse(
          bytes, source: "control frame", maximumByteCount: WireLimits.maximumControlBytes),
        source: "control frame")
      // Before all else: another protocol may have other keys.
      spoken = try fields.integer("protocol", in: 0...WireLimits.maximumNumber)
      if spoken == WireLimits.protocolVersion {
        kind = try fields.string("kind", maximumLength: WireLimits.maximumNameBytes)
        id = try fields.integer("id", in: 0...WireLimits.maximumNumber)
      } else {
        (kind, id) = ("", 0)
      }
      body = try fields.section("body")
    } catch {
      throw Refusal(malformed: error)
    }
    guard spoken == WireLimits.protocolVersion else {
      throw Refusal(
        .protocolVersion,
        "protocol \(spoken), expected \(WireLimits.protocolVersion); run the same release of "
          + "Forage on both sides")
    }
  }

  func finish() throws(DocumentError) { try fields.finish() }

  /// The kind as one of a closed set.
  func kind<Kind: RawRepresentable & CaseIterable>(
    among: Kind.Type
  ) throws(DocumentError) -> Kind where Kind.RawValue == String { try fields.choice("kind") }

  /// The number of a message whose rest may be unreadable.
  static func id(of frames: [[UInt8]]) -> Int? {
    guard let first = frames.first, first.count <= WireLimits.maximumControlBytes,
      let document = try? JSON.parse(first, source: "control frame"),
      case .integer(let id) = document["id"]?.value, (0...WireLimits.maximumNumber).contains(id)
    else { return nil }
    return id
  }
}

extension Refusal {
  init(malformed error: DocumentError) {
    self.init(.malformed, bounded(error.description))
  }
}

/// A sentence within its limit, cut between characters and marked where it is not.
func bounded(_ sentence: String) -> String {
  let maximum = WireLimits.maximumSentenceBytes
  guard sentence.utf8.count > maximum else { return sentence }
  let mark = "..."
  var end = sentence.utf8.index(sentence.startIndex, offsetBy: maximum - mark.utf8.count)
  while end.samePosition(in: sentence.unicodeScalars) == nil {
    end = sentence.utf8.index(before: end)
  }
  return sentence[..<end] + mark
}
