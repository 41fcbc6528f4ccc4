/// Reads and writes JSON by Jansson: duplicates refused, faults with line and column.
public enum JSON {
  /// The longest text read unless the caller says otherwise: a control frame or a config.
  public static let maximumByteCount = 1 << 20

  public static func parse(
    _ bytes: [UInt8], source: String, maximumByteCount: Int = maximumByteCount
  ) throws(DocumentError) -> Document {
    fatalError()
  }

  /// One line, unless `pretty`. Members keep their order. A number that is not finite is null.
  public static func write(_ document: Document, pretty: Bool = false) -> String {
    fatalError()
  }
}
