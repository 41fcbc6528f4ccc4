// A file of completions that can be cut off anywhere and continued: one line each, in the order of
// the prompts, all samples of a prompt together.
//
// What it was made with stands beside it, in FILE.made.json: a file is continued only by the same
// weights and settings, and only while its prompts are the input's. A torn last line, and a prompt
// that lacks some of its samples, are taken off and made again, which gives the same lines.

import Documents
import Glibc
import Operations

package final class CompletionFile {
  /// How often it says how far it is.
  private static let reportSeconds = 5.0

  private let path: String
  private let samples: Int
  private let descriptor: Int32
  /// Lines that were there.
  private let old: LineReader
  /// Bytes of old lines whose prompts are whole.
  private var keptBytes = 0
  private var isPastOld = false
  private var doneCount = 0
  private var newCount = 0
  private var newTokens = 0
  private let begun = MonotonicClock.now
  private var reported = MonotonicClock.now

  /// Opens or makes the file; throws when another process writes it, or it was made otherwise.
  package init(path: String, maker: Document, samples: Int) throws {
    self.path = path
    self.samples = samples
    descriptor = try Descriptor.open(path, O_RDWR | O_CREAT)
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw Failure(
        "write", on: path, happened: "another process is writing it",
        remedy: "wait for it, or name another file", exitCode: .locked)
    }
    do throws(Failure) {
      old = try LineReader(path: path)
    } catch {
      // A deinit runs only of what was made whole.
      close(descriptor)
      throw error
    }
    try Self.compare(maker, path: path, isEmpty: Self.byteCount(descriptor) == 0)
  }

  deinit { close(descriptor) }

  private static func byteCount(_ descriptor: Int32) -> Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
  }

  private static func compare(_ maker: Document, path: String, isEmpty: Bool) throws {
    let beside = path + ".made.json"
    guard !isEmpty else {
      return try Files.writeDurably(beside, JSON.write(maker, pretty: true) + "\n")
    }
    let made = try? JSON.parse(Files.read(beside, maximumBytes: 4096), source: beside)
    guard made == maker else {
      throw Failure(
        "continue", on: path,
        happened: made == nil
          ? "it holds lines, and \(beside), which would say what made them, cannot be read"
          : "it was made with other weights or settings (\(beside))",
        remedy: "name another file, or remove this one", exitCode: .badInput)
    }
  }

  /// Completes what is missing; `input` is the file's name, for the count of its lines.
  package func fill(from lines: LineReader, input: String, _ sampler: PromptSampler) throws {
    let total = Self.lineCount(input)
    try sampler.answer(
      lines, isDone: { try self.isDone($0, lines) },
      write: { answer in
        try self.add(answer, sampler)
        self.report(total)
      })
    if !isPastOld {
      guard try old.next() == nil || !old.isEnded else {
        throw Failure(
          "continue", on: path, happened: "it has more lines than \(lines.name) asks for",
          remedy: "name another file, or the input it was made from", exitCode: .badInput)
      }
      try endOld()
    }
    guard fsync(descriptor) == 0 else { throw Failure.system("write", on: path) }
    Terminal.complain("\(doneCount) prompts, \(newCount) of them now: \(path)")
  }

  /// Whether the file holds every sample of the next prompt.
  private func isDone(_ prompt: PromptLine, _ lines: LineReader) throws -> Bool {
    if isPastOld { return false }
    var bytes = 0
    for _ in 0..<samples {
      guard let line = try old.next(), old.isEnded else {
        try endOld()
        return false
      }
      bytes += line.count + 1
      let document = try? JSON.parse(
        line, source: path, maximumByteCount: LineReader.maximumLineBytes)
      guard document?["prompt"] == .string(prompt.shown) else {
        throw Failure(
          "continue", on: path,
          happened: "its line \(old.number) is not of the prompt in line \(lines.number) of "
            + lines.name,
          remedy: "name another file, or the input it was made from", exitCode: .badInput)
      }
    }
    keptBytes += bytes
    doneCount += 1
    return true
  }

  /// From here on lines are new: what stands after the last whole prompt goes.
  private func endOld() throws {
    isPastOld = true
    while try old.next() != nil {}
    guard ftruncate(descriptor, off_t(keptBytes)) == 0,
      lseek(descriptor, off_t(keptBytes), SEEK_SET) >= 0
    else { throw Failure.system("cut", on: path) }
    if doneCount > 0 { Terminal.complain("\(path) holds \(doneCount) prompts: going on") }
  }

  private func add(_ answer: Answer, _ sampler: PromptSampler) throws {
    var block = ""
    for sample in answer.completions.indices {
      block += sampler.gradeLine(answer, sample: sample)
      newTokens += answer.completions[sample].tokens.count
    }
    try Descriptor.writeAll(descriptor, Array(block.utf8), path: path)
    doneCount += 1
    newCount += 1
  }

  private func report(_ total: Int?) {
    guard MonotonicClock.seconds(since: reported) >= Self.reportSeconds else { return }
    reported = MonotonicClock.now
    let seconds = MonotonicClock.seconds(since: begun)
    var text = "\(doneCount)" + (total.map { " of \($0)" } ?? "") + " prompts, "
    text += "\(Int(Double(newTokens) / seconds)) tokens/s"
    if let total, total > doneCount, newCount > 0 {
      text += ", \(Int(seconds / Double(newCount) * Double(total - doneCount))) s left"
    }
    Terminal.complain(text)
  }

  /// Nil for what cannot be read twice.
  private static func lineCount(_ input: String) -> Int? {
    var status = stat()
    guard stat(input, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      let lines = try? LineReader(path: input)
    else { return nil }
    while let line = try? lines.next() { _ = line }
    return lines.number
  }
}
