// A checkpoint in a folder of files, made as the product makes it: aside, each file synced, the
// folder synced, renamed, its parent synced; believed only when every digest agrees.

import Digests
import Documents
import Experience
import Safetensors
import Wire

struct Checkpoint {
  var policy: Work.Policy
  var version: PolicyVersion
  var chain: Digest

  static func name(_ number: Int) -> String { "step-\(number)" }

  private static func number(of folder: String) -> Int? {
    folder.hasPrefix("step-") ? Int(folder.dropFirst(5).prefix { $0 != "-" }) : nil
  }

  /// `mayDie` stands at each place where a process can end.
  func save(
    in files: SimulatedFiles, aside: String, syncing: Bool, mayDie: () throws -> Void
  ) rethrows {
    let folder = "checkpoints/\(aside)"
    files.remove(folder)
    let model = SnapshotCodec.encode(policy.tensors, version: version)
    let pool = policy.pool
    let optimizer = Array("\(policy.updates) \(pool.level) \(pool.count) \(pool.correct)".utf8)
    let state = Document.object([
      ("lineage", .string(version.lineage)), ("version", .integer(version.number)),
      ("digest", .string(version.digest.hexadecimal)), ("chain", .string(chain.hexadecimal)),
      ("model", .string(Digest(of: model).hexadecimal)),
      ("optimizer", .string(Digest(of: optimizer).hexadecimal)),
    ])
    let contents = [
      ("model", model), ("optimizer", optimizer), ("state", JSON.writeBytes(state)),
    ]
    for (name, bytes) in contents {
      files.write("\(folder)/\(name)", bytes)
      try mayDie()
      if syncing { files.sync("\(folder)/\(name)") }
    }
    if syncing { files.syncFolder(folder) }
    try mayDie()
    files.rename(from: folder, to: "checkpoints/\(unusedName(in: files))")
    try mayDie()
    if syncing { files.syncFolder("checkpoints") }
    try mayDie()
  }

  private func unusedName(in files: SimulatedFiles) -> String {
    let taken = Set(files.folders(of: "checkpoints"))
    let first = Self.name(version.number)
    var name = first
    var attempt = 2
    while taken.contains(name) {
      name = "\(first)-\(attempt)"
      attempt += 1
    }
    return name
  }

  /// The newest that can be believed, at most so many steps on.
  static func newestGood(
    in files: SimulatedFiles, atMost most: Int?, believing: Bool
  ) -> Checkpoint? {
    let folders = files.folders(of: "checkpoints").filter { number(of: $0) != nil }
      .sorted { (number(of: $0)!, $0) > (number(of: $1)!, $1) }
    for folder in folders where number(of: folder)! <= most ?? .max {
      if let good = try? read("checkpoints/\(folder)", in: files, believing: believing) {
        return good
      }
    }
    return nil
  }

  private static func read(
    _ folder: String, in files: SimulatedFiles, believing: Bool
  ) throws -> Checkpoint? {
    guard let text = files.read("\(folder)/state"), let model = files.read("\(folder)/model"),
      let optimizer = files.read("\(folder)/optimizer")
    else { return nil }
    let state = try Fields(JSON.parse(text, source: folder), source: folder)
    func digest(_ key: String) throws -> Digest? { Digest(hexadecimal: try state.string(key)) }
    if !believing {
      guard try digest("model") == Digest(of: model),
        try digest("optimizer") == Digest(of: optimizer)
      else { return nil }
    }
    let numbers = String(decoding: optimizer, as: UTF8.self).split(separator: " ").map { Int($0) }
    func number(_ index: Int) -> Int { index < numbers.count ? numbers[index] ?? 0 : 0 }
    let pool = CurriculumState(level: number(1), count: number(2), correct: number(3))
    let tensors = (try? SnapshotCodec.decode(model).tensors) ?? []
    guard let chain = try digest("chain"), let claimed = try digest("digest") else { return nil }
    return Checkpoint(
      policy: Work.Policy(tensors: tensors, updates: number(0), pool: pool),
      version: PolicyVersion(
        lineage: try state.string("lineage"),
        number: try state.integer("version", in: 0...Int.max), digest: claimed), chain: chain)
  }

  /// The two newest and the first stay.
  static func rotate(in files: SimulatedFiles) {
    let folders = files.folders(of: "checkpoints").filter { number(of: $0) ?? 0 > 0 }
      .sorted { (number(of: $0)!, $0) > (number(of: $1)!, $1) }
    for folder in folders.dropFirst(2) { files.remove("checkpoints/\(folder)") }
  }
}
