// state.json of a checkpoint, in a folder whose other files are there. It names files: none of them
// may be outside the folder, or something that has no end.

import Digests
import Experience
import Glibc
import Learning

extension FuzzTarget {
  private static let model = Array("not really a model".utf8)

  static let checkpoints = FuzzTarget("checkpoints", .text) {
    let digest = Digest(of: model).hexadecimal
    return [
      Array(
        """
        {"format": 1, "lineage": "é", "version": 1, "digest": "\(digest)", "chain": "\(digest)",
        "files": {"model.safetensors": "\(digest)"}}
        """.utf8)
    ]
  } attempt: { bytes in
    let folder = try TemporaryFolder()
    let checkpoint = "\(folder.path)/step-000001"
    guard mkdir(checkpoint, 0o700) == 0 else { throw FuzzFinding("mkdir \(checkpoint): \(errno)") }
    try TemporaryFolder.write(model, "\(checkpoint)/model.safetensors")
    try TemporaryFolder.write(bytes, "\(checkpoint)/state.json")
    _ = try Checkpoints(folder: folder.path).readState("step-000001")
    return true
  }.with {
    $0.cost = 4
    // Files are digested through a buffer of 1 MiB.
    $0.bytesBeside = 8 << 20
  }
}
