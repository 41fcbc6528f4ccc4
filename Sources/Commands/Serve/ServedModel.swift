// What is served: a model's tokenizer, and how its prompts are made. The weights belong to the
// thread that computes, and their names to its queue.

import Experience
import Learning
import Operations
import Policy

struct ServedModel: Sendable {
  let tokenizer: Tokenizer
  /// Nil, with the reason, for a model whose chats this server cannot lay out.
  let template: Result<ChatTemplate, ModelFolderError>
  let stopTokens: Set<Int32>
  let vocabularySize: Int
  /// Positions of prompt and new tokens, less the last token.
  let context: Int
  private let maker: PromptMaker

  init(
    folder: ModelFolder, tokenizer: Tokenizer, template: ChatTemplate?, context: Int
  ) {
    self.tokenizer = tokenizer
    self.template =
      template.map { .success($0) }
      ?? Result { () throws(ModelFolderError) -> ChatTemplate in try ChatTemplate(of: tokenizer) }
    stopTokens = folder.configuration.stopTokens.union(tokenizer.stopTokens)
    vocabularySize = folder.configuration.vocabularySize
    self.context = context
    maker = PromptMaker(tokenizer, maximumPositions: context)
  }

  /// A request as work for the computing thread.
  func job(_ request: APIRequest) throws(APIError) -> CompletionJob {
    let prompts = try prompts(request.input)
    // A request without a seed is sampled as none before it.
    let seed = request.seed ?? UInt64.random(in: .min ... .max)
    var work: [PromptWork] = []
    for (index, prompt) in prompts.enumerated() {
      let room = context - prompt.count + 1
      let wanted = request.maximumNewTokens ?? max(1, room)
      guard wanted <= room else { throw tooLong(request, prompt.count, wanted) }
      // Addressed as `forage generate` does line by line: the same seed gives the same text.
      let sampling = SequenceSampling(
        seed: seed, domain: .evaluate, ticket: UInt64(index), temperature: request.temperature,
        topP: request.topP, alternatives: request.alternatives)
      work.append(
        PromptWork(
          prompt: prompt, samples: 0..<request.choices, choicesBefore: index * request.choices,
          sampling: sampling, maximumNewTokens: wanted))
    }
    return CompletionJob(work: work, stopTokens: stopTokens(request))
  }

  private func stopTokens(_ request: APIRequest) -> Set<Int32> {
    guard request.isChat, case .success(let template) = template,
      let end = template.endToken(tokenizer)
    else { return stopTokens }
    return stopTokens.union([end])
  }

  private func prompts(_ input: APIRequest.Input) throws(APIError) -> [[Int32]] {
    switch input {
    case .texts(let texts):
      var prompts: [[Int32]] = []
      for text in texts {
        do throws(PromptProblem) {
          prompts.append(try maker.tokens(text, newTokens: 1))
        } catch {
          throw .bad("prompt", error.what, code: error.isLength ? Self.lengthCode : nil)
        }
      }
      return prompts
    case .tokens(let prompts):
      for prompt in prompts {
        if let bad = prompt.first(where: { $0 >= vocabularySize }) {
          throw .bad("prompt", "token \(bad) is not below \(vocabularySize)")
        }
        guard prompt.count <= context else {
          throw .bad(
            "prompt", "\(prompt.count) tokens, and there is room for \(context)",
            code: Self.lengthCode)
        }
      }
      return prompts
    case .chat(let messages):
      switch template {
      case .success(let template):
        do throws(PromptProblem) {
          return [try maker.tokens(messages, template, newTokens: 1)]
        } catch {
          throw .bad("messages", error.what, code: Self.lengthCode)
        }
      case .failure(let error):
        throw .bad(
          "messages",
          "this model's chats cannot be laid out: \(error); serve it with --chat NAME, or ask "
            + "/v1/completions", code: "no_chat_template")
      }
    }
  }

  private static let lengthCode = "context_length_exceeded"

  private func tooLong(_ request: APIRequest, _ prompt: Int, _ wanted: Int) -> APIError {
    .bad(
      request.isChat ? "messages" : "max_tokens",
      "\(prompt) tokens and \(wanted) new ones need \(prompt + wanted - 1) positions, and there "
        + "are \(context)", code: Self.lengthCode)
  }
}
