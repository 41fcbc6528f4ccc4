// What the tests of this room share.

import Glibc
import Operations
import Testing

/// A folder of its own for one test, removed with it.
final class TemporaryFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/forage-test-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { try? Files.remove(path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }
}

/// No test waits longer for what should take milliseconds; a loaded machine of two cores has been
/// seen to take a second.
let patience = 20.0

/// The bytes of a pipe until its end, or until patience runs out.
func readToEnd(_ descriptor: Int32) throws -> String {
  let deadline = Deadline.after(seconds: patience)
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 4096)
  while true {
    try #require(!Descriptor.waitReadable([descriptor], deadline: deadline).isEmpty)
    let count = read(descriptor, &buffer, buffer.count)
    try #require(count >= 0)
    if count == 0 { return String(decoding: bytes, as: UTF8.self) }
    bytes += buffer[..<count]
  }
}

/// How many descriptors of another thread were closed under it while `body` ran. In a process of
/// its own, or it counts what other tests do.
func descriptorsStolen(while body: () throws -> Void) throws -> Int {
  let isDone = Monitor(false)
  let stolen = Monitor(0)
  let other = try WorkerThread(name: "opener") {
    while !isDone.withLock({ $0 }) {
      let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
      if close(descriptor) != 0 { stolen.withLock { $0 += 1 } }
    }
  }
  try body()
  isDone.withLock { $0 = true }
  _ = other.join(deadline: .after(seconds: patience))
  return stolen.withLock { $0 }
}
