// Looks for damage in a ledger's write-ahead log before SQLite opens it. At a frame that is not
// what its checksum says SQLite takes the log to end, as after a power cut within a commit, and
// drops what follows without a word: one flipped bit would take back acknowledged commits.
//
// A commit is on the disk before the next one begins (synchronous = FULL), so a power cut tears the
// last one at most. Two commits or more behind the first bad frame were whole once: that is damage.
// A log ends where the salts of its frames are no longer those of its header: what stands behind is
// of an earlier turn of the log, folded long ago.

import Glibc
import Operations

struct LogAudit {
  private static let magic: UInt32 = 0x377f_0682
  private static let headerBytes = 32
  private static let frameHeaderBytes = 24

  private let descriptor: Int32
  private let path: String
  private let pageBytes: Int
  private let isBigEndian: Bool
  /// Of the header, and where that is not what its checksum says, of the first frame.
  private var salt: [UInt8]?
  private var chain: (UInt32, UInt32)

  /// Throws where commits would be lost without a word; a log that is not there, or that a power
  /// cut tore, is none of its business.
  static func check(path: String, pageBytes: Int) throws(LedgerError) {
    guard let count = Files.byteCount(path), count > headerBytes else { return }
    do {
      let descriptor = try Descriptor.open(path, O_RDONLY, tried: "look through the log")
      defer { close(descriptor) }
      var audit = try LogAudit(descriptor, path: path, pageBytes: pageBytes)
      guard let (place, commits) = try audit.damage() else { return }
      throw LedgerError.damaged(
        path: path,
        problem: "\(commits) commits stand behind byte \(place), which is not what was written")
    } catch let error as LedgerError {
      throw error
    } catch {
      throw .damaged(path: path, problem: "\(error)")
    }
  }

  private init(_ descriptor: Int32, path: String, pageBytes usual: Int) throws {
    (self.descriptor, self.path) = (descriptor, path)
    let header = try Self.read(descriptor, Self.headerBytes, path)
    let magic = Self.word(header, 0)
    isBigEndian = magic & 1 == 1
    chain = Self.sum(header[..<24], from: (0, 0), isBigEndian: isBigEndian)
    let isWhole =
      magic & ~1 == Self.magic && chain == (Self.word(header, 24), Self.word(header, 28))
    salt = isWhole ? Array(header[16..<24]) : nil
    pageBytes = isWhole ? Int(Self.word(header, 8)) : usual
  }

  /// Where the first bad frame is, and how many commits follow it, where these are two or more.
  private mutating func damage() throws -> (place: Int, commits: Int)? {
    let size = Self.frameHeaderBytes + pageBytes
    guard pageBytes > 0, pageBytes <= 1 << 16 else { return nil }
    var start = Self.headerBytes
    var bad = salt == nil ? 0 : nil
    var commits = 0
    while true {
      let frame = try Self.read(descriptor, size, path)
      guard frame.count == size else { break }
      let salt = self.salt ?? Array(frame[8..<16])
      self.salt = salt
      let isOfThisTurn = frame[8..<16].elementsEqual(salt)
      if bad == nil, !(isOfThisTurn && follows(frame)) { bad = start }
      // The size of the database after the commit; 0 within one.
      if bad != nil, isOfThisTurn, Self.word(frame, 4) != 0 { commits += 1 }
      start += size
    }
    return bad.flatMap { commits > 1 ? ($0, commits) : nil }
  }

  /// Whether the frame is whole and continues the chain of checksums.
  private mutating func follows(_ frame: [UInt8]) -> Bool {
    let head = Self.sum(frame[..<8], from: chain, isBigEndian: isBigEndian)
    chain = Self.sum(frame[Self.frameHeaderBytes...], from: head, isBigEndian: isBigEndian)
    return chain == (Self.word(frame, 16), Self.word(frame, 20))
  }

  /// So many bytes, or what is left.
  private static func read(_ descriptor: Int32, _ count: Int, _ path: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      let more = try Descriptor.read(descriptor, count: count - bytes.count, path: path)
      if more.isEmpty { break }
      bytes += more
    }
    return bytes
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
