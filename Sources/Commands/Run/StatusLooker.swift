// Asks replay how a run stands. A looker takes no part: it holds nothing and delays nobody.

import Documents
import Experience
import Messaging
import Wire

final class StatusLooker {
  /// A replay that commits to a slow disk answers within this.
  static let answerMilliseconds = 1_000

  private let context: MessagingContext
  private let client: DealerClient
  private var nextID = 1

  init(endpoint: String) throws {
    context = try MessagingContext()
    client = try DealerClient(to: endpoint, peer: "replay", in: context)
  }

  /// Replay's account; nil when it does not answer in time.
  func ask(milliseconds: Int = answerMilliseconds) -> Document? {
    let id = nextID
    nextID += 1
    let frames = Envelope(id: id, body: Request.status).encoded()
    var answer: Document?
    _ = try? client.exchange(
      frames,
      matching: { reply in
        guard let envelope = try? Envelope<Reply>(decoding: reply), envelope.id == id else {
          return false
        }
        if case .status(let document) = envelope.body { answer = document }
        return true
      }, deadlineMilliseconds: milliseconds)
    return answer
  }
}
