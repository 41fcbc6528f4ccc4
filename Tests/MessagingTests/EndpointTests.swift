// What an address may be, and what each fault says.

import Glibc
import Messaging
import Testing

@Suite struct EndpointTests {
  private func bindError(_ endpoint: String, _ security: SocketSecurity = .none) throws
    -> MessagingError?
  {
    let context = try MessagingContext()
    let socket = try Socket(.router, in: context, security: security)
    do {
      try socket.bind(to: endpoint)
      return nil
    } catch {
      return error
    }
  }

  @Test func `a taken port says what was tried, what happened and what to do`() throws {
    let context = try MessagingContext()
    let first = try Socket(.router, in: context)
    let address = try first.bind(to: "tcp://127.0.0.1:*")
    let error = try bindError(address)
    #expect(
      error?.description == "bind to \(address) failed: address already in use (errno 98); "
        + "check that the port is free (ss -ltnp)")
  }

  @Test(arguments: [
    "tcp://*:0", "tcp://0.0.0.0:*", "tcp://127.0.0.1.evil.example:9", "tcp://[::]:*",
  ])
  func `an address others can reach needs keys or the flag that names the risk`(endpoint: String)
    throws
  {
    #expect(try bindError(endpoint)?.reason == .routableWithoutKeys)
  }

  @Test func `the flag that names the risk opens a routable address`() throws {
    #expect(try bindError("tcp://0.0.0.0:*", .noneOnAnyNetwork) == nil)
  }

  @Test(arguments: ["tcp://127.0.0.1:*", "tcp://localhost:*", "inproc://x"])
  func `loopback needs neither`(endpoint: String) throws {
    #expect(try bindError(endpoint) == nil)
  }

  @Test(arguments: [
    "", "http://x", "tcp://127.0.0.1", "tcp://127.0.0.1:http", "tcp://127.0.0.1:70000", "tcp://:1",
    "ipc://", "ipc:///tmp/" + String(repeating: "a", count: 200),
    "tcp://"
      + String(repeating: "a", count: 300) + ":1",
  ])
  func `what is no address is refused with the forms there are`(endpoint: String) throws {
    let error = try bindError(endpoint, .noneOnAnyNetwork)
    guard case .endpoint = error?.reason else {
      Issue.record("\(endpoint): \(String(describing: error))")
      return
    }
    #expect(error!.description.hasSuffix("write tcp://HOST:PORT, ipc://PATH or inproc://NAME"))
    #expect(error!.description.utf8.count < 500)
  }

  @Test func `a folder that is not there is named with its remedy`() throws {
    let error = try bindError("ipc:///nowhere/at/all")
    #expect(error?.reason == .system(errno: ENOENT))
    #expect(error?.description.contains("make the folder") == true)
  }
}
