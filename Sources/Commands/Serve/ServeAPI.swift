// The paths of the server: OpenAI's interface under /v1, and the pages a process is looked at by.

import Documents
import HTTP
import Operations

final class ServeAPI: Sendable {
  private let model: ServedModel
  private let scheduler: Scheduler
  private let meters: ServeMeters
  private let account: @Sendable () -> ProcessAccount
  private let created = Int(WallClock.milliseconds / 1000)

  init(
    model: ServedModel, scheduler: Scheduler, meters: ServeMeters,
    account: @escaping @Sendable () -> ProcessAccount
  ) {
    self.model = model
    self.scheduler = scheduler
    self.meters = meters
    self.account = account
  }

  private static let completions = "/v1/completions"
  private static let chats = "/v1/chat/completions"
  private static let models = "/v1/models"
  static let health = "/healthz"
  static let readiness = "/readyz"
  static let metrics = "/metrics"

  /// Whoever asks for these proves nothing and learns nothing but that they are there.
  static func isOpen(_ path: String) -> Bool { path == health || path == readiness }

  func answer(_ request: HTTPRequest) -> HTTPResponse {
    do throws(APIError) {
      let (path, response) = try route(request)
      meters.answered(path: path, status: response.status)
      return response
    } catch {
      let known = [Self.completions, Self.chats, Self.models].contains(request.path)
      meters.answered(path: known ? request.path : "other", status: error.status)
      return error.response
    }
  }

  private func route(
    _ request: HTTPRequest
  ) throws(APIError) -> (path: String, HTTPResponse) {
    func get() throws(APIError) { try allow(request, ["GET", "HEAD"]) }
    switch request.path {
    case Self.completions, Self.chats:
      try allow(request, ["POST"])
      return (request.path, try complete(request, isChat: request.path == Self.chats))
    case Self.models:
      try get()
      let list = Document.object([("object", "list"), ("data", .array([describe()]))])
      return (Self.models, json(list))
    case _ where request.path.hasPrefix(Self.models + "/"):
      try get()
      try check(model: String(request.path.dropFirst(Self.models.count + 1)))
      return (Self.models, json(describe()))
    case Self.health:
      try get()
      return (Self.health, .text("alive\n"))
    case Self.readiness:
      try get()
      let isStopping = scheduler.isStopping
      let response = HTTPResponse.text(
        isStopping ? "stopping\n" : "ready\n", status: isStopping ? 503 : 200)
      return (Self.readiness, response)
    case Self.metrics:
      try get()
      meters.meters.set(ServeMeters.waiting, Double(scheduler.waitingCount))
      let text = meters.meters.text(account())
      let page = HTTPResponse(
        contentType: StatusPages.contentType, body: .bytes(Array(text.utf8)))
      return (Self.metrics, page)
    default:
      throw APIError(
        status: 404,
        message: "there is no \(request.path); there are \(Self.models), \(Self.completions) and "
          + Self.chats, parameter: nil, code: "not_found")
    }
  }

  private func allow(_ request: HTTPRequest, _ methods: [String]) throws(APIError) {
    guard methods.contains(request.method) else {
      throw APIError(
        status: 405, message: "\(request.path) is asked with \(methods[0]), not \(request.method)",
        parameter: nil, code: "method_not_allowed")
    }
  }

  private func check(model name: String) throws(APIError) {
    let names = scheduler.names
    guard names.contains(name) else {
      throw APIError(
        status: 404, message: "there is no model \"\(name)\"; there is \"\(names[0])\"",
        parameter: "model", code: "model_not_found")
    }
  }

  private func describe() -> Document {
    .object([
      ("id", .string(scheduler.names[0])), ("object", "model"), ("created", .integer(created)),
      ("owned_by", "forage"), ("max_model_len", .integer(model.context)),
    ])
  }

  private func json(_ document: Document) -> HTTPResponse {
    HTTPResponse(contentType: "application/json", body: .bytes(JSON.writeBytes(document)))
  }

  private func complete(_ http: HTTPRequest, isChat: Bool) throws(APIError) -> HTTPResponse {
    let request = try APIRequest(body: http.body, isChat: isChat)
    try check(model: request.model)
    let job = try model.job(request)
    let name: String
    switch scheduler.submit(job) {
    case .taken(let taker): name = taker
    case .full:
      throw APIError(
        status: 429, message: "too many requests wait already; try again in a while",
        parameter: nil, code: "queue_full")
    case .stopping:
      throw APIError(
        status: 503, message: "the server is stopping", parameter: nil, code: "stopping")
    }
    let reply = CompletionReply(
      job, client: http.client, tokenizer: model.tokenizer, stops: request.stops,
      wantsLogProbs: request.wantsLogProbs, meters: meters)
    let answer = APIAnswer(request, model: name, tokenizer: model.tokenizer)
    return request.isStreamed
      ? stream(reply, answer, includesUsage: request.includesUsage)
      : try whole(reply, answer)
  }

  private func whole(_ reply: CompletionReply, _ answer: APIAnswer) throws(APIError) -> HTTPResponse
  {
    var choices = (0..<reply.job.choiceCount).map { ReplyPiece(choice: $0, text: "") }
    do {
      while let pieces = try reply.next() {
        for piece in pieces {
          choices[piece.choice].text += piece.text
          choices[piece.choice].logProbs += piece.logProbs
          choices[piece.choice].finish = piece.finish
        }
      }
    } catch let error as APIError {
      throw error
    } catch {
      // The client is gone: nobody reads this.
      throw APIError(status: 503, message: "\(error)", parameter: nil, code: nil)
    }
    return json(answer.whole(choices, reply))
  }

  private func stream(
    _ reply: CompletionReply, _ answer: APIAnswer, includesUsage: Bool
  ) -> HTTPResponse {
    let events = EventStream(reply, answer, includesUsage: includesUsage)
    return HTTPResponse(
      contentType: "text/event-stream; charset=utf-8", headers: [("Cache-Control", "no-cache")],
      body: .stream { try events.next() }, whenDone: { reply.abandon() })
  }
}

/// A reply as server-sent events. Belongs to the thread of its connection.
private final class EventStream: @unchecked Sendable {
  private enum Phase { case opening, text, closing, over }

  private let reply: CompletionReply
  private let answer: APIAnswer
  private let includesUsage: Bool
  private var phase: Phase

  init(_ reply: CompletionReply, _ answer: APIAnswer, includesUsage: Bool) {
    self.reply = reply
    self.answer = answer
    self.includesUsage = includesUsage
    phase = answer.isChat ? .opening : .text
  }

  func next() throws -> [UInt8]? {
    switch phase {
    case .opening:
      phase = .text
      return (0..<reply.job.choiceCount).flatMap { answer.opening(choice: $0) }
    case .text:
      do {
        if let pieces = try reply.next() { return pieces.flatMap { answer.events($0) } }
      } catch let error as APIError {
        // The status is sent already: the error comes as an event.
        phase = .over
        return APIAnswer.event(error.document)
      }
      phase = .closing
      return try next()
    case .closing:
      phase = .over
      return (includesUsage ? answer.usageEvent(reply) : []) + APIAnswer.done
    case .over: return nil
    }
  }
}
