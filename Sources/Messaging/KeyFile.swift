// A key as one short text file that can be copied between machines:
//
//   # comment lines, and empty ones
//   forage-key: 1
//   name: actor-7
//   role: actor
//   public: 40 characters of Z85
//   secret: 40 characters of Z85     only in its owner's file, which is then of mode 0600
//   server: 40 characters of Z85     whom the owner of a client's key expects to answer
//
// A key file decides who gets in, so reading it is strict: a line that is not one of these, a key
// twice, a public half that is not the secret's, and a secret that others may read are refused.

import Glibc

/// What a key file says.
public struct KeyFile: Sendable {
  /// Five lines and some comments.
  public static let maximumBytes = 4096
  /// A name stands in logs, in `forage status` and in the file's own name.
  public static let maximumNameBytes = 64
  static let format = "1"

  public var name: String
  public var role: KeyRole
  public var publicKey: PublicKey
  /// Nil in a public file.
  public var secretKey: SecretKey?
  public var server: PublicKey?

  public init(
    name: String, role: KeyRole, publicKey: PublicKey, secretKey: SecretKey?, server: PublicKey?
  ) {
    self.name = name
    self.role = role
    self.publicKey = publicKey
    self.secretKey = secretKey
    self.server = server
  }

  /// Letters, digits, dots, hyphens and underscores, a letter or digit first: it names a file.
  public static func isName(_ text: String) -> Bool {
    func isPlain(_ byte: UInt8) -> Bool {
      UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte
        || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
    }
    guard let first = text.utf8.first, text.utf8.count <= maximumNameBytes else { return false }
    return isPlain(first) && text.utf8.allSatisfy { isPlain($0) || "._-".utf8.contains($0) }
  }

  // MARK: Reading

  /// Reads a file; one that holds a secret must be its owner's alone.
  public static func load(_ path: String) throws(MessagingError) -> KeyFile {
    var (bytes, mode) = try KeyText.read(path, maximumBytes: maximumBytes)
    defer { wipe(&bytes) }
    let file = try KeyFile(decoding: bytes, source: path)
    if file.secretKey != nil, mode & 0o077 != 0 {
      throw KeyText.fault(
        path, .permissions,
        "it holds a secret key, and its mode 0\(String(mode & 0o777, radix: 8)) lets others at it",
        "chmod 600 \(path)   (and make a new pair if others may have read it)")
    }
    return file
  }

  /// Reads a file's bytes; `source` names it in errors.
  public init(decoding bytes: [UInt8], source: String) throws(MessagingError) {
    var fields: [String: ArraySlice<UInt8>] = [:]
    for (number, line) in KeyText.lines(bytes) {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon + 1 < line.endIndex,
        line[colon + 1] == UInt8(ascii: " ")
      else {
        throw KeyText.fault(source, .content, "line \(number) is not \"KEY: VALUE\"")
      }
      let key = String(decoding: line[..<colon], as: UTF8.self)
      guard ["forage-key", "name", "role", "public", "secret", "server"].contains(key) else {
        // A line that is no field may be a secret gone astray: it is not quoted.
        throw KeyText.fault(source, .content, "line \(number) is of no kind that a key file has")
      }
      guard fields[key] == nil else {
        throw KeyText.fault(source, .content, "line \(number) gives \(key) a second time")
      }
      fields[key] = line[(colon + 2)...]
    }
    func text(_ key: String) throws(MessagingError) -> String {
      guard let value = fields[key] else {
        throw KeyText.fault(source, .content, "it has no line \"\(key): ...\"")
      }
      return String(decoding: value, as: UTF8.self)
    }
    func key(_ name: String) throws(MessagingError) -> PublicKey {
      guard let key = PublicKey(try text(name)) else {
        throw KeyText.fault(source, .content, "\(name) is not a key: 40 characters of Z85")
      }
      return key
    }
    guard try text("forage-key") == Self.format else {
      throw KeyText.fault(
        source, .content, "forage-key is not \(Self.format), the format known here")
    }
    name = try text("name")
    guard Self.isName(name) else {
      throw KeyText.fault(
        source, .content,
        "name is not 1 to \(Self.maximumNameBytes) letters, digits, dots, hyphens and underscores")
    }
    guard let role = KeyRole(rawValue: try text("role")) else {
      throw KeyText.fault(
        source, .content,
        "role is not one of \(KeyRole.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    self.role = role
    publicKey = try key("public")
    server = fields["server"] == nil ? nil : try key("server")
    secretKey = nil
    if let secret = fields["secret"] {
      guard let read = try SecretKey.reading(secret) else {
        throw KeyText.fault(source, .content, "secret is not a key: 40 characters of Z85")
      }
      guard try read.publicKey() == publicKey else {
        throw KeyText.fault(source, .content, "public and secret are not of one pair")
      }
      secretKey = read
    }
  }

  // MARK: Writing

  /// The file's bytes; with a secret in them, whoever calls wipes them.
  public func encoded(comment: String, withSecret: Bool) -> [UInt8] {
    var bytes = Array("# \(comment)\nforage-key: \(Self.format)\nname: \(name)\n".utf8)
    bytes.reserveCapacity(Self.maximumBytes)
    bytes += Array("role: \(role.rawValue)\npublic: \(publicKey)\n".utf8)
    if withSecret, let secretKey {
      bytes += Array("secret: ".utf8)
      secretKey.withText { bytes.append(contentsOf: $0) }
      bytes.append(UInt8(ascii: "\n"))
    }
    if let server { bytes += Array("server: \(server)\n".utf8) }
    return bytes
  }
}

/// What key files and allow-lists share: lines, and reading with a limit.
enum KeyText {
  static func fault(
    _ path: String, _ kind: MessagingError.KeyFault, _ happened: String,
    _ remedy: String = "make it anew with forage keys, or copy it again"
  ) -> MessagingError {
    MessagingError(
      operation: "read the keys", endpoint: path,
      reason: .keyFile(kind, happened: happened, remedy: remedy))
  }

  /// The lines that are neither empty nor comments, with their numbers from 1. Spaces at the end
  /// and a carriage return, which copying by hand brings, are not part of a line.
  static func lines(_ bytes: [UInt8]) -> [(number: Int, line: ArraySlice<UInt8>)] {
    var found: [(Int, ArraySlice<UInt8>)] = []
    let all = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, line) in all.enumerated() {
      var line = line
      while let last = line.last, [9, 13, 32].contains(last) { line.removeLast() }
      if line.isEmpty || line.first == UInt8(ascii: "#") { continue }
      found.append((index + 1, line))
    }
    return found
  }

  /// The bytes of a regular file and its mode, refused before allocation when too long.
  static func read(
    _ path: String, maximumBytes: Int
  ) throws(MessagingError) -> (bytes: [UInt8], mode: mode_t) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      let number = errno
      throw fault(
        path, number == ENOENT ? .missing : .permissions, "\(SystemError.text(number))",
        number == ENOENT
          ? "make it with forage keys make, or copy it from the host that did"
          : "check who may read it (ls -l)")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw fault(path, .content, "it is not a file", "name the key file itself")
    }
    guard status.st_size <= maximumBytes else {
      throw fault(
        path, .content, "it has \(status.st_size) bytes, and the limit is \(maximumBytes)")
    }
    var bytes = [UInt8](repeating: 0, count: maximumBytes + 1)
    var count = 0
    while count < bytes.count {
      let more = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress! + count, $0.count - count)
      }
      if more < 0 && errno == EINTR { continue }
      guard more >= 0 else {
        throw fault(path, .permissions, SystemError.text(errno), "check the disk and the path")
      }
      if more == 0 { break }
      count += more
    }
    defer { wipe(&bytes) }
    // It may have grown since it was looked at.
    guard count <= maximumBytes else {
      throw fault(path, .content, "it has more than \(maximumBytes) bytes, the limit")
    }
    return (Array(bytes[..<count]), status.st_mode)
  }
}
