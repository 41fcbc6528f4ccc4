// Standard output for people: text written whole, and what the terminal can show.

import CSystem
import Glibc

public enum Terminal {
  /// Writes text to standard output. A reader that left is not an error: there is nobody to tell.
  public static func write(_ text: String) { write(text, to: STDOUT_FILENO) }

  /// Writes a line to standard error.
  public static func complain(_ line: String) { write(line + "\n", to: STDERR_FILENO) }

  private static func write(_ text: String, to descriptor: Int32) {
    let bytes = Array(text.utf8)
    bytes.withUnsafeBytes { buffer in
      var rest = buffer[...]
      while !rest.isEmpty {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { return }
        rest = rest.dropFirst(count)
      }
    }
  }

  /// Columns of the terminal; 100 where there is none.
  public static var columns: Int { size?.columns ?? 100 }

  /// Rows of the terminal; 40 where there is none.
  public static var rows: Int { size?.rows ?? 40 }

  private static var size: (columns: Int, rows: Int)? {
    var columns: Int32 = 0
    var rows: Int32 = 0
    guard forage_terminal_size(STDOUT_FILENO, &columns, &rows) == 0, columns > 0, rows > 0 else {
      return nil
    }
    return (Int(columns), Int(rows))
  }

  /// Whether standard output is a terminal that understands cursor movement.
  public static var isInteractive: Bool {
    guard isatty(STDOUT_FILENO) == 1 else { return false }
    return Environment.value("TERM").map { $0 != "dumb" && !$0.isEmpty } ?? false
  }
}

extension Slice where Base == UnsafeRawBufferPointer {
  fileprivate var baseAddress: UnsafeRawPointer? {
    UnsafeRawBufferPointer(rebasing: self).baseAddress
  }
}
