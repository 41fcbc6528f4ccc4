// What a server takes at most, with the reason for each number.

enum ServeLimits {
  /// A chat of a model's whole context, some four bytes a token, written as JSON.
  static let bodyBytes = 4 << 20
  static let messages = 1024
  /// Keys and values of all slots, as `forage generate` holds them.
  static let cacheBytes = 2 << 30
  static let defaultSlots = 16
  static let maximumSlots = 256
  /// Positions of a slot: longer contexts are asked for with --context.
  static let defaultContext = 2048
  /// Requests that wait for a slot; one more is answered 429.
  static let defaultQueue = 64
  static let maximumQueue = 1024
  /// Connections beside those whose requests wait or run: probes, idle clients, refusals.
  static let spareConnections = 32
  /// From a request to its last token, however busy the server is.
  static let requestSeconds = 3600.0
  /// How often a waiting connection looks whether its client is still there.
  static let lookSeconds = 0.1
  /// A stop signal lets what runs go on for so long.
  static let drainSeconds = 30.0
  /// A token is a header's worth.
  static let tokenFileBytes = 4096
}
