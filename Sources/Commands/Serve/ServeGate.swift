// Before the paths: who may ask, and that nothing is answered while the model is still read.

import Glibc
import HTTP
import Operations
import Synchronization

final class ServeGate: Sendable {
  private let token: [UInt8]?
  private let api = Mutex<ServeAPI?>(nil)

  /// `token` nil: everybody may ask.
  init(token: String?) { self.token = token.map { Array($0.utf8) } }

  func open(_ ready: ServeAPI) { api.withLock { $0 = ready } }

  func answer(_ request: HTTPRequest) -> HTTPResponse {
    let isOpen = ServeAPI.isOpen(request.path)
    guard isOpen || isAllowed(request) else {
      return APIError(
        status: 401, message: "this server wants a token: Authorization: Bearer TOKEN",
        parameter: nil, code: "invalid_api_key"
      ).response
    }
    guard let api = api.withLock({ $0 }) else {
      if request.path == ServeAPI.health { return .text("alive\n") }
      if isOpen { return .text("the model is being read\n", status: 503) }
      return APIError(
        status: 503, message: "the model is still being read", parameter: nil, code: "loading"
      ).response
    }
    return api.answer(request)
  }

  private func isAllowed(_ request: HTTPRequest) -> Bool {
    guard let token else { return true }
    guard let header = request.header("Authorization") else { return false }
    let words = header.split(separator: " ", maxSplits: 1)
    guard words.count == 2, words[0].lowercased() == "bearer" else { return false }
    let given = Array(words[1].utf8)
    // Every byte is looked at, so that the time tells nothing of where they differ.
    var difference = given.count ^ token.count
    for (index, byte) in given.enumerated() where !token.isEmpty {
      difference |= Int(byte ^ token[index % token.count])
    }
    return difference == 0
  }

  /// The first line of a file that only its owner can read.
  static func readToken(_ path: String) throws(Failure) -> String {
    var status = stat()
    guard stat(path, &status) != 0 || status.st_mode & 0o077 == 0 else {
      throw Failure(
        "read the token", on: path, happened: "others can read the file",
        remedy: "chmod 600 \(path), and take a new token", exitCode: .forbidden)
    }
    let text = try Files.readText(path, maximumBytes: ServeLimits.tokenFileBytes)
    let token = String(text.prefix { !$0.isNewline })
    let isPlain = token.utf8.allSatisfy { 0x21...0x7E ~= $0 }
    guard token.utf8.count >= 16, isPlain else {
      throw Failure(
        "read the token", on: path,
        happened: "its first line is no token of at least 16 printable characters without a space",
        remedy: "make one: head -c 24 /dev/urandom | base64 > \(path)", exitCode: .badInput)
    }
    return token
  }
}
