// One blob on its way in, in pieces of one size that may arrive in any order and more than once.
//
// What has arrived stays through any number of broken connections: the blob is named by its digest,
// so a piece is the same whoever sends it. The digest of the whole is computed as pieces arrive,
// while the link brings the next ones, and checked at the end.

import Digests
import Experience
import Wire

package struct BlobAssembly: Sendable {
  /// Half of what the wire allows: on a link of 1 Mbit/s a piece takes 4 s, so that silence for
  /// longer means something (`Fetcher`).
  package static let pieceBytes = WireLimits.maximumChunkBytes / 2

  private enum Piece { case missing, asked, arrived }

  package let digest: Digest
  /// The most bytes the blob may have: checked before anything is allocated.
  package let maximumBytes: Int
  /// nil until the first piece says it.
  package private(set) var byteCount: Int?
  package private(set) var arrivedBytes = 0
  private var bytes: [UInt8] = []
  private var pieces: [Piece] = [.missing]
  private var askedCount = 0
  private var arrivedCount = 0
  /// Over the first `digestedCount` pieces; a digest takes bytes in their order.
  private var partial = PartialDigest()
  private var digestedCount = 0

  /// `byteCount` nil: the first piece tells.
  package init(digest: Digest, byteCount: Int?, maximumBytes: Int) {
    self.digest = digest
    self.maximumBytes = maximumBytes
    if let byteCount {
      precondition(
        0 <= byteCount && byteCount <= maximumBytes,
        "a blob of \(byteCount) bytes where \(maximumBytes) are allowed")
      allocate(byteCount)
    }
  }

  package var isComplete: Bool { arrivedCount == pieces.count }

  /// Pieces to ask for so that no more than `credit` are on their way.
  package mutating func nextRequests(credit: Int) -> [BlobRequest] {
    var requests: [BlobRequest] = []
    // Without the total there is one piece to ask for.
    for index in pieces.indices where pieces[index] == .missing {
      guard askedCount < credit else { break }
      pieces[index] = .asked
      askedCount += 1
      requests.append(
        .chunk(digest: digest, offset: index * Self.pieceBytes, count: pieceCount(at: index)))
    }
    return requests
  }

  /// What was asked for and has not come will not come: ask again.
  package mutating func forgetRequests() {
    for index in pieces.indices where pieces[index] == .asked { pieces[index] = .missing }
    askedCount = 0
  }

  /// Takes a piece; false when it is not one that fits (it is then as if it had not come).
  package mutating func accept(offset: Int, total: Int, _ piece: [UInt8]) -> Bool {
    guard total >= 0, total <= maximumBytes, byteCount == nil || byteCount == total else {
      return false
    }
    let index = offset / Self.pieceBytes
    guard offset >= 0, offset % Self.pieceBytes == 0, index < Self.pieceTotal(of: total),
      piece.count == min(Self.pieceBytes, total - offset)
    else { return false }
    if byteCount == nil {
      // Only piece 0 can have been asked for by now.
      let wasAsked = pieces[0]
      allocate(total)
      pieces[0] = wasAsked
    }
    if pieces[index] == .arrived { return true }
    if pieces[index] == .asked { askedCount -= 1 }
    pieces[index] = .arrived
    arrivedCount += 1
    bytes.replaceSubrange(offset..<offset + piece.count, with: piece)
    arrivedBytes += piece.count
    digestArrived()
    return true
  }

  private mutating func digestArrived() {
    while digestedCount < pieces.count, pieces[digestedCount] == .arrived {
      let start = digestedCount * Self.pieceBytes
      let end = start + pieceCount(at: digestedCount)
      bytes.withUnsafeBytes { partial.update(.init(rebasing: $0[start..<end])) }
      digestedCount += 1
    }
  }

  /// The whole blob, its digest checked; nil when the bytes are not what the digest says, and then
  /// all of it is to be fetched anew.
  package mutating func finish() -> [UInt8]? {
    precondition(isComplete, "\(arrivedBytes) bytes have arrived of \(byteCount ?? -1)")
    guard partial.digest == digest else {
      partial = PartialDigest()
      digestedCount = 0
      for index in pieces.indices { pieces[index] = .missing }
      arrivedBytes = 0
      arrivedCount = 0
      askedCount = 0
      return nil
    }
    let whole = bytes
    bytes = []
    return whole
  }

  private mutating func allocate(_ total: Int) {
    byteCount = total
    bytes = [UInt8](repeating: 0, count: total)
    pieces = [Piece](repeating: .missing, count: Self.pieceTotal(of: total))
  }

  private func pieceCount(at index: Int) -> Int {
    guard let byteCount else { return Self.pieceBytes }
    return min(Self.pieceBytes, byteCount - index * Self.pieceBytes)
  }

  /// An empty blob still has one piece, an empty one: something must say that it is there.
  private static func pieceTotal(of total: Int) -> Int {
    max(1, (total + pieceBytes - 1) / pieceBytes)
  }
}
