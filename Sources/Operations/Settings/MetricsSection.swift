// Where a run's processes answer a scraper: one port each, from one address on, so that what
// scrapes them can be set up once.

import Documents

public struct MetricsSection: Sendable {
  /// "" answers nobody. HOST:PORT: `forage run` has this port, and the others the ones after it.
  public var listen: String
  /// An address others reach is refused unless this names the risk.
  public var allowRoutable: Bool

  init(_ fields: Fields) throws(DocumentError) {
    listen = try fields.string("listen", default: "", maximumLength: 255)
    allowRoutable = try fields.bool("allowRoutable", default: false)
    guard !listen.isEmpty else { return }
    guard let port = Self.split(listen)?.port, port > 0 else {
      throw fields.error("listen", "expected HOST:PORT, as in 127.0.0.1:45920")
    }
  }

  /// Whose page it is.
  public enum Page: Sendable, Equatable {
    case run, replay, learner
    case actor(Int)

    var offset: Int {
      switch self {
      case .run: 0
      case .replay: 1
      case .learner: 2
      case .actor(let index): 3 + index
      }
    }
  }

  /// HOST:PORT of a page; nil where there are none, and beyond the last port.
  public func address(of page: Page) -> String? {
    guard let (host, first) = Self.split(listen), first + page.offset <= 65_535 else { return nil }
    return "\(host):\(first + page.offset)"
  }

  private static func split(_ text: String) -> (host: Substring, port: Int)? {
    guard let colon = text.lastIndex(of: ":"), colon > text.startIndex,
      let port = Int(text[text.index(after: colon)...]), 0...65_535 ~= port
    else { return nil }
    return (text[..<colon], port)
  }
}
