// Answers as clients of OpenAI's interface read them: whole, or as server-sent events.

import Documents
import Operations
import Policy

/// What all documents of one answer share.
struct APIAnswer: Sendable {
  let isChat: Bool
  let model: String
  let tokenizer: Tokenizer
  let wantsLogProbs: Bool
  private let id: String
  private let created: Int

  init(_ request: APIRequest, model: String, tokenizer: Tokenizer) {
    isChat = request.isChat
    wantsLogProbs = request.wantsLogProbs
    self.model = model
    self.tokenizer = tokenizer
    id = (isChat ? "chatcmpl-" : "cmpl-") + String(UInt64.random(in: .min ... .max), radix: 16)
    created = Int(WallClock.milliseconds / 1000)
  }

  /// The whole answer.
  func whole(_ choices: [ReplyPiece], _ reply: CompletionReply) -> Document {
    document(
      isChunk: false,
      choices: choices.map { piece in
        var members: [(String, Document)] = [("index", .integer(piece.choice))]
        if isChat {
          members.append(
            (
              "message",
              .object([
                ("role", "assistant"), ("content", .string(piece.text)), ("refusal", nil),
              ])
            ))
        } else {
          members.append(("text", .string(piece.text)))
        }
        members.append(("logprobs", logProbs(piece)))
        members.append(("finish_reason", piece.finish.map(Document.string) ?? nil))
        return .object(members)
      }, usage: Self.usage(reply))
  }

  /// Before the first text of a chat's choice.
  func opening(choice: Int) -> [UInt8] {
    event(choice: choice, delta: [("role", "assistant"), ("content", "")], nil, finish: nil)
  }

  /// The events of a piece: its text, then its end.
  func events(_ piece: ReplyPiece) -> [UInt8] {
    var bytes: [UInt8] = []
    if !piece.text.isEmpty || !piece.logProbs.isEmpty {
      bytes += event(
        choice: piece.choice, delta: [("content", .string(piece.text))], piece, finish: nil)
    }
    if let finish = piece.finish {
      bytes += event(choice: piece.choice, delta: [], nil, finish: finish)
    }
    return bytes
  }

  private func event(
    choice: Int, delta: [(String, Document)], _ piece: ReplyPiece?, finish: String?
  ) -> [UInt8] {
    var members: [(String, Document)] = [("index", .integer(choice))]
    members.append(
      isChat ? ("delta", .object(delta)) : ("text", .string(piece?.text ?? "")))
    members.append(("logprobs", piece.map(logProbs) ?? nil))
    members.append(("finish_reason", finish.map(Document.string) ?? nil))
    return Self.event(document(isChunk: true, choices: [.object(members)], usage: nil))
  }

  /// The last event before the end, for those who asked for it.
  func usageEvent(_ reply: CompletionReply) -> [UInt8] {
    Self.event(document(isChunk: true, choices: [], usage: Self.usage(reply)))
  }

  static let done = Array("data: [DONE]\n\n".utf8)

  static func event(_ document: Document) -> [UInt8] {
    Array("data: ".utf8) + JSON.writeBytes(document) + Array("\n\n".utf8)
  }

  private func document(isChunk: Bool, choices: [Document], usage: Document?) -> Document {
    let object =
      isChat ? (isChunk ? "chat.completion.chunk" : "chat.completion") : "text_completion"
    var members: [(String, Document)] = [
      ("id", .string(id)), ("object", .string(object)), ("created", .integer(created)),
      ("model", .string(model)), ("choices", .array(choices)),
    ]
    if let usage { members.append(("usage", usage)) }
    return .object(members)
  }

  private static func usage(_ reply: CompletionReply) -> Document {
    let (prompt, completion) = (reply.promptTokens, reply.completionTokens)
    return .object([
      ("prompt_tokens", .integer(prompt)), ("completion_tokens", .integer(completion)),
      ("total_tokens", .integer(prompt + completion)),
    ])
  }
}

extension APIAnswer {
  private func logProbs(_ piece: ReplyPiece) -> Document {
    guard wantsLogProbs else { return nil }
    return isChat ? chatLogProbs(piece.logProbs) : textLogProbs(piece.logProbs)
  }

  private func chatLogProbs(_ tokens: [TokenLogProb]) -> Document {
    func entry(_ token: Int32, _ logProb: Float) -> [(String, Document)] {
      let bytes = tokenizer.bytes(of: token)
      return [
        ("token", .string(String(decoding: bytes, as: UTF8.self))),
        ("logprob", .shortest(logProb)), ("bytes", .array(bytes.map { .integer(Int($0)) })),
      ]
    }
    let content = tokens.map { one in
      let best = one.alternatives.map { Document.object(entry($0.token, $0.logProb)) }
      return Document.object(
        entry(one.token, one.logProb) + [("top_logprobs", .array(best))])
    }
    return .object([("content", .array(content)), ("refusal", nil)])
  }

  private func textLogProbs(_ tokens: [TokenLogProb]) -> Document {
    let best = tokens.map { one -> Document in
      guard !one.alternatives.isEmpty else { return nil }
      // Two tokens may be written alike; the more probable one is told.
      var members: [(String, Document)] = []
      for alternative in one.alternatives {
        let name = written(alternative.token)
        if members.contains(where: { $0.0 == name }) { continue }
        members.append((name, .shortest(alternative.logProb)))
      }
      return .object(members)
    }
    return .object([
      ("tokens", .array(tokens.map { .string(written($0.token)) })),
      ("token_logprobs", .array(tokens.map { .shortest($0.logProb) })),
      ("top_logprobs", .array(best)),
      ("text_offset", .array(tokens.map { .integer($0.offset) })),
    ])
  }

  /// A part of a character as OpenAI's completions write it: `bytes:\xe2\x82`.
  private func written(_ token: Int32) -> String {
    let bytes = tokenizer.bytes(of: token)
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    return "bytes:"
      + bytes.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
