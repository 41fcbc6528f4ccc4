// A connection from a client to whoever serves at an address. Messages are frames of bytes, each
// way on its own; while there are faults they are lost, repeated, late or damaged, and a cut loses
// what is under way and gives the client a new identity, as a ROUTER sees it.

import Experience
import Replay
import Wire

final class Link {
  /// Bytes of a payload may be damaged where a digest guards them: groups going to replay, pieces
  /// of weights. A byte of a control frame that changes within a connection is TCP's to find.
  private static let guarded = ["submit", "chunk"]

  let index: Int
  let client: Process
  let address: String
  private var generation = 0
  private unowned let world: World

  init(from client: Process, to address: String, in world: World) {
    self.client = client
    self.address = address
    self.world = world
    index = world.links.count
    world.links.append(self)
  }

  var peer: Peer { Peer([UInt8(index >> 8 & 255), UInt8(index & 255), UInt8(generation & 255)]) }

  func cut() { generation += 1 }

  func send(_ frames: [[UInt8]]) { carry(frames, isRequest: true) }

  /// False when the peer is not there any more.
  func reply(_ frames: [[UInt8]], to peer: Peer) -> Bool {
    guard peer == self.peer, client.isAlive else { return false }
    carry(frames, isRequest: false)
    return true
  }

  private func carry(_ frames: [[UInt8]], isRequest: Bool) {
    if world.strikes(oneIn: 25, "lost") { return }
    let copies = world.strikes(oneIn: 25, "repeated") ? 2 : 1
    for _ in 0..<copies {
      var delay = millisecond / 2 + Int64(world.random.below(2_000_000))
      if world.strikes(oneIn: 15, "late") {
        delay += Int64(world.random.below(3_000)) * millisecond
      }
      let sent = generation
      let damaged = damaging(frames)
      world.after(delay, nil) { [unowned self] in
        guard sent == generation else { return }
        deliver(damaged, isRequest: isRequest)
      }
    }
  }

  private func deliver(_ frames: [[UInt8]], isRequest: Bool) {
    let receiver = isRequest ? world.server(at: address) : client
    guard let receiver, receiver.isAlive else { return }
    world.after(0, receiver) { [unowned self] in try receiver.receive(frames, over: self) }
  }

  private func damaging(_ frames: [[UInt8]]) -> [[UInt8]] {
    guard frames.count > 1, let last = frames.last, !last.isEmpty,
      Self.guarded.contains(where: { frames[0].starts(with: "{\"kind\":\"\($0)\"".utf8) }),
      world.strikes(oneIn: 40, "damaged")
    else { return frames }
    var frames = frames
    frames[frames.count - 1][world.random.below(last.count)] ^= 1 << UInt8(world.random.below(8))
    return frames
  }
}

extension World {
  static let replayAddress = "replay"

  func server(at address: String) -> Process? {
    if address == Self.replayAddress { return replay }
    return learners.first { $0.name == address }
  }
}
