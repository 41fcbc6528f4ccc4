// GSM8K's own training solutions under the GSM8K verifier. The file lies beside the checkout, in
// ../shared/data; a machine without it skips these tests and says so.

import Documents
import Glibc
import Tasks
import Testing

enum GSM8K {
  static let path = {
    let name = "shared/data/gsm8k/train.jsonl"
    var folder = Array(#filePath.split(separator: "/").dropLast(3))
    // Beside the checkout, or beside the folder of a worktree.
    for _ in 0..<3 where !folder.isEmpty {
      folder.removeLast()
      let path = "/" + (folder.joined(separator: "/") + "/" + name)
      if access(path, R_OK) == 0 { return path }
    }
    return ""
  }()

  static func lines() throws -> [(question: String, answer: String)] {
    guard let file = fopen(path, "r") else { return [] }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      if count == 0 { break }
      bytes += chunk[..<count]
    }
    var found: [(String, String)] = []
    for line in bytes.split(separator: 0x0A) {
      let fields = try Fields(JSON.parse(Array(line), source: path), source: path)
      found.append(
        (
          try fields.string("question", maximumLength: 1 << 20),
          try fields.string("answer", maximumLength: 1 << 20)
        ))
    }
    return found
  }
}

@Suite(
  .enabled(if: !GSM8K.path.isEmpty, "shared/data/gsm8k/train.jsonl is not beside the checkout"))
struct GSM8KTests {
  @Test func `every gold solution is right by its own verifier, and its neighbor is wrong`() throws
  {
    let verifier = Judge(GSM8KVerifier())
    let lines = try GSM8K.lines()
    var agreed = 0
    for (_, answer) in lines {
      let verdict = verifier.judge(Submission(completion: answer, answer: answer))
      if verdict.isStrictlyCorrect, verdict.isLenientlyCorrect, verdict.reward == 1 {
        agreed += 1
      } else {
        Issue.record("\(answer.suffix(20).debugDescription): \(verdict.reason)")
      }
      // One digit more, a sign, another mark: never right.
      for wrong in [answer + "1", answer.replacing("#### ", with: "#### 1"), answer + " or 3"] {
        let verdict = verifier.judge(Submission(completion: wrong, answer: answer))
        if verdict.isStrictlyCorrect { Issue.record("\(wrong.suffix(20).debugDescription) scores") }
      }
    }
    #expect(agreed == 7473)
    #expect(lines.count == 7473)
  }
}
