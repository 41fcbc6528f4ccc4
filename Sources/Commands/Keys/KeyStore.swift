// The folder of keys as `forage keys` keeps it: what it makes is never made over, what it changes
// is replaced whole, so that a run that reads the list finds the old one or the new one.

import Glibc
import Messaging
import Operations

struct KeyStore {
  /// A pair a file: as many as the list may hold, their public files, and the list.
  static let maximumFiles = 3 * AllowList.maximumEntries

  let folder: KeyFolder

  static var defaultFolder: String {
    let base =
      Environment.value("XDG_CONFIG_HOME").flatMap { $0.hasPrefix("/") ? $0 : nil }
      ?? "\(Environment.value("HOME") ?? ".")/.config"
    return "\(base)/forage/keys"
  }

  init(opening path: String) throws(Failure) {
    guard Files.isFolder(path) else {
      throw Failure(
        "open the keys", on: path, happened: "there is no such folder",
        remedy: "make the first ones: forage keys make", exitCode: .noInput)
    }
    try Self.checkPrivate(path)
    folder = KeyFolder(path)
  }

  init(making path: String) throws(Failure) {
    if !Files.isFolder(path) {
      try Files.makeFolder(Files.folder(of: path))
      try Files.makePrivateFolder(path)
    }
    try Self.checkPrivate(path)
    folder = KeyFolder(path)
  }

  /// Whoever could write in the folder could put a key of their own in the list's place.
  private static func checkPrivate(_ path: String) throws(Failure) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw .system("look at", on: path, exitCode: .noInput) }
    guard status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
      throw Failure(
        "use the keys", on: path,
        happened: "the folder's mode is 0\(String(status.st_mode & 0o777, radix: 8)) and its owner "
          + "user \(status.st_uid): others can enter it",
        remedy: "chmod 700 \(path)   (as its owner)", exitCode: .forbidden)
    }
  }

  // MARK: Making

  /// Makes those of the head's own pairs that are missing and lets the clients in; their names.
  func makeOwn() throws -> [String] {
    var made: [String] = []
    for (name, role) in KeyFolder.ownNames where !Files.exists(folder.secretPath(name)) {
      let server = role == .server ? nil : try folder.server().publicKey
      try make(name, role, server: server)
      if role != .server { try allow(try KeyFile.load(folder.publicPath(name))) }
      made.append(name)
    }
    return made
  }

  /// A new pair in two files.
  func make(_ name: String, _ role: KeyRole, server: PublicKey?) throws {
    for path in [folder.secretPath(name), folder.publicPath(name)] where Files.exists(path) {
      throw Failure(
        "make the key", on: path, happened: "it is there already",
        remedy: "take another name, or withdraw and remove it first: forage keys withdraw \(name)",
        exitCode: .cannotCreate)
    }
    let pair = try KeyPair.random()
    let file = KeyFile(
      name: name, role: role, publicKey: pair.publicKey, secretKey: pair.secretKey, server: server)
    var secret = file.encoded(
      comment: "The secret key of \(name): whoever reads it is \(name). Mode 0600.",
      withSecret: true)
    defer { wipe(&secret) }
    try Files.writeDurably(folder.secretPath(name), secret, mode: 0o600)
    try Files.writeDurably(
      folder.publicPath(name),
      file.encoded(comment: "The public key of \(name).", withSecret: false), mode: 0o644)
  }

  // MARK: The list

  func allowed() throws -> AllowList {
    Files.exists(folder.allowList) ? try AllowList.load(folder.allowList) : AllowList()
  }

  func allow(_ file: KeyFile) throws {
    guard file.role != .server else {
      throw Failure(
        "let in", on: file.name, happened: "a server's key is one that others connect to",
        remedy: "name the .pub file of an actor, a learner or a looker", exitCode: .badInput)
    }
    var list = try allowed()
    let entry = AllowList.Entry(key: file.publicKey, role: file.role, name: file.name)
    do {
      try list.add(entry)
    } catch {
      throw Failure(
        "let in", on: file.name, happened: error.sentence,
        remedy: "forage keys list shows who is there; forage keys withdraw takes a name out",
        exitCode: .badInput)
    }
    try write(try text() + list.line(entry) + "\n")
  }

  func withdraw(_ name: String) throws {
    guard try allowed().contains(name: name) else {
      throw Failure(
        "withdraw", on: name, happened: "\(folder.allowList) does not let it in",
        remedy: "forage keys list shows who is there", exitCode: .noInput)
    }
    // By bytes, with what the list's reader takes for the end of a line: "\r\n" is one character.
    let ends: Set<UInt8> = [9, 13, 32]
    let lines = Array(try text().utf8).split(separator: 0x0A, omittingEmptySubsequences: false)
    let kept = lines.filter { line in
      guard line.first != UInt8(ascii: "#") else { return true }
      let words = line.split { ends.contains($0) }
      return words.last.map { !$0.elementsEqual(name.utf8) } ?? true
    }
    try write(String(decoding: Array(kept.joined(separator: [0x0A])), as: UTF8.self))
    guard try !allowed().contains(name: name) else {
      throw Failure(
        "withdraw", on: name, happened: "\(folder.allowList) still lets it in",
        remedy: "take its line out by hand", exitCode: .badInput)
    }
  }

  private func text() throws -> String {
    guard Files.exists(folder.allowList) else {
      return "# Who may come in: ROLE PUBLIC-KEY NAME. A run reads it again when it changes.\n"
    }
    let text = try Files.readText(folder.allowList, maximumBytes: AllowList.maximumBytes)
    return text.isEmpty || text.hasSuffix("\n") ? text : text + "\n"
  }

  private func write(_ text: String) throws {
    guard text.utf8.count <= AllowList.maximumBytes else {
      throw Failure(
        "write", on: folder.allowList,
        happened: "it would have more than \(AllowList.maximumBytes) bytes",
        remedy: "withdraw keys that are not used", exitCode: .badInput)
    }
    try Files.writeDurably(folder.allowList, text, mode: 0o600)
  }

  // MARK: Looking

  /// What of a name's pair lies here.
  func holding(_ name: String) -> String {
    if Files.exists(folder.secretPath(name)) { return "its secret" }
    return Files.exists(folder.publicPath(name)) ? "its public half" : "nothing"
  }

  /// Reads every file, and dials in as a run's services do before they serve; how many are let in.
  func check() throws -> Int {
    let names = try Files.list(folder.path)
    guard names.count <= Self.maximumFiles else {
      throw Failure(
        "check", on: folder.path, happened: "\(names.count) files, at most \(Self.maximumFiles)",
        remedy: "name a folder that forage keys made", exitCode: .badInput)
    }
    for name in names where name.hasSuffix(".key") || name.hasSuffix(".pub") {
      _ = try KeyFile.load("\(folder.path)/\(name)")
    }
    for (_, role) in KeyFolder.ownNames where role != .server {
      let keys = try folder.client(role)
      guard try allowed()[keys.pair.publicKey]?.role == role else {
        throw Failure(
          "check", on: folder.allowList,
          happened: "it does not let \(keys.name) in as \(role.rawValue)",
          remedy: "forage keys allow \(folder.publicPath(keys.name))", exitCode: .forbidden)
      }
    }
    let context = try MessagingContext()
    let security = try Protection.keys(folder).security(
      in: context, admitting: [.actor, .learner, .looker])
    let socket = try Socket(.router, in: context, security: security)
    try socket.bind(to: "tcp://127.0.0.1:*")
    return try allowed().entries.count
  }
}
