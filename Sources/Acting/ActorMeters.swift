// What an actor says to a scraper.

import Operations

enum ActorMeters {
  static let tokens = Meter("forage_actor_tokens_total", .counter, "Tokens sampled.")
  static let idleSeconds = Meter(
    "forage_actor_idle_seconds_total", .counter, "Seconds its compute thread waited for others.")
  static let version = Meter(
    "forage_actor_version", .gauge, "The policy version it holds; -1 before the first.")
}
