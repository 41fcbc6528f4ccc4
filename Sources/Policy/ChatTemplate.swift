// How a model was taught to read a chat. In a model's folder that is a program (Jinja), and a
// program from outside is not run here: the templates there are have names, each is a few lines of
// Swift below, and a folder's own is recognized by the digest of its text. One that is not known is
// refused; a chat laid out almost as the model knows it trains without complaint, and wrongly.
//
// What people wrote in a chat is text: a special token spelled in it is not found there.
//
// Tools, and reasoning apart from a message's content, are not laid out. Reasoning within it,
// between <think> and </think>, is Qwen3's own: of the turns before the last question it is left
// out.

import Digests
import Documents
import Experience

extension ChatMessage {
  private static let maximumContentBytes = 1 << 20

  /// The messages at a key: at least one, the first alone may be the system's.
  public static func list(_ fields: Fields, _ key: String) throws(DocumentError) -> [ChatMessage] {
    var messages: [ChatMessage] = []
    for entry in try fields.sections(key, maximumCount: maximumCount) {
      messages.append(
        ChatMessage(
          role: try entry.string("role"),
          content: try entry.string("content", maximumLength: maximumContentBytes)))
      try entry.finish()
    }
    if let problem = problem(of: messages) { throw fields.error(key, problem) }
    return messages
  }
}

/// A named way to lay out a chat.
public enum ChatTemplate: String, CaseIterable, Sendable {
  /// `<|im_start|>role\ncontent<|im_end|>\n`, and nothing else.
  case chatml
  /// ChatML with a system message where a chat has none, each its model's own.
  case qwen2
  case qwen25 = "qwen2.5"
  case smollm2
  /// ChatML whose assistant thinks first, between <think> and </think>.
  case qwen3
  /// The same with the thoughts left empty: `enable_thinking` false.
  case qwen3NoThinking = "qwen3-no-thinking"
  case llama3
  /// Llama 3.1 to 3.3: a system message with dates. The date of today is the template's own, 26 Jul
  /// 2024, always: a prompt that changes at midnight cannot be repeated.
  case llama31 = "llama3.1"

  /// All of them, for a message.
  public static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

  /// The template a tokenizer's folder asks for: the text of chat_template.jinja, or
  /// `chat_template` of tokenizer_config.json.
  ///
  /// Throws when there is none and when it is not one of these.
  public init(of tokenizer: Tokenizer) throws(ModelFolderError) {
    let (file, text) = try tokenizer.companions.templateText()
    // A file's last newline is not the template's.
    let bytes = Array((text.hasSuffix("\n") ? String(text.dropLast()) : text).utf8)
    let digest = Digest(of: bytes).hexadecimal
    guard let known = Self(digest: digest) else {
      throw ModelFolderError(
        path: file,
        problem: "the chat template (digest \(digest.prefix(16))) is not known; known are "
          + "\(Self.names): name the one that lays chats out alike")
    }
    self = known
  }

  /// The template whose text has this digest, in hexadecimal; nil for a text that is not known.
  package init?(digest: String) {
    guard let known = Self.digests[digest] else { return nil }
    self = known
  }

  /// BLAKE2b digests of the texts in published folders: Qwen2 and Qwen2.5 Instruct, SmolLM2
  /// Instruct, Qwen3 (its first text and the one that followed), Meta Llama 3 Instruct, Llama 3.2
  /// Instruct, and plain ChatML.
  private static let digests: [String: ChatTemplate] = [
    "827b1b44d7e035c3f79e595cfd2472e7f08a2764ccbb98d1d4e95d96f882ae0b": .chatml,
    "7cb398e81113b4aee262bd9621f9186062cf6d071f87ac2c0f735f064e2a3e50": .qwen2,
    "ef0829bf42c538a9bbd234c9664d95d9504fb8e6939b293dea2c595107b35170": .qwen25,
    "786dc803909c78d9d03264ecb6d82c6bcbbe28070b7e342b474af75e0d1c93db": .smollm2,
    "9f5090d79b6197a19b77603444b9cf5282ab6ca2ca628f365f76bd94ce22418d": .qwen3,
    "b9dfc3e866d8e1360059a0d3bb3094ef035279d0a5bdb60bab369537cf0b9ece": .qwen3,
    "05facb19f527d33e1ba2066abb9656dc46ff7f61a33d5419bbd0f773d3519478": .llama3,
    "51e68c9f989467577fb67f8e1d45e58110c1ca737735c3662bd62c2d93112828": .llama31,
  ]

  /// The system message a chat without one is given; nil: none.
  private var defaultSystem: String? {
    switch self {
    case .chatml, .qwen3, .qwen3NoThinking, .llama3: nil
    case .qwen2: "You are a helpful assistant."
    case .qwen25: "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
    case .smollm2: "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
    case .llama31: ""
    }
  }

  /// Ids of a chat up to where the assistant begins to speak, its begin token included.
  ///
  /// `isContinued` false ends after the last message instead.
  public func tokens(
    _ messages: [ChatMessage], _ tokenizer: Tokenizer, isContinued: Bool = true
  ) -> [Int32] {
    let text = layOut(messages, isContinued: isContinued)
    var bytes: [UInt8] = []
    var guarded: [Range<Int>] = []
    for part in text {
      let start = bytes.count
      bytes += part.text.utf8
      if part.isContent, bytes.count > start { guarded.append(start..<bytes.count) }
    }
    let begin = isLlama ? tokenizer.beginToken.map { [$0] } ?? [] : []
    return begin + tokenizer.encode(bytes, guarded: guarded)
  }

  /// The token that ends a message, and so an assistant's turn; nil where the vocabulary lacks it.
  public func endToken(_ tokenizer: Tokenizer) -> Int32? {
    tokenizer.token(spelled: isLlama ? "<|eot_id|>" : "<|im_end|>")
  }

  /// The chat as one text, as `tokens` reads it but for the begin token.
  public func text(_ messages: [ChatMessage], isContinued: Bool = true) -> String {
    layOut(messages, isContinued: isContinued).map(\.text).joined()
  }

  /// The tokens it writes between messages, the one that ends a turn first: a tokenizer without
  /// them would read their spelling as text.
  public var markers: [String] {
    isLlama
      ? ["<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"] : ["<|im_end|>", "<|im_start|>"]
  }

  private var isLlama: Bool { self == .llama3 || self == .llama31 }
  private var isQwen3: Bool { self == .qwen3 || self == .qwen3NoThinking }

  private struct Part {
    let text: String
    /// Written by a person or a model, not by the template.
    let isContent: Bool
  }

  private func layOut(_ messages: [ChatMessage], isContinued: Bool) -> [Part] {
    var parts: [Part] = []
    var rest = messages[...]
    if let system = defaultSystem {
      if let first = rest.first, first.role == "system" {
        add("system", first.content, isContent: true, to: &parts)
        rest = rest.dropFirst()
      } else {
        add("system", system, isContent: false, to: &parts)
      }
    }
    // A chat without a question has its last one after the end: all its turns lie before it.
    let asked = rest.lastIndex { $0.role == "user" && !Self.isToolReport($0.content) }
    for (index, message) in zip(rest.indices, rest) {
      if isQwen3, message.role == "assistant" {
        let isAnswer = index > asked ?? rest.endIndex
        addReasoned(message.content, isAnswer, isLast: index == rest.endIndex - 1, to: &parts)
      } else {
        add(message.role, message.content, isContent: true, to: &parts)
      }
    }
    if isContinued {
      let thought = self == .qwen3NoThinking ? "<think>\n\n</think>\n\n" : ""
      parts.append(Part(text: head("assistant") + thought, isContent: false))
    }
    return parts
  }

  /// Qwen3's answers keep their thoughts, and the last one has them even where there are none; of
  /// earlier turns what stands before the thoughts' end is left out.
  private func addReasoned(
    _ content: String, _ isAnswer: Bool, isLast: Bool, to parts: inout [Part]
  ) {
    var answer = content[...]
    var thought = content[..<content.startIndex]
    let ends = content.utf8.ranges(of: "</think>".utf8)
    if let first = ends.first, let last = ends.last {
      thought = content[..<first.lowerBound]
      let begin = thought.utf8.ranges(of: "<think>".utf8).last
      if let begin { thought = thought[begin.upperBound...] }
      thought = Self.withoutLines(thought, atEnd: true)
      answer = Self.withoutLines(content[last.upperBound...], atEnd: false)
    }
    parts.append(Part(text: head("assistant"), isContent: false))
    if isAnswer, isLast || !thought.isEmpty {
      parts.append(Part(text: "<think>\n", isContent: false))
      parts.append(Part(text: String(thought), isContent: true))
      parts.append(Part(text: "\n</think>\n\n", isContent: false))
      answer = Self.withoutLines(answer, atEnd: false)
    }
    parts.append(Part(text: String(answer), isContent: true))
    parts.append(Part(text: "<|im_end|>\n", isContent: false))
  }

  /// Qwen3 writes what a tool said as a user's message: it asks nothing.
  private static func isToolReport(_ content: String) -> Bool {
    content.utf8.starts(with: "<tool_response>".utf8)
      && content.utf8.reversed().starts(with: "</tool_response>".utf8.reversed())
  }

  /// Without newlines at the beginning, and where `atEnd` says so at the end.
  private static func withoutLines(_ text: Substring, atEnd: Bool) -> Substring {
    var scalars = text.unicodeScalars.drop { $0 == "\n" }
    while atEnd, scalars.last == "\n" { scalars.removeLast() }
    return Substring(scalars)
  }

  private func head(_ role: String) -> String {
    isLlama ? "<|start_header_id|>\(role)<|end_header_id|>\n\n" : "<|im_start|>\(role)\n"
  }

  private func add(_ role: String, _ content: String, isContent: Bool, to parts: inout [Part]) {
    parts.append(Part(text: head(role), isContent: false))
    if self == .llama31, role == "system" {
      let dates = "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"
      parts.append(Part(text: dates, isContent: false))
    }
    parts.append(Part(text: isLlama ? Self.trimmed(content) : content, isContent: isContent))
    parts.append(Part(text: isLlama ? "<|eot_id|>" : "<|im_end|>\n", isContent: false))
  }

  /// Without white space at its ends, as Jinja's `trim` means it: Python's, which has the four
  /// separators U+001C to U+001F besides Unicode's.
  private static func trimmed(_ text: String) -> String {
    func isSpace(_ scalar: Unicode.Scalar) -> Bool {
      scalar.properties.isWhitespace || 0x1c...0x1f ~= scalar.value
    }
    let scalars = text.unicodeScalars
    guard let first = scalars.firstIndex(where: { !isSpace($0) }),
      let last = scalars.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(scalars[first...last])
  }
}

extension FolderCompanions {
  /// The chat template's text and the file that holds it. Newer folders keep it in a file of its
  /// own, which counts before tokenizer_config.json.
  fileprivate func templateText() throws(ModelFolderError) -> (file: String, text: String) {
    if let bytes = files[Self.chatTemplate] {
      return (Self.chatTemplate, String(decoding: bytes, as: UTF8.self))
    }
    let file = Self.tokenizerConfig
    guard let bytes = files[file] else {
      throw ModelFolderError(
        path: file, problem: "is missing; name a chat template: \(ChatTemplate.names)")
    }
    do throws(DocumentError) {
      let fields = try Fields(try JSON.parse(bytes, source: file), source: file)
      guard fields.has("chat_template") else {
        throw fields.error("chat_template", "there is none; name one: \(ChatTemplate.names)")
      }
      return (file, try fields.string("chat_template", maximumLength: bytes.count))
    } catch {
      throw ModelFolderError(path: file, problem: "\(error)")
    }
  }
}
