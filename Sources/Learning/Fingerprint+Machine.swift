// The fingerprint of the programs beside this one, on this machine.
//
// Threads are no part of it: work is cut into tasks whose results depend on the task alone
// (`TensorsTests/IdentityTests`), so a run may go on with another number of them.

import Digests
import Experience
import Operations
import Policy

extension Fingerprint {
  /// Programs whose machine code makes bits: the one that trains and the one that samples.
  private static let programs = ["forage-learner", "forage-actor"]
  /// Shared libraries they call: the mathematical functions behind rotary tables and schedules, the
  /// C library, and Swift's own.
  private static let libraries = ["libm.so", "libc.so", "libswiftCore.so"]
  /// The list of a process's mappings: some hundred lines.
  private static let maximumMapsBytes = 4 << 20

  public static func ofThisMachine() throws(Failure) -> Fingerprint {
    let folder = Files.folder(of: try Files.realPath("/proc/self/exe"))
    var parts = [Part(Self.numbers, CPUTransformer.numericClassOfThisMachine)]
    for program in programs {
      let path = "\(folder)/\(program)"
      parts.append(
        Part(program, Files.exists(path) ? try Checkpoints.digest(ofFile: path).short : "missing"))
    }
    let maps = try Files.readText("/proc/self/maps", maximumBytes: maximumMapsBytes)
    for library in libraries {
      let name = String(library.prefix { $0 != "." })
      guard let path = mapped(library, in: maps) else { continue }
      parts.append(Part(name, try Checkpoints.digest(ofFile: path).short))
    }
    parts.append(Part("processor", Machine.fingerprint))
    return Fingerprint(parts)
  }

  /// The file of a shared library this process runs on.
  private static func mapped(_ library: String, in maps: String) -> String? {
    for line in maps.split(separator: "\n") {
      guard let start = line.firstIndex(of: "/") else { continue }
      let path = String(line[start...])
      if Files.name(of: path).hasPrefix(library) { return path }
    }
    return nil
  }
}
