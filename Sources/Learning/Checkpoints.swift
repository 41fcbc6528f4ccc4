// Checkpoints on disk: Hugging Face folders with the optimizer's state and the run's beside them.
//
//   checkpoints/step-000100/  config.json  model.safetensors  tokenizer.json  ...
//                             optimizer.safetensors  state.json
//   checkpoints/latest        the name of the newest one that a step commit has named
//
// A folder is written aside, every file fsynced, then renamed, then its parent fsynced: after a
// crash there is the whole folder or none. state.json carries a digest of every other file and one
// of its own other members, and a folder is believed only after all of them agree. Folders never
// replace one another.

import Digests
import Documents
import Experience
import Glibc
import Operations
import Policy
import Wire

/// What a checkpoint says of itself.
public struct CheckpointState: Equatable, Sendable {
  public var version: PolicyVersion
  /// The chain of step digests up to this version; see `Learner`.
  public var chain: Digest
  /// How the pool of exercises stands; nil without a curriculum.
  public var curriculum: CurriculumState?

  public init(version: PolicyVersion, chain: Digest, curriculum: CurriculumState? = nil) {
    self.version = version
    self.chain = chain
    self.curriculum = curriculum
  }
}

/// A checkpoint whose every digest agrees. Its weights and the optimizer's state, which are most of
/// it, are still on disk, to be read straight to where they are used.
public struct LoadedCheckpoint: Sendable {
  public var name: String
  public var state: CheckpointState
  public var model: ModelFolder
  public var tokenizer: Tokenizer
  /// Where its moments and masters are.
  public var optimizerPath: String
}

public struct Checkpoints {
  /// The format of state.json. Format 1 had no seal, 2 no curriculum; a higher number is refused.
  /// Without a curriculum it is written as format 2.
  public static let format = 3
  static let stateName = "state.json"
  private static let optimizerName = "optimizer.safetensors"
  /// Without these a folder is no checkpoint, whatever its state.json lists.
  private static let neededFiles = [
    "config.json", "model.safetensors", "tokenizer.json", optimizerName,
  ]

  public let folder: String
  private let log: Log

  public init(folder: String, log: Log = .silent) throws(Failure) {
    self.folder = folder
    self.log = log
    try Files.makeFolder(folder)
  }

  public static func name(step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
  }

  public func path(_ name: String) -> String { "\(folder)/\(name)" }

  /// Names of all checkpoints, newest first.
  public func names() throws(Failure) -> [String] {
    try Files.list(folder).filter { Self.step(of: $0) != nil }
      .sorted { (Self.step(of: $0) ?? 0, $0) > (Self.step(of: $1) ?? 0, $1) }
  }

  /// The step of "step-000100" or "step-000100-2"; nil for anything else.
  static func step(of name: String) -> Int? {
    guard name.hasPrefix("step-") else { return nil }
    return Int(name.dropFirst(5).prefix { $0 != "-" })
  }
}

// MARK: - Writing

extension Checkpoints {
  /// Writes a checkpoint durably; its name.
  public func save(
    _ state: CheckpointState, configuration: ModelConfiguration, weights: WeightTensors,
    tokenizer: Tokenizer, optimizer: CPUOptimizer
  ) throws -> String {
    let aside = "\(folder)/.writing-\(state.version.number)-\(getpid())"
    try Files.remove(aside)
    try Files.makeFolder(aside)
    try ModelFolder.write(
      to: aside, configuration: configuration, weights: weights, tokenizer: tokenizer)
    try optimizer.write(path: "\(aside)/\(Self.optimizerName)")
    FaultHooks.reach("checkpoint.files")
    var digests: [(String, Document)] = []
    for name in try Files.list(aside) {
      digests.append((name, .string(try Self.digest(ofFile: "\(aside)/\(name)").hexadecimal)))
    }
    let members: [(String, Document)] =
      [
        ("format", .integer(state.curriculum == nil ? 2 : Self.format)),
        ("lineage", .string(state.version.lineage)),
        ("version", .integer(state.version.number)),
        ("digest", .string(state.version.digest.hexadecimal)),
        ("chain", .string(state.chain.hexadecimal)), ("files", .object(digests)),
      ] + (state.curriculum.map { [("curriculum", $0.document)] } ?? [])
    let document = Document.object(
      members + [("seal", .string(Self.seal(.object(members)).hexadecimal))])
    try Files.writeDurably("\(aside)/\(Self.stateName)", JSON.write(document, pretty: true))
    try Files.synchronizeFolder(aside, log: log)
    FaultHooks.reach("checkpoint.whole")
    let name = unusedName(step: state.version.number)
    try Files.renameDurably(from: aside, to: path(name), log: log)
    FaultHooks.reach("checkpoint.renamed")
    return name
  }

  /// A crashed attempt, or a fork, may have left a folder for this step: it stays as it is.
  private func unusedName(step: Int) -> String {
    let first = Self.name(step: step)
    var name = first
    var attempt = 2
    while Files.exists(path(name)) {
      name = "\(first)-\(attempt)"
      attempt += 1
    }
    return name
  }

  /// Points `latest` at a checkpoint that a commit has named.
  public func setLatest(_ name: String) throws(Failure) {
    try Files.writeDurably("\(folder)/latest", name + "\n", log: log)
  }

  /// The name `latest` holds; nil when it names no checkpoint that is there.
  public func latest() -> String? {
    guard let text = try? Files.readText("\(folder)/latest", maximumBytes: 256) else { return nil }
    let name = String(text.prefix { !$0.isNewline })
    return Self.step(of: name) != nil && Files.isFolder(path(name)) ? name : nil
  }

  /// Removes the oldest checkpoints beyond `keep`; the first model stays for ever. Only those that
  /// are read back whole are counted, so that a bad one never pushes out a good one, and two
  /// attempts at one step count once; bad ones stay where they are, for a person to look at. Told
  /// to stop it leaves the rest for the next time.
  public func rotate(keep: Int, shouldStop: () -> Bool = { false }) throws {
    let names = try names().filter { Self.step(of: $0) != 0 }
    let keep = max(2, keep)
    guard names.count > keep else { return }
    var good: Set<Int> = []
    for name in names {
      if shouldStop() { return }
      guard let step = Self.step(of: name) else { continue }
      if good.count >= keep, !good.contains(step) {
        try Files.remove(path(name))
        log.debug("removed checkpoint \(name)")
        continue
      }
      do {
        _ = try readState(name)
        good.insert(step)
      } catch {
        log.error("checkpoint \(name) does not count among the \(keep) kept: \(error)")
      }
    }
  }

  /// Removes what crashed attempts left half written.
  public func removeUnfinished() throws(Failure) {
    for name in try Files.list(folder) where name.hasPrefix(".writing-") {
      try Files.remove(path(name))
    }
  }
}

// MARK: - Reading

extension Checkpoints {
  /// The newest checkpoint whose every digest agrees, at most `version` steps on; bad ones are
  /// logged and passed over. Nil when there is none.
  public func newestGood(atMost version: Int? = nil) throws(Failure) -> LoadedCheckpoint? {
    for name in try names() {
      if let version, let step = Self.step(of: name), step > version { continue }
      do {
        return try load(name)
      } catch {
        log.error("checkpoint \(name) is passed over: \(error)")
      }
    }
    return nil
  }

  public func load(_ name: String) throws -> LoadedCheckpoint {
    let state = try readState(name)
    let model = try ModelFolder(path: path(name))
    try model.checkWeights()
    let optimizerPath = "\(path(name))/\(Self.optimizerName)"
    try CPUOptimizer.check(path: optimizerPath)
    return LoadedCheckpoint(
      name: name, state: state, model: model, tokenizer: try model.tokenizer(),
      optimizerPath: optimizerPath)
  }

  /// The tokenizer of a checkpoint, its digest checked: what showing tokens needs, without reading
  /// the weights.
  public func tokenizer(_ name: String) throws -> Tokenizer {
    let manifest = try readManifest(name)
    for file in manifest.files where !file.name.hasSuffix(".safetensors") {
      try check(file, of: name)
    }
    return try ModelFolder(path: path(name)).tokenizer()
  }

  /// Reads state.json and holds every file against its digest.
  public func readState(_ name: String) throws -> CheckpointState {
    let manifest = try readManifest(name)
    for file in manifest.files { try check(file, of: name) }
    return manifest.state
  }

  private struct Manifest {
    var state: CheckpointState
    var files: [(name: String, digest: String)]
  }

  private func readManifest(_ name: String) throws -> Manifest {
    let path = "\(path(name))/\(Self.stateName)"
    let document = try JSON.parse(Files.read(path), source: path)
    let fields = try Fields(document, source: path)
    let format = try fields.integer("format", in: 0...Int.max)
    guard (1...Self.format).contains(format) else {
      throw fields.error(
        "format", "is \(format); this program reads up to \(Self.format): use a newer one")
    }
    if format >= 2 {
      let seal = try fields.digest("seal")
      guard case .object(let members) = document.value else { throw fields.error("", "no mapping") }
      let rest = members.filter { $0.key != "seal" }.map { ($0.key, $0.value) }
      guard Self.seal(.object(rest)) == seal else {
        throw fields.error("seal", "is not the digest of the other members: the file was altered")
      }
    }
    let version = PolicyVersion(
      lineage: try fields.string("lineage"),
      number: try fields.integer("version", in: 0...Int.max),
      digest: try fields.digest("digest"))
    let state = CheckpointState(
      version: version, chain: try fields.digest("chain"),
      curriculum: format >= 3 ? try CurriculumState(reading: fields.section("curriculum")) : nil)
    guard case .object(let members)? = fields.document("files")?.value else {
      throw fields.error("files", "is missing")
    }
    try fields.finish()
    var files: [(name: String, digest: String)] = []
    for member in members {
      // A name that leaves the folder could be a device that never ends.
      guard !member.key.contains("/"), !member.key.hasPrefix(".") else {
        throw fields.error("files", "names \(member.key.prefix(100)), which is not a file of it")
      }
      guard case .string(let digest) = member.value.value else {
        throw fields.error("files", "has a value that is not a digest")
      }
      files.append((member.key, digest))
    }
    for needed in Self.neededFiles where !files.contains(where: { $0.name == needed }) {
      throw fields.error("files", "has no digest of \(needed)")
    }
    return Manifest(state: state, files: files)
  }

  private func check(_ file: (name: String, digest: String), of name: String) throws {
    let path = "\(path(name))/\(file.name)"
    let found = try Self.digest(ofFile: path).hexadecimal
    guard found == file.digest else {
      throw Failure(
        "read", on: path,
        happened: "its digest is \(found.prefix(12)), state.json says \(file.digest.prefix(12))",
        remedy: "the file was changed or damaged; an older checkpoint is used instead",
        exitCode: .badInput)
    }
  }

  /// Over what state.json says but for the seal itself, written the shortest way.
  package static func seal(_ document: Document) -> Digest {
    Digest(of: Array(JSON.write(document).utf8))
  }

  /// Digests a file without holding it whole.
  static func digest(ofFile path: String) throws(Failure) -> Digest {
    guard let file = fopen(path, "rb") else { throw .system("open", on: path, exitCode: .noInput) }
    defer { fclose(file) }
    let digester = Digester()
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { chunk.deallocate() }
    while true {
      let count = fread(chunk.baseAddress!, 1, chunk.count, file)
      digester.update(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
      if count < chunk.count { break }
    }
    guard ferror(file) == 0 else { throw .system("read", on: path, exitCode: .storage) }
    return digester.finish()
  }
}

extension Fields {
  /// A digest in hexadecimal.
  func digest(_ key: String) throws(DocumentError) -> Digest {
    guard let digest = Digest(hexadecimal: try string(key)) else {
      throw error(key, "is not a digest of 64 hexadecimal digits")
    }
    return digest
  }
}
