// A head's keys in a folder of their own, a guarded socket that echoes, and a listener that hangs
// up.

import Glibc
import Messaging
import Testing

/// A folder with a server's pair and a list that lets in a learner, a looker and actor-7.
final class Head {
  let folder: KeyFolder
  private var list: [(line: String, name: String)] = []

  init() throws {
    var template = Array("/tmp/forage-keys-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Unready() }
    folder = KeyFolder(
      String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self))
    let server = try KeyPair.random()
    try write(file("server", .server, server, server: nil), "server")
    for (name, role) in [
      ("learner", KeyRole.learner), ("looker", .looker), ("actor", .actor), ("actor-7", .actor),
    ] {
      let pair = try KeyPair.random()
      try write(file(name, role, pair, server: server.publicKey), name)
      list.append(("\(role.rawValue) \(pair.publicKey) \(name)", name))
    }
    try rewriteList()
  }

  deinit {
    for name in ["server.key", "learner.key", "looker.key", "actor.key", "actor-7.key", "allowed"] {
      unlink("\(folder.path)/\(name)")
    }
    rmdir(folder.path)
  }

  private func file(
    _ name: String, _ role: KeyRole, _ pair: KeyPair, server: PublicKey?
  ) -> KeyFile {
    KeyFile(
      name: name, role: role, publicKey: pair.publicKey, secretKey: pair.secretKey, server: server)
  }

  private func write(_ file: KeyFile, _ name: String) throws {
    let text = String(decoding: file.encoded(comment: "a test's", withSecret: true), as: UTF8.self)
    try write("\(name).key", text, mode: 0o600)
  }

  /// Written aside and renamed, as `forage keys` does.
  func write(_ name: String, _ text: String, mode: mode_t) throws {
    let path = "\(folder.path)/\(name)"
    let descriptor = open("\(path).part", O_WRONLY | O_CREAT | O_TRUNC, mode)
    guard descriptor >= 0 else { throw Unready() }
    defer { close(descriptor) }
    let bytes = Array(text.utf8)
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count,
      rename("\(path).part", path) == 0
    else { throw Unready() }
  }

  func rewriteList(without name: String = "") throws {
    list.removeAll { $0.name == name }
    try write("allowed", list.map { $0.line + "\n" }.joined(), mode: 0o600)
  }

  func allow(_ name: String, _ role: KeyRole, _ key: PublicKey) throws {
    list.append(("\(role.rawValue) \(key) \(name)", name))
    try rewriteList()
  }

  func client(_ name: String, as role: KeyRole = .actor) throws -> ClientKeys {
    try ClientKeys.load(folder.secretPath(name), as: role)
  }

  func key(_ name: String) throws -> PublicKey {
    try KeyFile.load(folder.secretPath(name)).publicKey
  }

  func serverKey() throws -> PublicKey { try key("server") }
}

struct Unready: Error {}

/// A guarded router that echoes, served by whoever waits for something.
final class Gate {
  let address: String
  private(set) var keys: [PublicKey?] = []
  /// Whether the key of each message was one of the list's.
  private(set) var known: [Bool] = []
  private(set) var lines: [String] = []
  private let socket: Socket
  private let door: Door
  private let authenticator: Authenticator
  private let context: MessagingContext
  private let security: SocketSecurity

  init(_ head: Head, admitting roles: Set<KeyRole> = [.actor, .learner, .looker]) throws {
    context = try MessagingContext()
    security = try Protection.keys(head.folder).security(in: context, admitting: roles)
    guard case .server(let authenticator) = security else { throw Unready() }
    self.authenticator = authenticator
    socket = try Socket(.router, in: context, security: security)
    address = try socket.bind(to: "tcp://127.0.0.1:*")
    door = try Door(socket, strangers: authenticator.strangers)
  }

  /// Tries another door of the same service, as the weight server's second is.
  func openAnother() throws {
    let publisher = try Socket(.publisher, in: context, security: security)
    try publisher.bind(to: "tcp://127.0.0.1:*")
  }

  var counts: [Strangers.Reason: Int] { authenticator.strangers.counts }
  var turnedAway: Int { authenticator.strangers.total }

  func serve() throws {
    try authenticator.serve()
    try door.watch()
    lines += authenticator.takeLines()
    while let message = try socket.receiveSigned() {
      keys.append(message.key)
      known.append(authenticator.entry(of: message.key) != nil)
      _ = try socket.send(message.frames)
    }
  }

  /// Serves on this thread while `body` runs on another.
  @discardableResult
  func serving<Result: Sendable>(
    _ body: @escaping @Sendable () throws -> Result, meanwhile: () throws -> Void = {}
  ) throws -> Result {
    let box = Box<Swift.Result<Result, any Error>>()
    startThread { box.put(Swift.Result { try body() }) }
    let poller = Poller()
    poller.add(socket)
    poller.add(authenticator)
    for _ in 0..<40_000 {
      try serve()
      try meanwhile()
      if let result = box.value { return try result.get() }
      try poller.wait(timeoutMilliseconds: 1)
    }
    throw Unready()
  }

  func ask(under keys: ClientKeys) throws -> Frames {
    let address = address
    return try serving {
      let client = try DealerClient(
        to: address, peer: "replay", in: MessagingContext(), keys: keys)
      return try client.exchange([[7]], matching: { _ in true }, deadlineMilliseconds: 30_000)
    }
  }

  /// How a client under these keys is refused.
  func refusal(_ keys: ClientKeys?) throws -> MessagingError.Reason? {
    let address = address
    let reason: MessagingError.Reason? = try serving {
      do {
        let client = try DealerClient(
          to: address, peer: "replay", in: MessagingContext(), keys: keys)
        _ = try client.exchange([[1]], matching: { _ in true }, deadlineMilliseconds: 20_000)
        return nil
      } catch let error as MessagingError {
        return error.reason
      }
    }
    // What libzmq tells the server may come a moment later.
    for _ in 0..<50 {
      usleep(2_000)
      try serve()
    }
    return reason
  }
}

final class Box<Value>: @unchecked Sendable {
  private var held: Value?
  private var mutex = pthread_mutex_t()

  init() { pthread_mutex_init(&mutex, nil) }

  func put(_ value: Value) {
    pthread_mutex_lock(&mutex)
    held = value
    pthread_mutex_unlock(&mutex)
  }

  var value: Value? {
    pthread_mutex_lock(&mutex)
    defer { pthread_mutex_unlock(&mutex) }
    return held
  }
}

/// Takes every TCP connection, reads a little and drops it.
final class Hangup: @unchecked Sendable {
  let address: String
  private let listener: Int32
  private let count = Box<Int>()

  init() throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = listener
    let status = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, size) == 0 && listen(descriptor, 64) == 0
          && getsockname(descriptor, $0, &size) == 0
      }
    }
    guard status else { throw Unready() }
    address = "tcp://127.0.0.1:\(UInt16(bigEndian: name.sin_port))"
    let count = count
    startThread {
      var dropped = 0
      while true {
        let connection = accept(descriptor, nil, nil)
        guard connection >= 0 else { return }
        var bytes = [UInt8](repeating: 0, count: 10)
        _ = read(connection, &bytes, bytes.count)
        close(connection)
        dropped += 1
        count.put(dropped)
      }
    }
  }

  var dropped: Int { count.value ?? 0 }

  deinit { shutdown(listener, Int32(SHUT_RDWR)) }
}
