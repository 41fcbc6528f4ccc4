// A client of a few lines over a plain socket: it sends any bytes, and gives up after ten seconds.

import Foundation
import HTTP

/// One connection to a server.
final class RawClient {
  struct Reply {
    var status: Int
    var head: String
    var body: String
  }

  struct NoConnection: Error {}

  let descriptor: Int32
  private var isOpen = true

  init(_ address: HTTPAddress) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_port = address.port.bigEndian
    inet_pton(AF_INET, "127.0.0.1", &place.sin_addr)
    let result = withUnsafeBytes(of: &place) { bytes in
      connect(
        descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self),
        socklen_t(bytes.count))
    }
    guard result == 0 else { throw NoConnection() }
  }

  deinit { hangUp() }

  /// Once: the number may be another's by then, of whatever test runs beside this one.
  func hangUp() {
    if isOpen { close(descriptor) }
    isOpen = false
  }

  func send(_ text: String) {
    let bytes = Array(text.utf8)
    _ = Foundation.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
  }

  /// What arrives next; empty at the end.
  func receive() -> String {
    var bytes = [UInt8](repeating: 0, count: 65536)
    let count = recv(descriptor, &bytes, bytes.count, 0)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }

  /// Everything up to the end of the connection.
  func receiveAll() -> String {
    var text = ""
    while true {
      let part = receive()
      if part.isEmpty { return text }
      text += part
    }
  }

  /// Sends a request that closes the connection after its answer.
  func ask(
    _ method: String, _ path: String, headers: [String] = [], body: String = ""
  ) -> Reply {
    let lines =
      ["\(method) \(path) HTTP/1.1", "Host: x", "Connection: close"] + headers
      + (body.isEmpty ? [] : ["Content-Length: \(body.utf8.count)"])
    send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body)
    return Self.reply(receiveAll())
  }

  static func reply(_ text: String) -> Reply {
    let parts = text.components(separatedBy: "\r\n\r\n")
    let status = Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0
    return Reply(
      status: status, head: parts[0], body: parts.dropFirst().joined(separator: "\r\n\r\n"))
  }
}

func loopback() throws -> HTTPAddress { try HTTPAddress("127.0.0.1:0") }

/// Looks again every millisecond, for five seconds at most.
func eventually(_ condition: () -> Bool) -> Bool {
  for _ in 0..<5000 {
    if condition() { return true }
    usleep(1000)
  }
  return false
}
