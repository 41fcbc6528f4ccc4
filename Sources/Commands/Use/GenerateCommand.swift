// forage generate: completions of a prompt, or of a file of prompts, to read.
//
// Randomness is addressed as everywhere: a sample depends on the seed, the prompt's place in the
// file and its own number, not on what is sampled beside it. So a file that was cut off is
// continued where it ends, and comes out as if it never had been.

import Documents
import Experience
import Operations
import Policy
import Tasks
import Tensors

enum GenerateCommand: Command {
  static let usage = Usage(
    "forage generate",
    "Samples completions of a prompt, or of a file of prompts or chats: as text for one, as JSON "
      + "lines for a file. Into a file it says how far it is, and goes on with one that was cut.",
    options: [
      .value("model", "DIR", "a Hugging Face folder with its tokenizer.json"),
      .value("prompt", "TEXT", "what to continue"),
      .value(
        "input", "FILE",
        "lines {\"prompt\":\"...\"} or {\"messages\":[...]}, with an \"answer\" if there is one; "
          + "- is standard input"),
      .value(
        "output", "FILE",
        "a line a completion, as forage grade takes them; one that is there is continued"),
      .value("samples", "N", "completions of each prompt; 1 by default"),
      .value("temperature", "T", "1 by default; 0 is greedy"),
      .value("max-new-tokens", "N", "at most so many tokens; 256 by default, or what fits"),
      .value("seed", "N", "another one samples otherwise; 1 by default"),
      .value(
        "chat", "NAME", "lay chats out so: \(ChatTemplate.names); the folder's own by default"),
      .flag("json", "JSON lines for a prompt too, with tokens and log-probs"),
      .threads,
    ],
    example: "forage generate --model runs/arithmetic-001/checkpoints/step-000700 --prompt 47+85=")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let path = try arguments.requiredValue("model")
    let prompt = arguments.value("prompt")
    let input = arguments.value("input")
    guard (prompt == nil) != (input == nil) else {
      throw ArgumentError(
        program: usage.program,
        fact: prompt == nil
          ? .missingPositional("--prompt or --input")
          : .unexpectedPositional("--input, besides --prompt,"))
    }
    if let output = arguments.value("output"), input == nil {
      throw arguments.bad("output", output, "no file: --output is for --input")
    }
    let settings = GenerationSettings(
      samples: try arguments.integer("samples", in: 1...4096) ?? 1,
      temperature: Float(try arguments.number("temperature", in: 0...1000) ?? 1),
      maximumNewTokens: try arguments.integer("max-new-tokens", in: 1...1_048_576),
      seed: UInt64(try arguments.integer("seed", in: 0...Int.max) ?? 1),
      template: try arguments.chatTemplate())
    let threads = try arguments.threads()
    let lines = try input.map { path throws(Failure) in try LineReader(path: path) }
    let model = try LoadedModel(path: path, threads: threads)
    let sampler = PromptSampler(model, tokenizer: try model.folder.tokenizer(), settings)
    if let lines, let input {
      if let output = arguments.value("output") {
        try CompletionFile(
          path: output, maker: sampler.identity, samples: settings.samples
        ).fill(from: lines, input: input, sampler)
      } else {
        try sampler.answer(lines) { Terminal.write(JSON.write(sampler.document($0)) + "\n") }
      }
    } else if let prompt {
      let answer = try sampler.complete(prompt)
      Terminal.write(
        arguments.flag("json") ? JSON.write(sampler.document(answer)) + "\n" : sampler.text(answer))
    }
    return .success
  }
}

package struct GenerationSettings {
  package var samples: Int
  /// 0 is greedy.
  package var temperature: Float
  /// Nil: as many as the model has positions for, at most `defaultNewTokens`.
  package var maximumNewTokens: Int?
  package var seed: UInt64
  /// Of chats; nil is the folder's own.
  package var template: ChatTemplate?

  static let defaultNewTokens = 256

  package init(
    samples: Int, temperature: Float, maximumNewTokens: Int?, seed: UInt64,
    template: ChatTemplate? = nil
  ) {
    self.samples = samples
    self.temperature = temperature
    self.maximumNewTokens = maximumNewTokens
    self.seed = seed
    self.template = template
  }
}

/// A prompt with its completions.
package struct Answer {
  package var prompt: PromptLine
  package var completions: [Completion]
}

package struct PromptSampler {
  /// Prompts sampled together: enough rows to fill the kernels.
  package static let promptsAtOnce = 64

  private let model: LoadedModel
  private let tokenizer: Tokenizer
  private let settings: GenerationSettings
  private let maker: PromptMaker
  private let generator: Generator<CPUBackend>

  package init(_ model: LoadedModel, tokenizer: Tokenizer, _ settings: GenerationSettings) {
    self.model = model
    self.tokenizer = tokenizer
    self.settings = settings
    maker = PromptMaker(
      tokenizer, maximumPositions: model.folder.configuration.maximumPositions)
    generator = Generator(model.policy)
  }

  package func complete(_ prompt: String) throws(Failure) -> Answer {
    let line = PromptLine(prompt)
    do throws(PromptProblem) {
      return generate([(line, try request(line, index: 0))])[0]
    } catch {
      throw error.failure("--prompt")
    }
  }

  /// Answers every line in order; a bad one ends it, after the answers to those before it.
  /// `isDone` is asked of each line first: one that was answered before is passed over.
  package func answer(
    _ lines: LineReader, isDone: (PromptLine) throws -> Bool = { _ in false },
    write: (Answer) throws -> Void
  ) throws {
    var waiting: [(prompt: PromptLine, request: GenerationRequest)] = []
    func flush() throws {
      // Also where a write fails: below, what waits is flushed before the error goes on.
      defer { waiting = [] }
      for answer in generate(waiting) { try write(answer) }
    }
    do {
      while let line = try lines.next() {
        let prompt = try PromptLine(line, lines)
        if try isDone(prompt) { continue }
        waiting.append((prompt, try request(prompt, index: lines.number - 1)))
        if waiting.count == Self.promptsAtOnce { try flush() }
      }
    } catch let problem as PromptProblem {
      try flush()
      throw problem.failure("line \(lines.number) of \(lines.name)")
    } catch {
      try flush()
      throw error
    }
    try flush()
  }

  private func request(
    _ prompt: PromptLine, index: Int
  ) throws(PromptProblem) -> GenerationRequest {
    let tokens: [Int32]
    var stopTokens = model.stopTokens.union(tokenizer.stopTokens)
    switch prompt.content {
    case .text(let text):
      tokens = try maker.tokens(text, newTokens: settings.maximumNewTokens ?? 1)
    case .chat(let messages):
      let template = try template()
      tokens = try maker.tokens(messages, template, newTokens: settings.maximumNewTokens ?? 1)
      if let end = template.endToken(tokenizer) { stopTokens.insert(end) }
    }
    let room = maker.maximumPositions - tokens.count + 1
    return GenerationRequest(
      prompt: tokens, samples: settings.samples, seed: settings.seed, domain: .evaluate,
      ticket: UInt64(index), temperature: settings.temperature,
      maximumNewTokens: settings.maximumNewTokens
        ?? min(room, GenerationSettings.defaultNewTokens),
      stopTokens: stopTokens)
  }

  private func template() throws(PromptProblem) -> ChatTemplate {
    if let template = settings.template { return template }
    do throws(ModelFolderError) {
      return try ChatTemplate(of: tokenizer)
    } catch {
      throw PromptProblem(what: "it is a chat, and \(error) (--chat NAME)")
    }
  }

  private func generate(
    _ waiting: [(prompt: PromptLine, request: GenerationRequest)]
  ) -> [Answer] {
    guard !waiting.isEmpty else { return [] }
    guard let completions = generator.generate(waiting.map(\.request)) else {
      preconditionFailure("sampling stopped, and nobody asked it to")
    }
    return zip(waiting, completions).map { Answer(prompt: $0.prompt, completions: $1) }
  }

  /// A single completion as it is; several with a line above each.
  package func text(_ answer: Answer) -> String {
    var text = ""
    for (index, completion) in answer.completions.enumerated() {
      if answer.completions.count > 1 {
        text += "--- sample \(index + 1) of \(answer.completions.count): "
        text += "\(completion.tokens.count) tokens, \(completion.finish.rawValue)\n"
      }
      text += tokenizer.text(of: completion) + "\n"
    }
    return text
  }

  package func document(_ answer: Answer) -> Document {
    .object([
      ("prompt", .string(answer.prompt.shown)),
      (
        "completions",
        .array(
          answer.completions.map { completion in
            .object([
              ("text", .string(tokenizer.text(of: completion))),
              ("tokens", .array(completion.tokens.map { .integer(Int($0)) })),
              ("logprobs", .array(completion.behaviorLogProbs.map(Document.shortest))),
              ("finish", .string(completion.finish.rawValue)),
            ])
          })
      ),
    ])
  }

  /// The line of a completion as `forage grade` reads it.
  package func gradeLine(_ answer: Answer, sample: Int) -> String {
    let completion = answer.completions[sample]
    let submission = Submission(
      prompt: answer.prompt.shown, completion: tokenizer.text(of: completion),
      answer: answer.prompt.answer, tokenCount: completion.tokens.count,
      isTruncated: completion.isTruncated)
    return JSON.write(submission.document) + "\n"
  }

  /// What the completions of a prompt at a place follow from.
  package var identity: Document {
    .object([
      ("weights", .string(model.policy.digest().hexadecimal)),
      ("samples", .integer(settings.samples)), ("temperature", .shortest(settings.temperature)),
      ("maximumNewTokens", settings.maximumNewTokens.map(Document.integer) ?? nil),
      ("seed", .string("\(settings.seed)")),
      ("chat", settings.template.map { .string($0.rawValue) } ?? nil),
    ])
  }
}
