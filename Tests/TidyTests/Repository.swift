// The repository as text, read once: every file a rule may look at, with its Swift also in a form
// where comments and strings are blank, so that a word in a sentence is no use of the word.

import Foundation

/// One text file.
struct SourceFile: Sendable {
  /// From the root of the repository.
  let path: String
  let lines: [Substring]
  /// The same lines without comments and without what stands in strings; Swift and C alone.
  let code: [Substring]
  private let bytes: [UInt8]

  init(path: String, text: String) {
    self.path = path
    bytes = Array(text.utf8)
    lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let isCode = [".swift", ".c", ".h"].contains { path.hasSuffix($0) }
    code =
      isCode
      ? CodeText.blanked(text).split(separator: "\n", omittingEmptySubsequences: false) : lines
  }

  /// Whether the text holds a word anywhere, comments and strings included.
  func contains(_ word: String) -> Bool { bytes.contains(word: word.utf8) }

  var isSwift: Bool { path.hasSuffix(".swift") }
  /// "Replay" of Sources/Replay/Ledger.swift; nil elsewhere.
  var room: String? {
    let parts = path.split(separator: "/")
    return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
  }
}

extension Collection where Element == UInt8 {
  /// Whether a word of bytes stands anywhere within.
  func contains(word: String.UTF8View) -> Bool {
    let word = Array(word)
    let found = withContiguousStorageIfAvailable { bytes -> Bool in
      var start = 0
      while bytes.count - start >= word.count {
        guard let first = memchr(bytes.baseAddress! + start, Int32(word[0]), bytes.count - start)
        else { return false }
        start = UnsafeRawPointer(first) - UnsafeRawPointer(bytes.baseAddress!)
        if bytes.count - start >= word.count, memcmp(first, word, word.count) == 0 { return true }
        start += 1
      }
      return false
    }
    guard let found else { preconditionFailure("text that is not stored as UTF-8") }
    return found
  }
}

/// All text files below the root, whoever made them, but for what is built or run.
enum Repository {
  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  /// Folders whose content is nobody's page: builds, runs, fixtures made by scripts.
  static let leftOut: Set<String> = [
    ".build", ".git", "runs", "__pycache__", "Fixtures", ".venv", ".swiftpm",
  ]

  static let extensions: Set<String> = [
    "swift", "c", "h", "py", "sh", "md", "yaml", "modulemap", "",
  ]

  static let files: [SourceFile] = {
    var files: [SourceFile] = []
    collect("", into: &files)
    return files
  }()

  private static func collect(_ folder: String, into files: inout [SourceFile]) {
    let url = folder.isEmpty ? root : root.appending(path: folder)
    let names = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    for name in names.sorted() where !leftOut.contains(name) {
      let path = folder.isEmpty ? name : "\(folder)/\(name)"
      let values = try? root.appending(path: path).resourceValues(forKeys: [.isDirectoryKey])
      if values?.isDirectory == true {
        collect(path, into: &files)
      } else if extensions.contains((name as NSString).pathExtension),
        let text = try? String(contentsOf: root.appending(path: path), encoding: .utf8)
      {
        files.append(SourceFile(path: path, text: text))
      }
    }
  }
}

/// Swift and C without their comments and strings.
enum CodeText {
  private enum State { case code, lineComment, blockComment, string, longString }

  /// Keeps every newline, so that lines keep their numbers. Interpolations are blanked with their
  /// strings: a rule that looks for a call misses one made within a string.
  static func blanked(_ text: String) -> String {
    let bytes = Array(text.utf8)
    var kept: [UInt8] = []
    kept.reserveCapacity(bytes.count)
    var state = State.code
    var index = 0
    func has(_ token: StaticString) -> Bool {
      // The first byte decides nearly always.
      guard bytes[index] == token.utf8Start.pointee else { return false }
      return token.withUTF8Buffer { bytes[index...].starts(with: $0) }
    }
    while index < bytes.count {
      var width = 1
      let before = state
      switch state {
      case .code:
        if has("//") {
          state = .lineComment
        } else if has("/*") {
          (state, width) = (.blockComment, 2)
        } else if has("\"\"\"") {
          (state, width) = (.longString, 3)
        } else if has("\"") {
          state = .string
        }
      case .lineComment:
        if has("\n") { state = .code }
      case .blockComment:
        if has("*/") { (state, width) = (.code, 2) }
      case .string:
        if has("\\") {
          width = 2
        } else if has("\"") || has("\n") {
          state = .code
        }
      case .longString:
        if has("\\") {
          width = 2
        } else if has("\"\"\"") {
          (state, width) = (.code, 3)
        }
      }
      let isNewline = bytes[index] == UInt8(ascii: "\n")
      if isNewline || (before == .code && state == .code) { kept.append(bytes[index]) }
      index += width
    }
    return String(decoding: kept, as: UTF8.self)
  }
}
