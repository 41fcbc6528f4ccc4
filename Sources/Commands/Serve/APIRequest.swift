// A request's body, read strictly: what this server cannot do is refused by the parameter's
// name, never ignored, and a parameter that changes nothing at its neutral value is taken with that
// value.

import Documents
import Experience
import Policy

/// What both kinds of completion ask for.
package struct APIRequest {
  enum Input {
    case texts([String])
    case tokens([[Int32]])
    case chat([ChatMessage])
  }

  static let maximumChoices = 128
  static let maximumStops = 4
  static let maximumStopBytes = 1024
  static let maximumAlternatives = 20
  /// As OpenAI's completions have it; a chat goes on as long as there is room.
  static let defaultNewTokens = 16
  static let leastTemperature = 0.01

  var model: String
  var input: Input
  /// Nil: as many as there is room for.
  var maximumNewTokens: Int?
  var temperature: Float
  var topP: Double
  var choices: Int
  var stops: [[UInt8]]
  var seed: UInt64?
  var isStreamed: Bool
  var includesUsage: Bool
  var wantsLogProbs: Bool
  var alternatives: Int

  /// As it is sampled with; nil for one that is above 0 and below the least.
  package static func temperature(_ asked: Double) -> Float? {
    // By the number that was read: as a Float the least itself is a little less.
    asked == 0 || asked >= leastTemperature ? Float(asked) : nil
  }

  var isChat: Bool { if case .chat = input { true } else { false } }
}

extension APIRequest {
  /// Taken and without effect: they name who asks, or what is kept of it.
  private static let idle = [
    "user", "metadata", "store", "safety_identifier", "prompt_cache_key", "service_tier",
  ]
  /// Taken at these values alone, at which they change nothing.
  private static let neutral: [(key: String, values: [Document])] = [
    ("best_of", [1]), ("echo", [false]), ("suffix", [""]), ("logit_bias", [.object([])]),
    ("presence_penalty", [0, 0.0]), ("frequency_penalty", [0, 0.0]), ("tools", [[]]),
    ("tool_choice", ["none", "auto"]), ("parallel_tool_calls", [false, true]),
    ("functions", [[]]), ("response_format", [.object([("type", "text")])]),
    ("modalities", [["text"]]),
  ]

  init(body: [UInt8], isChat: Bool) throws(APIError) {
    let reader = try APIReader(body: body)
    model = try reader.string("model")
    let asked = try reader.number("temperature", default: 1, in: 0...2)
    guard let taken = Self.temperature(asked) else {
      throw .bad(
        "temperature",
        "temperature is \(asked), expected 0, which is greedy, or "
          + "\(Self.leastTemperature) to 2")
    }
    temperature = taken
    topP = try reader.number("top_p", default: 1, in: 0...1)
    choices = try reader.integer("n", default: 1, in: 1...Self.maximumChoices)
    stops = try reader.stops()
    seed = try reader.optionalInteger("seed", in: .min ... .max).map {
      UInt64(bitPattern: Int64($0))
    }
    isStreamed = try reader.bool("stream")
    includesUsage = try reader.includesUsage(isStreamed: isStreamed)
    let tokens = 1...1_048_576
    let limit = try reader.optionalInteger("max_tokens", in: tokens)
    let newer = isChat ? try reader.optionalInteger("max_completion_tokens", in: tokens) : nil
    maximumNewTokens = newer ?? limit ?? (isChat ? nil : Self.defaultNewTokens)
    if isChat {
      wantsLogProbs = try reader.bool("logprobs")
      alternatives =
        try reader.optionalInteger("top_logprobs", in: 0...Self.maximumAlternatives) ?? 0
      guard wantsLogProbs || alternatives == 0 else {
        throw .bad("top_logprobs", "top_logprobs needs logprobs to be true")
      }
      input = .chat(try reader.messages())
    } else {
      let count = try reader.optionalInteger("logprobs", in: 0...Self.maximumAlternatives)
      (wantsLogProbs, alternatives) = (count != nil, count ?? 0)
      input = try reader.prompt(maximumCount: Self.maximumChoices)
    }
    for key in Self.idle { reader.pass(key) }
    for (key, values) in Self.neutral { try reader.neutral(key, values) }
    try reader.finish()
    guard promptCount * choices <= Self.maximumChoices else {
      throw .bad(
        "n",
        "\(promptCount) prompts with \(choices) choices each, expected at most "
          + "\(Self.maximumChoices) together")
    }
  }

  var promptCount: Int {
    switch input {
    case .texts(let texts): texts.count
    case .tokens(let prompts): prompts.count
    case .chat: 1
    }
  }
}

/// Reads one body; every refusal names its parameter.
private struct APIReader {
  private let fields: Fields
  private let document: Document

  init(body: [UInt8]) throws(APIError) {
    do throws(DocumentError) {
      document = try JSON.parse(body, source: "body", maximumByteCount: ServeLimits.bodyBytes)
      fields = try Fields(document, source: "body")
    } catch {
      throw .bad(nil, error.problem)
    }
  }

  private func reading<Value>(
    _ key: String, _ read: () throws(DocumentError) -> Value
  ) throws(APIError) -> Value {
    do throws(DocumentError) {
      return try read()
    } catch {
      throw .bad(key, error.problem)
    }
  }

  func string(_ key: String) throws(APIError) -> String {
    try reading(key) { () throws(DocumentError) in try fields.string(key) }
  }

  func number(
    _ key: String, default: Double, in range: ClosedRange<Double>
  ) throws(APIError) -> Double {
    try reading(key) { () throws(DocumentError) in
      try fields.number(key, default: `default`, in: range)
    }
  }

  func integer(
    _ key: String, default: Int, in range: ClosedRange<Int>
  ) throws(APIError) -> Int {
    try reading(key) { () throws(DocumentError) in
      try fields.integer(key, default: `default`, in: range)
    }
  }

  func optionalInteger(_ key: String, in range: ClosedRange<Int>) throws(APIError) -> Int? {
    guard fields.has(key) else { return nil }
    return try reading(key) { () throws(DocumentError) in try fields.integer(key, in: range) }
  }

  func bool(_ key: String) throws(APIError) -> Bool {
    try reading(key) { () throws(DocumentError) in try fields.bool(key, default: false) }
  }

  func includesUsage(isStreamed: Bool) throws(APIError) -> Bool {
    guard fields.has("stream_options") else { return false }
    guard isStreamed else { throw .bad("stream_options", "stream_options needs stream to be true") }
    return try reading("stream_options") { () throws(DocumentError) in
      let options = try fields.section("stream_options")
      _ = try options.bool("include_obfuscation", default: false)
      return try options.bool("include_usage", default: false)
    }
  }

  /// A text, or a few of them.
  func stops() throws(APIError) -> [[UInt8]] {
    guard fields.has("stop"), let value = fields.document("stop") else { return [] }
    let texts: [Document]
    switch value.value {
    case .array(let elements): texts = elements
    default: texts = [value]
    }
    guard texts.count <= APIRequest.maximumStops else {
      throw .bad("stop", "\(texts.count) texts, expected at most \(APIRequest.maximumStops)")
    }
    var stops: [[UInt8]] = []
    for text in texts {
      guard case .string(let text) = text.value, !text.isEmpty,
        text.utf8.count <= APIRequest.maximumStopBytes
      else {
        throw .bad(
          "stop", "stop is a text of 1 to \(APIRequest.maximumStopBytes) bytes, or a few of them")
      }
      stops.append(Array(text.utf8))
    }
    return stops
  }

  /// A text, texts, token ids, or sequences of them.
  func prompt(maximumCount: Int) throws(APIError) -> APIRequest.Input {
    guard fields.has("prompt"), let value = fields.document("prompt") else {
      throw .bad("prompt", "prompt is missing")
    }
    if case .string(let text) = value.value { return .texts([text]) }
    let problem = "prompt is a text, a list of texts, token ids, or a list of lists of them"
    guard case .array(let elements) = value.value, !elements.isEmpty else {
      throw .bad("prompt", problem)
    }
    if case .integer = elements[0].value { return .tokens([try ids(value)]) }
    guard elements.count <= maximumCount else {
      throw .bad("prompt", "\(elements.count) prompts, expected at most \(maximumCount)")
    }
    if case .string = elements[0].value {
      var texts: [String] = []
      for element in elements {
        guard case .string(let text) = element.value else { throw .bad("prompt", problem) }
        texts.append(text)
      }
      return .texts(texts)
    }
    var prompts: [[Int32]] = []
    for element in elements { prompts.append(try ids(element)) }
    return .tokens(prompts)
  }

  private func ids(_ value: Document) throws(APIError) -> [Int32] {
    guard case .array(let elements) = value.value, !elements.isEmpty else {
      throw .bad("prompt", "a list of token ids is empty or no list")
    }
    var ids: [Int32] = []
    ids.reserveCapacity(elements.count)
    for element in elements {
      guard case .integer(let id) = element.value, 0...Int(Int32.max) ~= id else {
        throw .bad("prompt", "\(JSON.write(element)) is no token id")
      }
      ids.append(Int32(id))
    }
    return ids
  }

  func messages() throws(APIError) -> [ChatMessage] {
    var messages: [ChatMessage] = []
    let entries = try reading("messages") { () throws(DocumentError) in
      try fields.sections("messages", maximumCount: ServeLimits.messages)
    }
    for (index, entry) in entries.enumerated() {
      let place = "messages[\(index)]"
      var role = try reading(place) { () throws(DocumentError) in try entry.string("role") }
      if role == "developer" { role = "system" }
      guard ["system", "user", "assistant"].contains(role) else {
        throw .bad(place + ".role", "\(role) is none of system, developer, user, assistant")
      }
      guard role != "system" || index == 0 else {
        throw .bad(place + ".role", "a system message stands first or nowhere")
      }
      let content = try content(entry, place)
      _ = entry.document("name")
      try neutral(entry, place, "refusal", [])
      try neutral(entry, place, "tool_calls", [[]])
      try reading(place) { () throws(DocumentError) in try entry.finish() }
      messages.append(ChatMessage(role: role, content: content))
    }
    guard !messages.isEmpty else { throw .bad("messages", "there are no messages") }
    return messages
  }

  /// A text, or parts of type text, which are put together.
  private func content(_ entry: Fields, _ place: String) throws(APIError) -> String {
    guard let value = entry.document("content") else {
      throw .bad(place + ".content", "content is missing")
    }
    if case .string(let text) = value.value { return text }
    guard case .array(let parts) = value.value else {
      throw .bad(place + ".content", "content is a text, or a list of parts of type text")
    }
    var text = ""
    for part in parts {
      guard part["type"] == "text", case .string(let words)? = part["text"]?.value else {
        throw .bad(place + ".content", "only parts {\"type\":\"text\",\"text\":...} are taken")
      }
      text += words
    }
    return text
  }

  func pass(_ key: String) { _ = fields.has(key) }

  func neutral(_ key: String, _ values: [Document]) throws(APIError) {
    try neutral(fields, "", key, values)
  }

  private func neutral(
    _ fields: Fields, _ place: String, _ key: String, _ values: [Document]
  ) throws(APIError) {
    guard fields.has(key), let value = fields.document(key), !values.contains(value) else { return }
    let name = place.isEmpty ? key : "\(place).\(key)"
    let taken = values.map { JSON.write($0) }.joined(separator: " or ")
    throw .bad(
      name,
      "\(name) is not something this server does"
        + (taken.isEmpty ? "; leave it out" : "; leave it out, or give \(taken)"),
      code: "unsupported_parameter")
  }

  func finish() throws(APIError) {
    guard case .object(let members) = document.value else { return }
    do throws(DocumentError) {
      try fields.finish()
    } catch {
      // The sentence begins with the key.
      let key = members.map(\.key).first { error.problem.hasPrefix($0 + " ") }
      throw .bad(
        key,
        error.problem.split(separator: ";").first.map { $0 + " this server knows" }
          ?? error.problem, code: "unknown_parameter")
    }
  }
}
