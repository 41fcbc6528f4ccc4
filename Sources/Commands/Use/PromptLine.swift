// One line of a file of prompts:
//
//   {"prompt": "47+85=", "answer": "132"}
//   {"messages": [{"role": "user", "content": "47+85?"}], "answer": "132"}
//
// The answer is carried on for whoever judges; it is never shown to the model.

import Documents
import Experience
import Policy

package struct PromptLine: Equatable, Sendable {
  package enum Content: Equatable, Sendable {
    case text(String)
    case chat([ChatMessage])
  }

  package let content: Content
  /// "" where there is none.
  package let answer: String

  package init(_ text: String) {
    content = .text(text)
    answer = ""
  }

  package init(_ line: [UInt8], _ lines: LineReader) throws {
    let fields = try lines.fields(line)
    let most = LineReader.maximumLineBytes
    do throws(DocumentError) {
      if fields.has("messages") {
        guard !fields.has("prompt") else {
          throw fields.error("messages", "stands beside a prompt; give one of the two")
        }
        content = .chat(try ChatMessage.list(fields, "messages"))
      } else {
        content = .text(try fields.string("prompt", maximumLength: most))
      }
      answer = try fields.string("answer", default: "", maximumLength: most)
      try fields.finish()
    } catch {
      throw lines.bad(error)
    }
  }

  /// The prompt, or what the chat's last message says.
  package var shown: String {
    switch content {
    case .text(let text): text
    case .chat(let messages): messages.last?.content ?? ""
    }
  }
}
