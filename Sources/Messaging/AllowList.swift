// Who may come in: one line a key, `ROLE PUBLIC NAME`, comments and empty lines between. The role
// stands here and nowhere else: what a peer says of itself decides nothing.

import Glibc

/// The keys that a run's services let in, each bound to a role and a name.
public struct AllowList: Sendable, Equatable {
  /// 8192 lines of at most 128 bytes.
  public static let maximumBytes = 1 << 20
  public static let maximumEntries = 8192

  public struct Entry: Sendable, Equatable {
    public var key: PublicKey
    public var role: KeyRole
    public var name: String

    public init(key: PublicKey, role: KeyRole, name: String) {
      self.key = key
      self.role = role
      self.name = name
    }
  }

  /// In the file's order.
  public private(set) var entries: [Entry] = []
  private var byKey: [PublicKey: Int] = [:]
  private var names: Set<String> = []

  public init() {}

  public subscript(key: PublicKey) -> Entry? { byKey[key].map { entries[$0] } }

  public func contains(name: String) -> Bool { names.contains(name) }

  public static func load(_ path: String) throws(MessagingError) -> AllowList {
    let (bytes, mode) = try KeyText.read(path, maximumBytes: maximumBytes)
    // Whoever may write it may let anybody in.
    guard mode & 0o022 == 0 else {
      throw KeyText.fault(
        path, .permissions,
        "its mode 0\(String(mode & 0o777, radix: 8)) lets others write to it", "chmod 600 \(path)")
    }
    return try AllowList(decoding: bytes, source: path)
  }

  public init(decoding bytes: [UInt8], source: String) throws(MessagingError) {
    for (number, line) in KeyText.lines(bytes) {
      let words = line.split(separator: UInt8(ascii: " ")).map {
        String(decoding: $0, as: UTF8.self)
      }
      guard words.count == 3, let role = KeyRole(rawValue: words[0]), let key = PublicKey(words[1]),
        KeyFile.isName(words[2])
      else {
        throw KeyText.fault(
          source, .content, "line \(number) is not \"ROLE PUBLIC NAME\"",
          "write it as forage keys allow does, for example: actor 40-CHARACTERS actor-7")
      }
      do {
        try add(Entry(key: key, role: role, name: words[2]))
      } catch {
        throw KeyText.fault(
          source, .content, "line \(number): \(error.sentence)", "keep one of the lines")
      }
    }
  }

  /// What keeps an entry out.
  public struct Conflict: Error { public let sentence: String }

  public mutating func add(_ entry: Entry) throws(Conflict) {
    guard entries.count < Self.maximumEntries else {
      throw Conflict(sentence: "\(Self.maximumEntries) keys are the most a list may hold")
    }
    if let known = self[entry.key] {
      throw Conflict(sentence: "the key of \(entry.name) is there already, as \(known.name)")
    }
    guard names.insert(entry.name).inserted else {
      throw Conflict(sentence: "\(entry.name) is there already, with another key")
    }
    byKey[entry.key] = entries.count
    entries.append(entry)
  }

  public func line(_ entry: Entry) -> String { "\(entry.role.rawValue) \(entry.key) \(entry.name)" }
}

/// Where a head's keys lie: NAME.key with its secret, NAME.pub without, and the list of the
/// allowed.
public struct KeyFolder: Sendable, Equatable {
  /// The pairs every head has: of its services, its learner, its own actors, and whoever looks.
  public static let ownNames: [(name: String, role: KeyRole)] = [
    ("server", .server), ("learner", .learner), ("actor", .actor), ("looker", .looker),
  ]

  public let path: String

  public init(_ path: String) { self.path = path }

  public var allowList: String { "\(path)/allowed" }
  public func secretPath(_ name: String) -> String { "\(path)/\(name).key" }
  public func publicPath(_ name: String) -> String { "\(path)/\(name).pub" }

  /// The pair of the run's services.
  public func server() throws(MessagingError) -> KeyPair {
    let path = secretPath("server")
    let file = try KeyFile.load(path)
    guard file.role == .server else {
      throw KeyText.fault(path, .content, "its role is \(file.role.rawValue), not server")
    }
    guard let secret = file.secretKey else {
      throw KeyText.fault(path, .content, "it holds no secret")
    }
    return KeyPair(publicKey: file.publicKey, secretKey: secret)
  }

  /// The keys that one of the head's own processes connects with.
  public func client(_ role: KeyRole) throws(MessagingError) -> ClientKeys {
    let file = try KeyFile.load(secretPath(role.rawValue))
    return try ClientKeys(file, source: secretPath(role.rawValue), as: role)
  }
}
