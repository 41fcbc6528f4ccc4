// What an endpoint's text says before libzmq sees it: whether it can be used, and who can reach it.

/// An endpoint taken apart as far as Forage needs.
struct Endpoint {
  /// sun_path holds 108 bytes with its terminator.
  static let maximumPathBytes = 107
  static let maximumBytes = 256

  let isRoutable: Bool
  let isIPv6: Bool
  /// The text as `zmq_bind` takes it, which resolves no names.
  let bindable: String

  init(_ text: String, operation: String) throws(MessagingError) {
    func fault(_ problem: String) -> MessagingError {
      MessagingError(operation: operation, endpoint: text, reason: .endpoint(problem))
    }
    guard text.utf8.count <= Self.maximumBytes else {
      throw MessagingError(
        operation: operation, endpoint: String(text.prefix(40)) + "...",
        reason: .endpoint("\(text.utf8.count) bytes exceed \(Self.maximumBytes)"))
    }
    let named = "tcp://localhost:"
    bindable = text.hasPrefix(named) ? "tcp://127.0.0.1:" + text.dropFirst(named.count) : text
    if text.hasPrefix("ipc://") {
      let bytes = text.utf8.count - 6
      guard (1...Self.maximumPathBytes).contains(bytes) else {
        throw fault("a path of \(bytes) bytes, and the system takes 1 to \(Self.maximumPathBytes)")
      }
      (isRoutable, isIPv6) = (false, false)
    } else if text.hasPrefix("inproc://") {
      (isRoutable, isIPv6) = (false, false)
    } else if text.hasPrefix("tcp://") {
      let address = text.dropFirst(6)
      guard let colon = address.lastIndex(of: ":") else { throw fault("no port") }
      let port = address[address.index(after: colon)...]
      guard port == "*" || UInt16(port) != nil else {
        throw fault("\"\(port)\" is no port")
      }
      let host = address[..<colon]
      guard !host.isEmpty else { throw fault("no host") }
      isRoutable = !Self.isLoopback(host)
      isIPv6 = host.hasPrefix("[")
    } else {
      throw fault("no known transport")
    }
  }

  /// Names are not resolved: of them only "localhost" counts.
  private static func isLoopback(_ host: Substring) -> Bool {
    if host == "localhost" || host == "[::1]" || host == "lo" { return true }
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}
