// Looks for damage in a ledger's write-ahead log before SQLite opens it. At a frame that is not
// what its checksum says SQLite takes the log to end, as after a power cut within a commit, and
// drops what follows without a word: one flipped bit would take back acknowledged commits.
//
// A commit is on the disk before the next one begins (synchronous = FULL), so a power cut tears the
// last one at most. Two commits or more behind the first bad frame were whole once: that is damage.
// A log ends where the salts of its frames are no longer those of its header: what stands behind is
// of an earlier turn of the log, folded long ago.

import Operations

struct LogAudit {
  private static let magic: UInt32 = 0x377f_0682
  private static let headerBytes = 32
  private static let frameHeaderBytes = 24
  /// What a log may have at most, and then some: one that is longer is nobody's of ours.
  private static let maximumBytes = 1 << 30

  private let bytes: [UInt8]
  private let pageBytes: Int
  private let isBigEndian: Bool
  /// Whether the header is what its checksum says.
  private let isHeaderWhole: Bool
  private var chain: (UInt32, UInt32)

  /// Throws where commits would be lost without a word; a log that is not there, or that a power
  /// cut tore, is none of its business.
  static func check(path: String, pageBytes: Int) throws(LedgerError) {
    guard let count = Files.byteCount(path), count > headerBytes else { return }
    guard let bytes = try? Files.read(path, maximumBytes: maximumBytes) else {
      throw .damaged(path: path, problem: "its \(count) bytes cannot be read")
    }
    var audit = LogAudit(bytes, pageBytes: pageBytes)
    guard let (place, commits) = audit.damage() else { return }
    throw .damaged(
      path: path,
      problem: "\(commits) commits stand behind byte \(place), which is not what was written")
  }

  private init(_ bytes: [UInt8], pageBytes usual: Int) {
    self.bytes = bytes
    let magic = Self.word(bytes, 0)
    isBigEndian = magic & 1 == 1
    chain = Self.sum(bytes[..<24], from: (0, 0), isBigEndian: isBigEndian)
    isHeaderWhole =
      magic & ~1 == Self.magic && chain == (Self.word(bytes, 24), Self.word(bytes, 28))
    pageBytes = isHeaderWhole ? Int(Self.word(bytes, 8)) : usual
  }

  /// Where the first bad frame is, and how many commits follow it, where these are two or more.
  private mutating func damage() -> (place: Int, commits: Int)? {
    let size = Self.frameHeaderBytes + pageBytes
    guard pageBytes > 0, bytes.count >= Self.headerBytes + size else { return nil }
    let salt = isHeaderWhole ? bytes[16..<24] : bytes[40..<48]
    var bad = isHeaderWhole ? nil : 0
    var commits = 0
    for start in stride(from: Self.headerBytes, through: bytes.count - size, by: size) {
      let isOfThisTurn = bytes[start + 8..<start + 16].elementsEqual(salt)
      if bad == nil, !(isOfThisTurn && follows(start)) { bad = start }
      // The size of the database after the commit; 0 within one.
      if bad != nil, isOfThisTurn, Self.word(bytes, start + 4) != 0 { commits += 1 }
    }
    return bad.flatMap { commits > 1 ? ($0, commits) : nil }
  }

  /// Whether the frame is whole and continues the chain of checksums.
  private mutating func follows(_ start: Int) -> Bool {
    let page = start + Self.frameHeaderBytes
    let head = Self.sum(bytes[start..<start + 8], from: chain, isBigEndian: isBigEndian)
    chain = Self.sum(bytes[page..<page + pageBytes], from: head, isBigEndian: isBigEndian)
    return chain == (Self.word(bytes, start + 16), Self.word(bytes, start + 20))
  }

  /// Big-endian, as all numbers of a log are.
  private static func word(_ bytes: [UInt8], _ place: Int) -> UInt32 {
    bytes[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// SQLite's checksum: two sums over pairs of words in the byte order that the header names.
  private static func sum(
    _ bytes: ArraySlice<UInt8>, from start: (UInt32, UInt32), isBigEndian: Bool
  ) -> (UInt32, UInt32) {
    bytes.withUnsafeBytes { raw in
      var (first, second) = start
      for place in stride(from: 0, to: raw.count, by: 8) {
        let left = raw.loadUnaligned(fromByteOffset: place, as: UInt32.self)
        let right = raw.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self)
        first &+= (isBigEndian ? left.bigEndian : left.littleEndian) &+ second
        second &+= (isBigEndian ? right.bigEndian : right.littleEndian) &+ first
      }
      return (first, second)
    }
  }
}
