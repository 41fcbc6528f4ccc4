// From a line of a file to what the policy is asked: a text by a template, or a chat for the
// model's chat template. Few-shot examples stand before it, as text or as turns of the chat.

import Documents
import Experience

/// The chat template of the model itself, recognized from its folder.
public let ownChat = "model"

/// How lines are asked.
struct LinePrompts: Sendable {
  /// Nil: as plain text. Else the chat template's name, or `ownChat`.
  let chat: String?
  private let template: PromptTemplate
  private let shown: PromptTemplate
  private let gold: PromptTemplate
  private let system: String
  /// Put before every prompt.
  private var examples: [TaskLine] = []
  private var exampleText = ""

  /// Lines that are chats are asked as such, unless a template says how else.
  init(_ fields: Fields, hasChats: Bool) throws(DocumentError) {
    func text(_ key: String, _ text: String) throws(DocumentError) -> String {
      try fields.string(key, default: text, maximumLength: PromptTemplate.maximumBytes)
    }
    let asked = try text("template", "")
    let named = try fields.string("chat", default: "", maximumLength: 64)
    switch named {
    case "none": chat = nil
    case "": chat = hasChats && asked.isEmpty ? ownChat : nil
    default: chat = named
    }
    template = PromptTemplate(
      text: !asked.isEmpty ? asked : chat == nil ? "{question}\n" : "{question}")
    guard template.text.contains("{question}") else {
      throw fields.error("template", "has no {question}: every prompt would be the same")
    }
    gold = PromptTemplate(text: try text("gold", "{answer}"))
    shown = PromptTemplate(text: try text("exampleTemplate", "{question}\n{answer}\n\n"))
    system = try text("system", "")
    guard chat != nil || system.isEmpty else {
      throw fields.error("system", "is said in chats alone; name a chat template in task.chat")
    }
  }

  /// Throws, with its number, for a line that is no chat a completion could follow.
  func check(_ line: TaskLine, source: String) throws(DocumentError) {
    guard chat != nil, !line.messages.isEmpty else { return }
    var problem = ChatMessage.problem(of: line.messages)
    if problem == nil, let last = line.messages.last, last.role != "user" {
      problem = "its last message is the \(last.role)'s, and a completion follows a user's"
    }
    guard let problem else { return }
    throw DocumentError(source: source, line: line.number, column: 1, problem: problem)
  }

  mutating func show(_ lines: some Sequence<TaskLine>) {
    examples = Array(lines)
    exampleText = examples.map(shown.filled).joined()
  }

  func exercise(_ line: TaskLine) -> Exercise {
    Exercise(
      name: "line \(line.number)",
      prompt: chat == nil ? exampleText + template.filled(line) : question(line),
      messages: chat == nil ? [] : messages(line, after: examples), answer: line.answer,
      demonstration: gold.filled(line))
  }

  /// What no two splits may share: what is asked, without the examples before it.
  func identity(_ line: TaskLine) -> String {
    guard chat != nil else { return template.filled(line) }
    return messages(line, after: []).map { "\($0.role)\u{0}\($0.content)" }
      .joined(separator: "\u{0}")
  }

  /// A chat is asked as it stands, a text by the template.
  private func question(_ line: TaskLine) -> String {
    line.messages.isEmpty ? template.filled(line) : line.question
  }

  private func messages(_ line: TaskLine, after examples: [TaskLine]) -> [ChatMessage] {
    var own = line.messages
    if own.isEmpty { own = [ChatMessage(role: "user", content: question(line))] }
    var messages: [ChatMessage] = []
    if own.first?.role == "system" {
      messages.append(own.removeFirst())
    } else if !system.isEmpty {
      messages.append(ChatMessage(role: "system", content: system))
    }
    for example in examples {
      messages.append(ChatMessage(role: "user", content: question(example)))
      messages.append(ChatMessage(role: "assistant", content: gold.filled(example)))
    }
    return messages + own
  }
}
