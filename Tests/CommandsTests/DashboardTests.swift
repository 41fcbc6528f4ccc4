// The dashboard's pages over a socket, of runs of known content and of one that cannot be read.

import Commands
import Glibc
import HTTP
import Operations
import Testing

@Suite struct DashboardTests {
  let folder: TemporaryFolder
  let server: HTTPServer

  init() throws {
    folder = try TemporaryFolder()
    _ = try Samples.writeRun(to: "\(folder.path)/run-001")
    let site = try DashboardSite([folder.path])
    server = try HTTPServer(HTTPAddress("127.0.0.1:0")) { site.answer($0) }
  }

  /// The answer with its head; status 0 and no text where none came within a minute.
  private func ask(_ path: String) throws -> (status: Int, text: String) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_port = server.address.port.bigEndian
    inet_pton(AF_INET, server.address.host, &place.sin_addr)
    let result = withUnsafeBytes(of: &place) { bytes in
      connect(
        descriptor, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self),
        socklen_t(bytes.count))
    }
    guard result == 0 else { throw Failure.system("connect to", on: "\(server.address)") }
    let request = Array("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8)
    _ = send(descriptor, request, request.count, Int32(MSG_NOSIGNAL))
    var answer: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(descriptor, &part, part.count, 0)
      guard count > 0 else { break }
      answer += part.prefix(count)
    }
    let text = String(decoding: answer, as: UTF8.self)
    return (Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0, text)
  }

  @Test func `a run that cannot be read says why, beside those that can`() throws {
    let broken = try Samples.writeRun(to: "\(folder.path)/run-<b>")
    try Files.writeDurably(broken.settings, "run: [\n")
    let front = try ask("/")
    #expect(front.status == 200)
    #expect(front.text.contains("run-001</a></td><td>stopped</td>"), "\(front.text)")
    #expect(front.text.contains("<td colspan=\"5\">"), "\(front.text)")
    #expect(front.text.contains("run-&lt;b&gt;/settings.yaml"), "\(front.text)")
    #expect(!front.text.contains("run-<b>"))
    let compared = try ask("/compare?run=run-001&run=run-%3Cb%3E")
    #expect(compared.status == 200)
    #expect(compared.text.contains("<p>run-&lt;b&gt;: "), "\(compared.text)")
    #expect(compared.text.contains("<a href=\"/run/run-001\">run-001</a>"), "\(compared.text)")
    #expect(!compared.text.contains("run-<b>"))
  }

  @Test func `a number that no row of the ledger has is no page, and ends nothing`() throws {
    let most = Int.max
    for query in [
      "ticket=\(most)&sample=0&version=0", "ticket=0&sample=0&version=\(most)",
      "ticket=1048575&sample=0&version=8796093022207", "ticket=\(most)&sample=0",
      "ticket=3&sample=\(most)", "ticket=-1&sample=0", "ticket=7&sample=0&version=-1",
      "ticket=3&sample=1&version=x",
      // As a row's number it would be ticket 7 of version 1.
      "ticket=\(1 << 20 + 7)&sample=0&version=0",
    ] {
      #expect(try ask("/run/run-001/completion?\(query)").status == 404, "\(query)")
    }
    #expect(try ask("/run/run-001/completion?ticket=3&sample=1").status == 200)
    #expect(try ask("/run/run-001/completion?ticket=7&sample=0&version=1").status == 200)
  }
}
