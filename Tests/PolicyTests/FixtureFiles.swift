import Documents
import Glibc
import Policy
import Safetensors

/// Files the scripts in Fixtures/ made, and folders that vanish with the test.
enum Fixtures {
  static let families = ["llama", "llama3", "qwen2", "qwen3"]

  static func path(_ name: String) -> String {
    let here = String(describing: #filePath)
    return here[..<here.lastIndex(of: "/")!] + "/Fixtures/" + name
  }

  static func bytes(_ path: String) -> [UInt8] {
    guard let file = fopen(path, "rb") else { fatalError("\(path) cannot be opened") }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 {
      bytes += chunk[..<count]
    }
    return bytes
  }

  static func write(_ bytes: [UInt8], _ path: String) {
    guard let file = fopen(path, "wb") else { fatalError("\(path) cannot be made") }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
  }

  /// Runs `body` with an empty folder.
  static func withFolder<Result>(_ body: (String) throws -> Result) rethrows -> Result {
    var template = Array("/tmp/forage-policy-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { fatalError("mkdtemp: errno \(errno)") }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { empty(path) }
    return try body(path)
  }

  private static func empty(_ path: String) {
    guard let folder = opendir(path) else { return }
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      unlink(path + "/" + name)
    }
    closedir(folder)
    rmdir(path)
  }
}

/// Repeatable choices for the fuzzers.
struct Chance: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}

/// Hostile changes of a document, and of its bytes.
enum Mutation {
  private static let values: [Document] = [
    nil, true, 0, 1, -1, 2, 7, .integer(.max), .integer(.min), .integer(1 << 21), .integer(1 << 40),
    .number(0.5), .number(1e300), .number(-1), "", "x", "silu", "Sequence", "BPE", [], .object([]),
    .string(String(repeating: "a", count: 5000)), [[["a"]]], .object([("type", "Sequence")]),
  ]

  /// One value somewhere replaced, removed, repeated or swapped.
  static func change(_ document: Document, _ chance: inout Chance) -> Document {
    if Int.random(in: 0..<6, using: &chance) == 0 { return values.randomElement(using: &chance)! }
    switch document.value {
    case .object(var members) where !members.isEmpty:
      let index = Int.random(in: 0..<members.count, using: &chance)
      switch Int.random(in: 0..<8, using: &chance) {
      case 0: members.remove(at: index)
      case 1:
        let other = Int.random(in: 0..<members.count, using: &chance)
        members[index] = .init(members[index].key, members[other].value)
      case 2: members[index] = .init(members[index].key + "x", members[index].value)
      default: members[index] = .init(members[index].key, change(members[index].value, &chance))
      }
      return Document(.object(members))
    case .array(var elements) where !elements.isEmpty:
      let index = Int.random(in: 0..<elements.count, using: &chance)
      switch Int.random(in: 0..<6, using: &chance) {
      case 0: elements.remove(at: index)
      case 1: elements.append(elements[index])
      default: elements[index] = change(elements[index], &chance)
      }
      return .array(elements)
    case .integer(let number): return .integer(number &+ Int.random(in: -2...2, using: &chance))
    default: return values.randomElement(using: &chance)!
    }
  }

  /// A byte flipped, removed or put in, or the end cut off.
  static func change(_ bytes: [UInt8], _ chance: inout Chance) -> [UInt8] {
    var bytes = bytes
    let place = Int.random(in: 0..<bytes.count, using: &chance)
    switch Int.random(in: 0..<4, using: &chance) {
    case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &chance)
    case 1: bytes.remove(at: place)
    case 2: bytes.insert(Array("{}[]\",:0-\\".utf8).randomElement(using: &chance)!, at: place)
    default: bytes.removeLast(bytes.count - place)
    }
    return bytes
  }
}
