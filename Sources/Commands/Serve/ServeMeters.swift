// The numbers of a server: what it was asked, what it sampled, how long people waited.

import Operations

final class ServeMeters: Sendable {
  static let requests = Meter(
    "forage_serve_requests_total", .counter, "Requests answered, by path and HTTP status.",
    labels: ["path", "status"])
  static let requestSeconds = Meter(
    "forage_serve_request_seconds", .histogram,
    "From a completion request's arrival to its last token.")
  static let firstTokenSeconds = Meter(
    "forage_serve_first_token_seconds", .histogram,
    "From a completion request's arrival to its first token: its wait for a slot, and its prompt.")
  static let promptTokens = Meter(
    "forage_serve_prompt_tokens_total", .counter, "Tokens of prompts run through the model.")
  static let completionTokens = Meter(
    "forage_serve_completion_tokens_total", .counter, "Tokens sampled.")
  static let cancelled = Meter(
    "forage_serve_cancelled_total", .counter, "Requests whose client went away.")
  static let waiting = Meter(
    "forage_serve_waiting_requests", .gauge, "Requests that wait for a slot.")
  static let running = Meter(
    "forage_serve_running_sequences", .gauge, "Sequences that are being sampled.")
  static let slots = Meter("forage_serve_slots", .gauge, "Sequences sampled at once at most.")

  let meters = Meters()

  init(slots: Int) {
    meters.set(Self.slots, Double(slots))
    for counter in [Self.promptTokens, Self.completionTokens, Self.cancelled] {
      meters.add(counter, 0)
    }
  }

  /// A prompt was run, which gave its first tokens.
  func started(_ job: CompletionJob, promptTokens: Int) {
    meters.add(Self.promptTokens, Double(promptTokens))
    if job.tellsFirstToken() {
      meters.observe(Self.firstTokenSeconds, nanoseconds: MonotonicClock.now - job.begun)
    }
  }

  func drew(_ tokens: Int, running: Int) {
    meters.add(Self.completionTokens, Double(tokens))
    meters.set(Self.running, Double(running))
  }

  func ended(_ job: CompletionJob) {
    meters.observe(Self.requestSeconds, nanoseconds: MonotonicClock.now - job.begun)
  }

  /// Paths that are none of the server's are one.
  func answered(path: String, status: Int) {
    meters.add(Self.requests, labels: [path, "\(status)"])
  }
}
