// The lines of a task's file: one JSON object each, with a question and an answer under names that
// data sets in use have.
//
//   {"question": "...", "answer": "..."}                              GSM8K
//   {"prompt": "...", "answer": "..."}
//   {"messages": [{"role": "user", "content": "..."}], "ground_truth": "..."}

import Documents
import Experience

/// One problem of a file.
struct TaskLine: Equatable, Sendable {
  /// From 1.
  var number: Int
  var question: String
  /// Of the messages, where they have one; "" else.
  var system: String
  /// The chat as it stands; empty for a line that has a text.
  var messages: [ChatMessage] = []
  var answer: String

  /// The question, and what was said before it: what a file repeats, however it is asked. Splits
  /// are dealt by it, so that they do not change with a template.
  var identity: String {
    messages.isEmpty
      ? question : messages.map { "\($0.role)\u{0}\($0.content)" }.joined(separator: "\u{0}")
  }
}

/// Reads a file's lines, strictly.
struct TaskLineReader {
  static let maximumLineBytes = 1 << 20
  static let maximumLineCount = 4_000_000
  static let maximumMessages = 256

  /// "" takes the first there is of `question`, `prompt`, `messages`.
  let questionField: String
  /// "" takes the first there is of `answer`, `ground_truth`, `solution`.
  let answerField: String

  func lines(_ bytes: [UInt8], source: String) throws(DocumentError) -> [TaskLine] {
    guard bytes.count <= TaskFiles.maximumFileBytes else {
      throw DocumentError(
        source: source, line: 0, column: 0,
        problem: "\(bytes.count) bytes, expected at most \(TaskFiles.maximumFileBytes)")
    }
    var lines: [TaskLine] = []
    var number = 0
    for slice in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
      number += 1
      // Blank lines are nothing, wherever they stand.
      if slice.allSatisfy(QuantityReader.isBlank) { continue }
      guard lines.count < Self.maximumLineCount else {
        throw DocumentError(
          source: source, line: number, column: 1,
          problem: "more than \(Self.maximumLineCount) lines")
      }
      lines.append(try line(Array(slice), number, source))
    }
    return lines
  }

  private func line(
    _ bytes: [UInt8], _ number: Int, _ source: String
  ) throws(DocumentError) -> TaskLine {
    func bad(_ problem: String) -> DocumentError {
      DocumentError(source: source, line: number, column: 1, problem: problem)
    }
    let fields: Fields
    do {
      let document = try JSON.parse(
        bytes, source: source, maximumByteCount: Self.maximumLineBytes)
      fields = try Fields(document, source: source)
    } catch {
      throw bad(error.problem)
    }
    let questions = questionField.isEmpty ? ["question", "prompt", "messages"] : [questionField]
    guard let question = questions.first(where: { fields.document($0) != nil }) else {
      throw bad("it has no \(questions.joined(separator: ", no ")); name it in task.questionField")
    }
    let answers = answerField.isEmpty ? ["answer", "ground_truth", "solution"] : [answerField]
    guard let answer = answers.first(where: { fields.document($0) != nil }) else {
      throw bad("it has no \(answers.joined(separator: ", no ")); name it in task.answerField")
    }
    var line = TaskLine(number: number, question: "", system: "", answer: "")
    do {
      if case .array = fields.document(question)?.value {
        let messages = try fields.sections(question, maximumCount: Self.maximumMessages)
        for message in messages {
          let content = try message.string("content", maximumLength: Self.maximumLineBytes)
          let role = try message.string("role")
          line.messages.append(ChatMessage(role: role, content: content))
          switch role {
          case "user": line.question = content
          case "system": line.system = content
          default: break
          }
        }
      } else {
        line.question = try fields.string(question, maximumLength: Self.maximumLineBytes)
      }
      line.answer = try answerText(fields, answer)
    } catch {
      throw bad(error.problem)
    }
    if line.question.utf8.allSatisfy(QuantityReader.isBlank) { throw bad("its question is empty") }
    if line.answer.utf8.allSatisfy(QuantityReader.isBlank) { throw bad("its answer is empty") }
    return line
  }

  /// A text; numbers are taken as they are written, objects as JSON.
  private func answerText(_ fields: Fields, _ key: String) throws(DocumentError) -> String {
    guard let document = fields.document(key) else { return "" }
    switch document.value {
    case .integer, .number, .object: return JSON.write(document)
    default: return try fields.string(key, maximumLength: Self.maximumLineBytes)
    }
  }
}

/// A text with places for a line's parts: {question}, {answer}, {system}. Another brace is itself.
struct PromptTemplate: Sendable {
  static let maximumBytes = 64 << 10
  let text: String

  func filled(_ line: TaskLine) -> String {
    // One pass, so that a brace within a question is not filled again.
    var out: [UInt8] = []
    let bytes = Array(text.utf8)
    let parts = [
      ("{question}", line.question), ("{answer}", line.answer), ("{system}", line.system),
    ]
    var at = 0
    while at < bytes.count {
      if bytes[at] == UInt8(ascii: "{"),
        let part = parts.first(where: { bytes[at...].starts(with: $0.0.utf8) })
      {
        out += part.1.utf8
        at += part.0.utf8.count
      } else {
        out.append(bytes[at])
        at += 1
      }
    }
    return String(decoding: out, as: UTF8.self)
  }
}
