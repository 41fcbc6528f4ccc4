// Where a server listens: HOST:PORT. A host is an address or "localhost"; other names are not
// resolved, because what they mean could change by tomorrow.

import Glibc

/// An address to bind, taken apart.
public struct HTTPAddress: Sendable, Equatable, CustomStringConvertible {
  /// Without brackets: "127.0.0.1", "::1".
  public let host: String
  /// 0: one that is free.
  public let port: UInt16

  /// "127.0.0.1:8000", "[::1]:8000", "localhost:8000"; a port alone means 127.0.0.1.
  public init(_ text: String) throws(HTTPError) {
    func fault(_ problem: String) -> HTTPError {
      HTTPError(operation: "listen on", address: text, reason: .address(problem))
    }
    let colon = text.lastIndex(of: ":")
    let written = colon.map { String(text[..<$0]) } ?? ""
    let portText = colon.map { text[text.index(after: $0)...] } ?? text[...]
    guard let port = UInt16(portText) else { throw fault("\"\(portText)\" is no port") }
    self.port = port
    let isBracketed = written.hasPrefix("[") && written.hasSuffix("]")
    let bare = isBracketed ? String(written.dropFirst().dropLast()) : written
    host = bare.isEmpty || bare == "localhost" ? "127.0.0.1" : bare
    guard host.contains(":") == isBracketed else {
      throw fault("an IPv6 address stands in brackets")
    }
    guard bytes != nil else { throw fault("\"\(host)\" is no address") }
  }

  init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// Whether only this machine can reach it: 127.0.0.0/8 and ::1.
  public var isLoopback: Bool {
    guard let bytes else { return false }
    if bytes.count == 4 { return bytes[0] == 127 }
    return bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
  }

  /// 4 or 16 bytes in network order; nil when the host is no address.
  private var bytes: [UInt8]? {
    var four = in_addr()
    if inet_pton(AF_INET, host, &four) == 1 { return withUnsafeBytes(of: four) { Array($0) } }
    var six = in6_addr()
    if inet_pton(AF_INET6, host, &six) == 1 { return withUnsafeBytes(of: six) { Array($0) } }
    return nil
  }

  /// Throws when it cannot be bound now; binds nothing for longer.
  public func tryBinding() throws(HTTPError) { close(try bound(backlog: 1).descriptor) }

  /// A listening socket and the port it really has.
  func bound(backlog: Int) throws(HTTPError) -> (descriptor: Int32, port: UInt16) {
    let family = host.contains(":") ? AF_INET6 : AF_INET
    let descriptor = socket(
      family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Int32(IPPROTO_TCP))
    guard descriptor >= 0 else { throw failure() }
    // A server that is started again need not wait for the old one's connections to fade.
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    guard bindAndListen(descriptor, family: family, backlog: backlog) else {
      let error = failure()
      close(descriptor)
      throw error
    }
    return (descriptor, Self.port(of: descriptor))
  }

  private func bindAndListen(_ descriptor: Int32, family: Int32, backlog: Int) -> Bool {
    var result: Int32
    if family == AF_INET6 {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = port.bigEndian
      inet_pton(AF_INET6, host, &address.sin6_addr)
      result = Self.bind(descriptor, &address)
    } else {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      inet_pton(AF_INET, host, &address.sin_addr)
      result = Self.bind(descriptor, &address)
    }
    return result == 0 && listen(descriptor, Int32(backlog)) == 0
  }

  private static func bind<Address>(_ descriptor: Int32, _ address: inout Address) -> Int32 {
    withUnsafeBytes(of: &address) { bytes in
      Glibc.bind(
        descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self),
        socklen_t(bytes.count))
    }
  }

  /// Both families keep the port at the same place.
  private static func port(of descriptor: Int32) -> UInt16 {
    var address = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    _ = withUnsafeMutableBytes(of: &address) { bytes in
      getsockname(descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), &length)
    }
    return UInt16(bigEndian: address.sin6_port)
  }

  private func failure() -> HTTPError {
    HTTPError(operation: "listen on", address: description, reason: .system(errno: errno))
  }
}
