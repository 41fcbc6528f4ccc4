// A job's tokens as pieces of text, on the thread of the connection that waits for them.

import Experience
import HTTP
import Operations
import Policy

/// A sampled token as `logprobs` tells it.
struct TokenLogProb {
  var token: Int32
  var logProb: Float
  var alternatives: [RankedToken]
  /// Characters of the choice's text before it.
  var offset: Int
}

/// What is new of one choice.
struct ReplyPiece {
  var choice: Int
  var text: String
  var logProbs: [TokenLogProb] = []
  /// "stop" or "length", in a choice's last piece.
  var finish: String?
}

/// Nobody waits for the answer any more.
struct ClientGone: Error {}

/// Belongs to one thread at a time, that of its connection.
final class CompletionReply: @unchecked Sendable {
  private struct Choice {
    var text: ChoiceText
    var isOver = false
    /// Scalars told, or held back.
    var characters = 0
    /// Of tokens whose text is held back.
    var logProbs: [TokenLogProb] = []
  }

  let job: CompletionJob
  private let client: HTTPClient
  private let wantsLogProbs: Bool
  private let meters: ServeMeters
  private let deadline = Deadline.after(seconds: ServeLimits.requestSeconds)
  private var choices: [Choice]
  private var overCount = 0
  /// Tokens sampled and kept.
  private(set) var completionTokens = 0

  init(
    _ job: CompletionJob, client: HTTPClient, tokenizer: Tokenizer, stops: [[UInt8]],
    wantsLogProbs: Bool, meters: ServeMeters
  ) {
    self.job = job
    self.client = client
    self.wantsLogProbs = wantsLogProbs
    self.meters = meters
    choices = (0..<job.choiceCount).map { _ in Choice(text: ChoiceText(tokenizer, stops: stops)) }
  }

  var promptTokens: Int { job.work.reduce(0) { $0 + $1.prompt.count } }
  var isOver: Bool { overCount == choices.count }

  /// The next pieces, waiting for them; nil when every choice is over.
  func next() throws -> [ReplyPiece]? {
    while !isOver {
      if client.isGone {
        abandon()
        throw ClientGone()
      }
      if deadline.hasPassed {
        abandon()
        throw APIError(
          status: 503, message: "the answer took longer than \(Int(ServeLimits.requestSeconds)) s",
          parameter: nil, code: "timeout")
      }
      var pieces: [ReplyPiece] = []
      for event in job.events(deadline: .after(seconds: ServeLimits.lookSeconds)) {
        switch event {
        case .token(let choice, let drawn): take(drawn, choice, &pieces)
        case .end(let choice, let reason): end(choice, reason.rawValue, &pieces)
        case .aborted:
          throw APIError(
            status: 503, message: "the server is stopping", parameter: nil, code: "stopping")
        }
      }
      if !pieces.isEmpty { return pieces }
    }
    return nil
  }

  /// The client is gone, or what it asked for is over.
  func abandon() {
    guard !isOver, !job.isCancelled else { return }
    job.cancel()
    meters.meters.add(ServeMeters.cancelled)
  }

  private func take(_ drawn: DrawnToken, _ index: Int, _ pieces: inout [ReplyPiece]) {
    guard !choices[index].isOver else { return }
    completionTokens += 1
    let text = choices[index].text.take(drawn.token)
    if wantsLogProbs {
      choices[index].logProbs.append(
        TokenLogProb(
          token: drawn.token, logProb: drawn.logProb, alternatives: drawn.alternatives,
          offset: choices[index].characters))
    }
    choices[index].characters += text.unicodeScalars.count
    if choices[index].text.isStopped {
      job.leave(choice: index)
      tell(text, index, finish: FinishReason.stop.rawValue, &pieces)
    } else if !text.isEmpty {
      tell(text, index, finish: nil, &pieces)
    }
  }

  private func end(_ index: Int, _ reason: String, _ pieces: inout [ReplyPiece]) {
    guard !choices[index].isOver else { return }
    let rest = choices[index].text.finish()
    let isStopped = choices[index].text.isStopped
    tell(rest, index, finish: isStopped ? FinishReason.stop.rawValue : reason, &pieces)
  }

  private func tell(
    _ text: String, _ index: Int, finish: String?, _ pieces: inout [ReplyPiece]
  ) {
    pieces.append(
      ReplyPiece(
        choice: index, text: text, logProbs: choices[index].logProbs, finish: finish))
    choices[index].logProbs = []
    guard finish != nil else { return }
    choices[index].isOver = true
    overCount += 1
    if isOver { meters.ended(job) }
  }
}
