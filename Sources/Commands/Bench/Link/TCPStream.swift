// Bare TCP, as the system gives it: what the messaging library's figures are held against.
//
// Blocking calls under the kernel's own timeouts: a measuring thread does one thing at a time, and
// a peer that says nothing for half a minute is gone.

import Glibc
import Operations

/// One connection; used by one thread at a time.
final class TCPStream {
  /// Silence after which the other end counts as gone.
  static let patienceSeconds = 30

  /// "tcp://host:port", in errors.
  let peer: String
  private let descriptor: Int32

  private init(descriptor: Int32, peer: String) {
    self.descriptor = descriptor
    self.peer = peer
    var patience = timeval(tv_sec: Self.patienceSeconds, tv_usec: 0)
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(
        descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
    }
    // A small message goes now, not with the next one: as libzmq sets it.
    var on: Int32 = 1
    setsockopt(
      descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  deinit { close(descriptor) }

  /// Connects within `seconds`.
  static func connect(to address: LinkAddress, seconds: Int) throws(Failure) -> TCPStream {
    let found = try address.resolved()
    defer { freeaddrinfo(found) }
    let descriptor = socket(
      found.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else {
      throw .system("make a socket for", on: address.text, exitCode: .unavailable)
    }
    // Linux bounds a blocking connect by the timeout of sending.
    var patience = timeval(tv_sec: seconds, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    guard Glibc.connect(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0 else {
      let code = errno == EINPROGRESS || errno == EAGAIN ? ETIMEDOUT : errno
      close(descriptor)
      throw .system(
        "connect to", on: address.text, code: code,
        remedy: "start the other end there (forage bench link --listen tcp://0.0.0.0:PORT), or name"
          + " a live run's replay or weights, and check that no firewall stands between",
        exitCode: .unavailable)
    }
    return TCPStream(descriptor: descriptor, peer: address.text)
  }

  /// What a listener took in.
  static func accepted(_ descriptor: Int32) -> TCPStream {
    TCPStream(descriptor: descriptor, peer: "the measuring end")
  }

  /// At least one byte, or 0 once the other end has finished.
  func read(_ memory: UnsafeMutableRawPointer, atMost count: Int) throws(Failure) -> Int {
    while true {
      let got = recv(descriptor, memory, count, 0)
      if got >= 0 { return got }
      if errno == EINTR { continue }
      throw lost("read from")
    }
  }

  func readAll(_ memory: UnsafeMutableRawPointer, count: Int) throws(Failure) {
    var done = 0
    while done < count {
      let got = try read(memory + done, atMost: count - done)
      guard got > 0 else {
        throw Failure(
          "read from", on: peer, happened: "it hung up after \(done) of \(count) bytes",
          remedy: "see what the other end said", exitCode: .unavailable)
      }
      done += got
    }
  }

  func write(_ memory: UnsafeRawPointer, count: Int) throws(Failure) {
    var done = 0
    while done < count {
      let got = send(descriptor, memory + done, count - done, Int32(MSG_NOSIGNAL))
      if got > 0 {
        done += got
      } else if errno != EINTR {
        throw lost("write to")
      }
    }
  }

  /// Says that nothing more comes; reading goes on.
  func finish() { shutdown(descriptor, Int32(SHUT_WR)) }

  private func lost(_ tried: String) -> Failure {
    let code = errno == EAGAIN ? ETIMEDOUT : errno
    return .system(
      tried, on: peer, code: code, remedy: "check that the other end still runs",
      exitCode: .unavailable)
  }

  // MARK: Lines

  /// Longer than any line the two ends say to each other.
  static let maximumLineBytes = 256

  func writeLine(_ text: String) throws {
    let bytes = Array("\(text)\n".utf8)
    try bytes.withUnsafeBytes { try write($0.baseAddress!, count: bytes.count) }
  }

  /// The words of a line; nil when the other end hung up before the first byte.
  func readLine() throws(Failure) -> [String]? {
    var bytes: [UInt8] = []
    while bytes.count < Self.maximumLineBytes {
      var byte: UInt8 = 0
      guard try read(&byte, atMost: 1) == 1 else { break }
      if byte == UInt8(ascii: "\n") {
        return String(decoding: bytes, as: UTF8.self).split(separator: " ").map(String.init)
      }
      bytes.append(byte)
      // What libzmq begins with: somebody else's protocol.
      if bytes.count == 1, byte == 0xFF { return ["\u{FFFD}"] }
    }
    if bytes.isEmpty { return nil }
    throw Failure(
      "read a line from", on: peer, happened: "it said what no end of this benchmark says",
      remedy: "check the address: the other end is forage bench link --listen, replay or weights",
      exitCode: .badInput)
  }
}

/// A host and a port, as `tcp://host:port` says them.
struct LinkAddress {
  let text: String
  let host: String
  let port: Int

  /// Nil for what is no such text.
  init?(_ text: String) {
    guard let host = Endpoints.host(of: text), !host.isEmpty,
      let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...])
    else { return nil }
    self.text = text
    self.host = host == "*" ? "0.0.0.0" : host
    self.port = Int(port)
  }

  /// The same host's other port, as libzmq takes it.
  func endpoint(port: Int) -> String {
    host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
  }

  /// The caller frees it.
  func resolved() throws(Failure) -> UnsafeMutablePointer<addrinfo> {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let result = getaddrinfo(host, String(port), &hints, &found)
    guard result == 0, let found else {
      throw Failure(
        "find", on: text, happened: String(cString: gai_strerror(result)),
        remedy: "check the name, or give the address in numbers", exitCode: .unavailable)
    }
    return found
  }
}

/// A listening socket.
final class TCPListener {
  private static let backlog: Int32 = 64

  let fileDescriptor: Int32
  let port: Int

  /// Port 0 takes a free one.
  init(_ address: LinkAddress) throws(Failure) {
    let found = try address.resolved()
    defer { freeaddrinfo(found) }
    let made = socket(
      found.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard made >= 0 else {
      throw .system("make a socket for", on: address.text, exitCode: .unavailable)
    }
    var on: Int32 = 1
    setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    guard bind(made, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0,
      listen(made, Self.backlog) == 0
    else {
      let code = errno
      close(made)
      throw .system(
        "listen on", on: address.text, code: code,
        remedy: "take an address of this host and a free port (ip address, ss -ltnp)",
        exitCode: code == EADDRINUSE ? .portTaken : .unavailable)
    }
    fileDescriptor = made
    port = Self.port(of: made)
  }

  deinit { close(fileDescriptor) }

  /// The next connection, if one has come.
  func accept() -> TCPStream? {
    let descriptor = Glibc.accept(fileDescriptor, nil, nil)
    guard descriptor >= 0, Descriptor.setCloseOnExec(descriptor) else { return nil }
    return .accepted(descriptor)
  }

  private static func port(of descriptor: Int32) -> Int {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let port = withUnsafeMutablePointer(to: &storage) { pointer -> UInt16 in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = getsockname(descriptor, $0, &length)
      }
      // The port stands at the same place for both families.
      return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_port }
    }
    return Int(UInt16(bigEndian: port))
  }
}
