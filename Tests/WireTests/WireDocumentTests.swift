// Docs/WIRE.md is what somebody writes a peer from, so it must not lie: its examples are decoded,
// its limits and its lists compared with the source.

import Documents
import Experience
import Foundation
import Safetensors
import Testing
import Wire

@Suite struct WireDocumentTests {
  private static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private func text() throws -> String {
    try String(contentsOf: Self.root.appending(path: "Docs/WIRE.md"), encoding: .utf8)
  }

  private struct Example {
    var reader: String
    var json: [UInt8]
  }

  /// The fenced blocks marked `json READER`.
  private func examples() throws -> [Example] {
    var examples: [Example] = []
    var reader: String?
    var lines: [Substring] = []
    for line in try text().split(separator: "\n", omittingEmptySubsequences: false) {
      if let current = reader {
        if line == "```" {
          examples.append(Example(reader: current, json: Array(lines.joined(separator: "\n").utf8)))
          (reader, lines) = (nil, [])
        } else {
          lines.append(line)
        }
      } else if line.hasPrefix("```json ") {
        reader = String(line.dropFirst("```json ".count))
      }
    }
    return examples
  }

  /// The payload frames the page says follow such a control frame.
  private func payload(_ document: Document) -> [[UInt8]] {
    guard case .string(let kind) = document["kind"]?.value, let body = document["body"] else {
      return []
    }
    switch kind {
    case "submit", "probe", "probed": return [[1]]
    case "chunk": return document["body"]?["total"] == nil ? [] : [[1]]
    case "lease":
      var count = 0
      for key in ["tickets", "reused"] {
        if case .array(let tickets) = body[key]?.value { count += tickets.count }
      }
      return Array(repeating: [1], count: count)
    case "commit":
      guard case .integer(let count) = body["trajectories"]?.value else { return [] }
      let rows = Array(repeating: Samples.trajectories[0], count: count)
      return [Envelope(id: 1, body: Request.commit(Samples.commit(rows))).encoded()[1]]
    case "heartbeat":
      guard case .integer(let count)? = body["spans"]?["count"]?.value else { return [] }
      var heartbeat = Samples.farHeartbeat
      heartbeat.spans?.rows = Array(repeating: Samples.spans.rows[0], count: count)
      return [Envelope(id: 1, body: Request.heartbeat(heartbeat)).encoded()[1]]
    default: return []
    }
  }

  /// Decodes, encodes again and compares what the example says with what came of it.
  private func check(_ example: Example) throws -> String {
    let document = try JSON.parse(example.json, source: "WIRE.md")
    let frames = [example.json] + payload(document)
    let again: [UInt8]
    switch example.reader {
    case "request": again = try Envelope<Request>(decoding: frames).encoded()[0]
    case "reply": again = try Envelope<Reply>(decoding: frames).encoded()[0]
    case "blob-request": again = try Envelope<BlobRequest>(decoding: frames).encoded()[0]
    case "blob-reply": again = try Envelope<BlobReply>(decoding: frames).encoded()[0]
    case "announcement":
      again = try Snapshot(decodingAnnouncement: example.json).encodedAnnouncement()
    default:
      Issue.record("an example for \(example.reader), which nobody reads")
      return ""
    }
    expectContains(try JSON.parse(again, source: "encoded"), document, at: "")
    guard case .string(let kind) = document["kind"]?.value else { return "" }
    return "\(example.reader) \(kind)"
  }

  /// Every member of `part` is in `whole` with the same value.
  private func expectContains(_ whole: Document, _ part: Document, at path: String) {
    guard case .object(let members) = part.value else {
      #expect(whole == part, "\(path)")
      return
    }
    for member in members {
      guard let value = whole[member.key] else {
        Issue.record("\(path).\(member.key) was not understood")
        continue
      }
      expectContains(value, member.value, at: "\(path).\(member.key)")
    }
  }

  private func kind(_ frame: [UInt8]) throws -> String {
    guard case .string(let kind) = try JSON.parse(frame, source: "sample")["kind"]?.value else {
      return ""
    }
    return kind
  }

  @Test func `every example is understood, and every kind has one`() throws {
    var shown: Set<String> = []
    for example in try examples() { shown.insert(try check(example)) }
    var kinds: Set<String> = ["announcement announcement"]
    for sample in Samples.requests { kinds.insert("request " + (try kind(sample.encoded()[0]))) }
    for sample in Samples.replies { kinds.insert("reply " + (try kind(sample.encoded()[0]))) }
    for sample in Samples.blobRequests {
      kinds.insert("blob-request " + (try kind(sample.encoded()[0])))
    }
    for sample in Samples.blobReplies {
      kinds.insert("blob-reply " + (try kind(sample.encoded()[0])))
    }
    #expect(shown == kinds)
  }

  @Test func `every field on the wire has its name on the page`() throws {
    let page = try text()
    var frames = Samples.requests.map { $0.encoded()[0] } + Samples.replies.map { $0.encoded()[0] }
    frames += Samples.blobRequests.map { $0.encoded()[0] }
    frames += Samples.blobReplies.map { $0.encoded()[0] }
    for frame in frames {
      guard case .object(let members) = try JSON.parse(frame, source: "sample")["body"]?.value
      else { continue }
      for member in members {
        #expect(page.contains("`\(member.key)`") || page.contains("\"\(member.key)\""))
      }
    }
  }

  @Test func `the limits are the source's`() throws {
    let limits = [
      "maximumControlBytes": WireLimits.maximumControlBytes,
      "maximumPayloadFrames": WireLimits.maximumPayloadFrames,
      "maximumChunkBytes": WireLimits.maximumChunkBytes,
      "maximumProbeBytes": WireLimits.maximumProbeBytes,
      "maximumBlobBytes": WireLimits.maximumBlobBytes,
      "maximumNumber": WireLimits.maximumNumber, "maximumVersion": WireLimits.maximumVersion,
      "maximumNameBytes": WireLimits.maximumNameBytes,
      "maximumAddressBytes": WireLimits.maximumAddressBytes,
      "maximumSentenceBytes": WireLimits.maximumSentenceBytes,
      "maximumTickets": WireLimits.maximumTickets,
      "maximumHeldTickets": WireLimits.maximumHeldTickets,
      "maximumFiles": WireLimits.maximumFiles, "maximumReports": WireLimits.maximumReports,
      "maximumActors": WireLimits.maximumActors,
      "maximumTrajectories": WireLimits.maximumTrajectories,
      "maximumRewardNames": WireLimits.maximumRewardNames,
      "maximumReward": Int(WireLimits.maximumReward),
      "maximumParts": WireLimits.maximumParts,
      "maximumSettingsSpans": WireLimits.maximumSettingsSpans,
      "maximumSpans": WireLimits.maximumSpans, "maximumSpanNames": WireLimits.maximumSpanNames,
      "maximumErrandRepeats": WireLimits.maximumErrandRepeats,
      "maximumErrandMilliseconds": WireLimits.maximumErrandMilliseconds,
      "maximumErrandParallel": WireLimits.maximumErrandParallel,
      "maximumErrandSizes": WireLimits.maximumErrandSizes,
      "maximumErrandBytes": WireLimits.maximumErrandBytes,
      "maximumFindingBytes": WireLimits.maximumFindingBytes,
    ]
    let rows = try text().split(separator: "\n").filter { $0.hasPrefix("| maximum") }
    var shown: [String: Int] = [:]
    for row in rows {
      let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      shown[cells[0]] = Int(cells[1])
    }
    #expect(shown == limits)
  }

  @Test func `every refusal code is explained`() throws {
    let page = try text()
    for code in Refusal.Code.allCases { #expect(page.contains("\n| `\(code.rawValue)` |")) }
  }

  @Test func `the tensors and metadata of a group are those on the page`() throws {
    let page = try text()
    var group = Samples.group
    group.key = Samples.evaluate
    let blob = try SafetensorsBlob(parsing: group.encoded(), source: "test")
    for tensor in blob.tensors {
      let row = page.split(separator: "\n").first {
        $0.hasPrefix("| `\(tensor.name)`") || $0.contains(", `\(tensor.name)`")
      }
      #expect(row?.contains("| \(tensor.type.rawValue) |") == true, "\(tensor.name)")
    }
    for key in blob.metadata.keys { #expect(page.contains("`\(key)`"), "\(key)") }
  }
}
