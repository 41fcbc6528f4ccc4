// The lines of a file or of standard input, one at a time, so that a file of any length is read in
// little memory and a pipe is answered as it is filled.

import Documents
import Glibc
import Operations

package final class LineReader {
  /// A sequence of a million tokens, written as JSON.
  package static let maximumLineBytes = 16 << 20
  private static let chunkBytes = 1 << 16

  /// "FILE", or "standard input".
  package let name: String
  /// Of the line last read, from 1.
  package private(set) var number = 0
  /// Whether the line last read had its newline: a line that was cut off has none.
  package private(set) var isEnded = true
  private let descriptor: Int32
  private var bytes: [UInt8] = []
  private var start = 0
  /// Bytes before this are known to hold no newline.
  private var searched = 0
  private var isAtEnd = false

  /// "-" is standard input.
  package init(path: String) throws(Failure) {
    name = path == "-" ? "standard input" : path
    guard path != "-" else {
      descriptor = STDIN_FILENO
      return
    }
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .system(
        "read", on: path, remedy: "check the path and its permissions", exitCode: .noInput)
    }
  }

  deinit { if descriptor > STDERR_FILENO { close(descriptor) } }

  /// The next line without its newline; nil at the end. What stands after the last newline is a
  /// line too, unless it is nothing.
  package func next() throws(Failure) -> [UInt8]? {
    while true {
      if let end = bytes[searched...].firstIndex(of: 0x0A) {
        defer { (start, searched) = (end + 1, end + 1) }
        number += 1
        return Array(bytes[start..<end])
      }
      searched = bytes.count
      if isAtEnd {
        guard start < bytes.count else { return nil }
        defer { start = bytes.count }
        number += 1
        isEnded = false
        return Array(bytes[start...])
      }
      guard bytes.count - start <= Self.maximumLineBytes else {
        number += 1
        throw bad("it is longer than \(Self.maximumLineBytes) bytes", remedy: "")
      }
      try fill()
    }
  }

  private func fill() throws(Failure) {
    bytes.removeFirst(start)
    searched -= start
    start = 0
    let old = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: Self.chunkBytes))
    let count = bytes.withUnsafeMutableBytes { buffer in
      while true {
        let count = read(descriptor, buffer.baseAddress! + old, Self.chunkBytes)
        if count < 0, errno == EINTR { continue }
        return count
      }
    }
    guard count >= 0 else { throw .system("read", on: name) }
    bytes.removeLast(Self.chunkBytes - count)
    isAtEnd = count == 0
  }

  /// The line last read as a JSON mapping.
  func fields(_ line: [UInt8]) throws -> Fields {
    guard !line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) else {
      throw bad("it is empty", remedy: "every line holds one JSON object")
    }
    do {
      let document = try JSON.parse(line, source: name, maximumByteCount: Self.maximumLineBytes)
      return try Fields(document, source: name)
    } catch {
      throw bad(error)
    }
  }

  /// What is wrong with the line last read.
  func bad(_ problem: String, remedy: String) -> Failure {
    Failure(
      "read line \(number) of", on: name, happened: problem, remedy: remedy, exitCode: .badInput)
  }

  func bad(_ error: DocumentError) -> Failure {
    let place = error.line > 0 ? "column \(error.column): " : ""
    return bad(place + error.problem, remedy: "")
  }
}
