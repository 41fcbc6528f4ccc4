// forage logprobs: what a model says of given tokens. No tokenizer is read and nothing is sampled,
// so two programs can be held against each other on the same ids.
//
//   in:   {"tokens": [t0, t1, ..., tn-1]}
//   out:  {"logprobs": [...], "entropies": [...]}     of tokens 1..n-1, natural logarithms
//
// The entropy at a token is that of the distribution it was drawn from.

import Documents
import Experience
import Operations
import Policy
import Tensors

enum LogProbsCommand: Command {
  static let usage = Usage(
    "forage logprobs",
    "Prints log-probs and entropies of given tokens: for each line {\"tokens\":[...]} one line "
      + "{\"logprobs\":[...],\"entropies\":[...]} of tokens 1..n-1, in nats. No tokenizer is "
      + "needed.",
    options: [
      .value("model", "DIR", "a Hugging Face folder: config.json and model.safetensors"),
      .value("input", "FILE", "the lines; - is standard input"),
      .value("temperature", "T", "logits are divided by it; 1 by default"),
      .threads,
    ],
    example: "echo '{\"tokens\":[1,5,7]}' | forage logprobs --model runs/arithmetic-001/"
      + "checkpoints/step-000000 --input -")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let path = try arguments.requiredValue("model")
    let input = try arguments.requiredValue("input")
    let temperature = try arguments.number("temperature", in: 0.001...1000) ?? 1
    let threads = try arguments.threads()
    let lines = try LineReader(path: input)
    let model = try LoadedModel(path: path, threads: threads)
    let scorer = TokenScorer(model.policy, temperature: Float(temperature))
    try scorer.answer(lines) { Terminal.write($0) }
    return .success
  }
}

/// What a model says of one sequence: one value a token but the first, in nats.
package struct TokenScores: Equatable {
  package var logProbs: [Float]
  package var entropies: [Float]
}

/// Scores lines of tokens, as many together as one forward pass takes.
package struct TokenScorer {
  /// Rows of one pass: enough to fill the kernels, little enough for their activations.
  package static let rowsAtOnce = 4096

  private let policy: Transformer<CPUBackend>
  private let temperature: Float

  package init(_ policy: Transformer<CPUBackend>, temperature: Float = 1) {
    self.policy = policy
    self.temperature = temperature
  }

  /// Reads every line and writes its answer, in order. A bad line ends it with an error that names
  /// the line, after the answers to the lines before it.
  package func answer(_ lines: LineReader, write: (String) -> Void) throws {
    var waiting: [(number: Int, tokens: [Int32])] = []
    var rows = 0
    func flush() throws {
      defer { (waiting, rows) = ([], 0) }
      for (entry, scores) in zip(waiting, score(waiting.map(\.tokens))) {
        write(try line(scores, number: entry.number, of: lines.name))
      }
    }
    do {
      while let line = try lines.next() {
        waiting.append((lines.number, try tokens(line, lines)))
        rows += waiting[waiting.count - 1].tokens.count
        if rows >= Self.rowsAtOnce { try flush() }
      }
    } catch {
      try flush()
      throw error
    }
    try flush()
  }

  private func tokens(_ line: [UInt8], _ lines: LineReader) throws -> [Int32] {
    let shape = policy.configuration
    let fields = try lines.fields(line)
    do throws(DocumentError) {
      // The last token is asked for and never fed, so it needs no position.
      let tokens = try fields.integers(
        "tokens", maximumCount: shape.maximumPositions + 1, in: 0...shape.vocabularySize - 1)
      guard !tokens.isEmpty else { throw fields.error("tokens", "is empty; name at least one") }
      try fields.finish()
      return tokens.map { Int32($0) }
    } catch {
      throw lines.bad(error)
    }
  }

  /// Of each sequence, in order.
  package func score(_ sequences: [[Int32]]) -> [TokenScores] {
    var pack = Pack()
    for tokens in sequences where tokens.count > 1 {
      pack.add(
        prompt: [tokens[0]], completions: [Array(tokens.dropFirst())], temperature: temperature)
    }
    let none = TokenScores(logProbs: [], entropies: [])
    guard pack.rowCount > 0 else { return sequences.map { _ in none } }
    let scores = policy.score(pack)
    var next = 0
    return sequences.map { tokens in
      guard tokens.count > 1 else { return none }
      let range = pack.completions[next]
      next += 1
      return TokenScores(
        logProbs: Array(scores.logProbs[range]), entropies: Array(scores.entropies[range]))
    }
  }

  private func line(
    _ scores: TokenScores, number: Int, of source: String
  ) throws(Failure) -> String {
    guard (scores.logProbs + scores.entropies).allSatisfy(\.isFinite) else {
      throw Failure(
        "score line \(number) of", on: source, happened: "a log-prob or entropy is not finite",
        remedy: "check the model's weights", exitCode: .badInput)
    }
    let document = Document.object([
      ("logprobs", .array(scores.logProbs.map(Document.shortest))),
      ("entropies", .array(scores.entropies.map(Document.shortest))),
    ])
    return JSON.write(document) + "\n"
  }
}
