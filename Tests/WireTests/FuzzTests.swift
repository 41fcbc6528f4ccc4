// Hostile bytes by the thousand, from a seed: a decoder answers with a value or a refusal, never
// with a trap, and a value it takes keeps its promises.

import Experience
import Testing
import Wire

@Suite struct FuzzTests {
  private static let mutationCount = 4_000

  /// Changes, cuts, repeats or inserts a few bytes; half of the time bytes that mean something.
  private static func mutated(_ bytes: [UInt8], _ number: Int) -> [UInt8] {
    var bytes = bytes
    var draw: UInt64 = 0
    func random(below bound: Int) -> Int {
      draw += 1
      return AddressedRandom.integer(
        below: max(1, bound), seed: 20_260, domain: .shuffle, UInt64(number), draw)
    }
    let telling = Array("{}[]\":,0919-+eE.\\u null true\u{0}".utf8) + [0x7F, 0x80, 0xC0, 0xFF]
    for _ in 0...random(below: 3) {
      let place = random(below: bytes.count)
      let byte =
        random(below: 2) == 0 ? UInt8(random(below: 256)) : telling[random(below: telling.count)]
      switch random(below: 6) {
      case 0, 1, 2: if !bytes.isEmpty { bytes[place] = byte }
      case 3: bytes.insert(byte, at: place)
      case 4: if !bytes.isEmpty { bytes.remove(at: place) }
      default:
        let end = min(bytes.count, place + random(below: 24))
        if place < end {
          bytes.insert(contentsOf: bytes[place..<end], at: random(below: bytes.count))
        }
      }
    }
    return bytes
  }

  @Test func `no mutation of a control frame does worse than be refused`() {
    let requests = Samples.requests.map { $0.encoded() }
    let replies = Samples.replies.map { $0.encoded() }
    let blobs = Samples.blobReplies.map { $0.encoded() }
    var refused = 0
    func attempt(_ frames: [[UInt8]], _ number: Int, _ decode: ([[UInt8]]) throws -> Void) {
      var frames = frames
      let index = number % 3 == 0 ? frames.count - 1 : 0
      frames[index] = Self.mutated(frames[index], number)
      do { try decode(frames) } catch { refused += 1 }
    }
    for number in 0..<Self.mutationCount {
      attempt(requests[number % requests.count], number) {
        let read = try Envelope<Request>(decoding: $0)
        // What is taken can be written and read again; NaN columns alone are not equal to
        // themselves.
        let again = try Envelope<Request>(decoding: read.encoded())
        #expect(again.encoded() == read.encoded())
      }
      attempt(replies[number % replies.count], number) {
        let read = try Envelope<Reply>(decoding: $0)
        #expect(try Envelope<Reply>(decoding: read.encoded()).encoded() == read.encoded())
      }
      attempt(blobs[number % blobs.count], number) { _ = try Envelope<BlobReply>(decoding: $0) }
    }
    // Most mutations break JSON; if hardly any were refused, nothing was mutated.
    #expect(refused > Self.mutationCount)
  }

  @Test func `no mutation of a group passes with a value out of its range`() throws {
    let bytes = Samples.group.encoded()
    var refused = 0
    for number in 0..<Self.mutationCount {
      let group: TrajectoryGroup
      do {
        group = try TrajectoryGroup(
          decoding: Self.mutated(bytes, number), limits: Samples.limits)
      } catch {
        refused += 1
        continue
      }
      let limits = Samples.limits
      let isWhole =
        group.trajectories.count == limits.groupSize && !group.prompt.isEmpty
        && group.prompt.allSatisfy { (0..<32).contains($0) }
        && (0...100).contains(group.temperature)
        && group.trajectories.allSatisfy { trajectory in
          let completion = trajectory.completion
          return (1...limits.maximumNewTokens).contains(completion.tokens.count)
            && completion.tokens.allSatisfy { (0..<32).contains($0) }
            && completion.behaviorLogProbs.allSatisfy { $0.isFinite && $0 <= 0 }
            && trajectory.verdict.parts.allSatisfy {
              $0.value.isFinite && completion.tokens.indices.contains($0.position)
            }
        }
      #expect(isWhole, "mutation \(number)")
      #expect(try TrajectoryGroup(decoding: group.encoded(), limits: limits) == group)
    }
    #expect(refused > Self.mutationCount / 2)
  }
}
