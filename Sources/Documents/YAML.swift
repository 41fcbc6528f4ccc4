/// Reads YAML by libyaml: scalars stay `.plain` (or `.string` when quoted) until a type is asked for.
public enum YAML {
  public static func parse(_ bytes: [UInt8], source: String) throws(DocumentError) -> Document {
    fatalError()
  }

  /// Block style, keys in order; what `parse` reads back equal under `Fields`.
  public static func write(_ document: Document) -> String {
    fatalError()
  }
}
