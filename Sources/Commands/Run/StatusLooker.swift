// Asks replay how a run stands. A looker takes no part: it holds nothing and delays nobody.

import Documents
import Experience
import Messaging
import Operations
import Wire

final class StatusLooker {
  /// A replay that commits to a slow disk answers within this.
  static let answerMilliseconds = 1_000

  private let context: MessagingContext
  private let client: DealerClient
  private var nextID = 1

  init(endpoint: String, keys: ClientKeys? = nil) throws {
    context = try MessagingContext()
    client = try DealerClient(to: endpoint, peer: "replay", in: context, keys: keys)
  }

  /// The same, but for keys that do not fit, which are thrown.
  func askStrictly(milliseconds: Int = answerMilliseconds) throws -> Document? {
    let answer = ask(milliseconds: milliseconds)
    if let refusal { throw refusal }
    return answer
  }

  /// Why the keys do not fit; nil as far as is known.
  private var refusal: MessagingError?

  /// Replay's account; nil when it does not answer in time.
  func ask(milliseconds: Int = answerMilliseconds) -> Document? {
    let id = nextID
    nextID += 1
    let frames = Envelope(id: id, body: Request.status).encoded()
    var answer: Document?
    do {
      _ = try client.exchange(
        frames,
        matching: { reply in
          guard let envelope = try? Envelope<Reply>(decoding: reply), envelope.id == id else {
            return false
          }
          if case .status(let document) = envelope.body { answer = document }
          return true
        }, deadlineMilliseconds: milliseconds)
    } catch {
      if case .keyRefused = error.reason { refusal = error }
    }
    return answer
  }
}

extension ClientKeys? {
  /// What whoever looks at a run of this host connects with; nil where there are no keys.
  static func looking(_ network: NetworkSection) throws(MessagingError) -> ClientKeys? {
    network.keys.isEmpty ? nil : try KeyFolder(network.keys).client(.looker)
  }
}
