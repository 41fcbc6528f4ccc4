// A checkpoint of one run as the beginning of another: the same bytes under a new lineage.

import Documents
import Experience
import Glibc
import Operations

/// Moments and masters of a 4-billion-parameter model in F32: the largest file copied.
private let maximumFileBytes = 3 << 34

extension Checkpoints {
  /// Copies a checkpoint of `other`, every digest of it checked first; only its lineage changes.
  public func adopt(_ name: String, from other: Checkpoints, lineage: String) throws {
    _ = try other.readState(name)
    let aside = "\(folder)/.writing-\(name)-\(getpid())"
    try Files.remove(aside)
    try Files.makeFolder(aside)
    for file in try Files.list(other.path(name)) where file != Self.stateName {
      let bytes = try Files.read(
        "\(other.path(name))/\(file)", maximumBytes: maximumFileBytes)
      try Files.writeDurably("\(aside)/\(file)", bytes)
    }
    let path = "\(other.path(name))/\(Self.stateName)"
    let state = try Self.renamed(JSON.parse(Files.read(path), source: path), lineage: lineage)
    try Files.writeDurably("\(aside)/\(Self.stateName)", JSON.write(state, pretty: true))
    try Files.synchronizeFolder(aside)
    try Files.renameDurably(from: aside, to: self.path(name))
    _ = try readState(name)
  }

  /// What state.json says under another lineage, sealed anew where it was sealed.
  private static func renamed(_ state: Document, lineage: String) throws -> Document {
    guard case .object(let members) = state.value else { return state }
    var rest: [(String, Document)] = []
    var sealed = false
    for member in members {
      if member.key == "seal" {
        sealed = true
      } else {
        rest.append((member.key, member.key == "lineage" ? .string(lineage) : member.value))
      }
    }
    guard sealed else { return .object(rest) }
    return .object(rest + [("seal", .string(seal(.object(rest)).hexadecimal))])
  }

  /// The names of the checkpoints of this version, the latest attempt last.
  public func names(version: Int) throws(Failure) -> [String] {
    try names().filter { Self.step(of: $0) == version }.reversed()
  }
}
