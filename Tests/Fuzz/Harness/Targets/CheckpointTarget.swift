// state.json of a checkpoint, in a folder whose other files are there. It names files: none of them
// may be outside the folder, or something that has no end.

import Digests
import Documents
import Experience
import Glibc
import Learning

extension FuzzTarget {
  private static let model = Array("not really a model".utf8)

  private static let files = [
    "config.json", "model.safetensors", "optimizer.safetensors", "tokenizer.json",
  ]

  /// Without a seal, as format 1 was, so that what a mutation altered is read to its end; and with.
  private static func state(format: Int) -> [UInt8] {
    let digest = Document.string(Digest(of: model).hexadecimal)
    var members: [(String, Document)] = [
      ("format", .integer(format)), ("lineage", "é"), ("version", 1), ("digest", digest),
      ("chain", digest), ("files", .object(files.map { ($0, digest) })),
    ]
    if format > 1 {
      members.append(("seal", .string(Checkpoints.seal(.object(members)).hexadecimal)))
    }
    return JSON.writeBytes(.object(members))
  }

  static let checkpoints = FuzzTarget("checkpoints", .text) {
    [state(format: 1), state(format: 2)]
  } attempt: { bytes in
    let folder = try TemporaryFolder()
    let checkpoint = "\(folder.path)/step-000001"
    guard mkdir(checkpoint, 0o700) == 0 else { throw FuzzFinding("mkdir \(checkpoint): \(errno)") }
    for file in files { try TemporaryFolder.write(model, "\(checkpoint)/\(file)") }
    try TemporaryFolder.write(bytes, "\(checkpoint)/state.json")
    _ = try Checkpoints(folder: folder.path).readState("step-000001")
    return true
  }.with {
    $0.cost = 4
    // Files are digested through a buffer of 1 MiB.
    $0.bytesBeside = 8 << 20
  }
}
