// A model folder as commands use it: weights on this machine's backend, and prompts as its
// tokenizer makes them, refused where the model could not take them.

import Acting
import Documents
import Experience
import Operations
import Policy
import Tasks
import Tensors

package struct LoadedModel {
  package let folder: ModelFolder
  package let policy: Transformer<CPUBackend>

  /// Reads config.json and the weights; `threads` nil is every core.
  package init(path: String, threads: Int?) throws {
    guard Files.isFolder(path) else {
      throw Failure(
        "open the model", on: path,
        happened: Files.exists(path) ? "it is not a folder" : "there is no such folder",
        remedy: "name a Hugging Face folder: config.json, model.safetensors, tokenizer.json",
        exitCode: .noInput)
    }
    try self.init(folder: ModelFolder(path: path), threads: threads)
  }

  init(folder: ModelFolder, threads: Int?) throws {
    self.folder = folder
    policy = Transformer(
      configuration: folder.configuration,
      backend: CPUBackend(threads: threads ?? Machine.coreCount))
    try folder.load(into: policy)
  }

  var stopTokens: Set<Int32> { folder.configuration.stopTokens }
}

/// A tokenizer and the positions of the model behind it.
package struct PromptMaker {
  let tokenizer: Tokenizer
  let maximumPositions: Int
  private let unknown: Int32?

  package init(_ tokenizer: Tokenizer, maximumPositions: Int) {
    self.tokenizer = tokenizer
    self.maximumPositions = maximumPositions
    unknown = tokenizer.token(spelled: "<unk>")
  }

  /// The prompt as actors feed it; throws, with what is wrong with the text, when the vocabulary
  /// lacks a part of it or it leaves no room for `newTokens`.
  package func tokens(_ prompt: String, newTokens: Int) throws(PromptProblem) -> [Int32] {
    let text = try known(prompt)
    let tokens = (tokenizer.beginToken.map { [$0] } ?? []) + text
    try checkRoom(tokens.count, newTokens: newTokens)
    return tokens
  }

  /// Throws what `tokens` throws, of an exercise as `reader` reads it.
  package func check(
    _ exercise: Exercise, _ reader: PromptReader, newTokens: Int
  ) throws(PromptProblem) {
    let texts = exercise.messages.map(\.content)
    for text in texts.isEmpty ? [exercise.prompt] : texts { _ = try known(text) }
    try checkRoom(reader.tokens(exercise).count, newTokens: newTokens)
  }

  private func known(_ text: String) throws(PromptProblem) -> [Int32] {
    let tokens = tokenizer.encode(text)
    if let unknown, tokens.contains(unknown), !text.contains("<unk>") {
      let first = text.first { tokenizer.encode(String($0)).contains(unknown) }
      throw PromptProblem(
        what: "the model's vocabulary has no token for "
          + (first.map { "\"\($0)\"" } ?? "a part of it"))
    }
    return tokens
  }

  /// The chat up to where the assistant begins to speak; throws when that leaves no room.
  package func tokens(
    _ messages: [ChatMessage], _ template: ChatTemplate, newTokens: Int
  ) throws(PromptProblem) -> [Int32] {
    let tokens = template.tokens(messages, tokenizer)
    try checkRoom(tokens.count, newTokens: newTokens)
    return tokens
  }

  private func checkRoom(_ count: Int, newTokens: Int) throws(PromptProblem) {
    guard count > 0 else { throw PromptProblem(what: "it has no token") }
    // The last token sampled is never fed, so it needs no position.
    let room = maximumPositions - count + 1
    guard newTokens <= room else {
      throw PromptProblem(
        what: "\(count) tokens and \(newTokens) new ones need "
          + "\(count + newTokens - 1) positions, and the model has \(maximumPositions)",
        isLength: true)
    }
  }
}

/// Why a prompt cannot be continued: words that follow "prompt "X": ".
package struct PromptProblem: Error {
  package let what: String
  /// It is too long, and nothing else.
  package var isLength = false

  func failure(_ source: String) -> Failure {
    Failure(
      "continue", on: source, happened: what,
      remedy: "change the prompt or lower the number of new tokens", exitCode: .badInput)
  }
}

extension Arguments {
  /// The value of an option that cannot be left out.
  func requiredValue(_ name: String) throws(ArgumentError) -> String {
    if let value = value(name) { return value }
    throw ArgumentError(program: usage.program, fact: .missingPositional("--\(name)"))
  }

  func threads() throws(ArgumentError) -> Int? { try integer("threads", in: 1...1024) }

  /// The template named by --chat; nil when it is left to the folder.
  func chatTemplate() throws(ArgumentError) -> ChatTemplate? {
    guard let name = value("chat") else { return nil }
    guard let template = ChatTemplate(rawValue: name) else {
      throw bad("chat", name, "one of \(ChatTemplate.names)")
    }
    return template
  }
}

extension Usage.Option {
  static let threads = Usage.Option.value(
    "threads", "N", "threads to compute with; every core by default")
}

extension Document {
  /// A Float32 with the fewest digits that read back as the same Float32.
  static func shortest(_ number: Float) -> Document { .number(Double("\(number)") ?? .nan) }
}
