// What this machine offers, as far as the process may use it: affinity masks and control groups
// count, or a container would plan for its host.

import CSystem
import Glibc

/// Processors, memory and a name for the kind of machine.
public enum Machine {
  /// Processors this process may use: its affinity mask, or fewer under a control group's quota.
  public static var coreCount: Int {
    let affinity = Int(forage_affinity_count())
    let count = affinity > 0 ? affinity : max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    guard let text = try? Files.readText("/sys/fs/cgroup/cpu.max", maximumBytes: 4096),
      let quota = quota(cpuMax: text)
    else { return count }
    return max(1, min(count, quota))
  }

  /// Bytes of memory, or the control group's limit where that is less.
  public static var memoryBytes: Int {
    let total = memoryInformation("MemTotal") ?? 0
    guard let limit = number("/sys/fs/cgroup/memory.max") else { return total }
    return min(total, limit)
  }

  /// Bytes that could be taken now without swapping.
  public static var availableMemoryBytes: Int {
    let available = memoryInformation("MemAvailable") ?? 0
    guard let limit = number("/sys/fs/cgroup/memory.max"),
      let used = number("/sys/fs/cgroup/memory.current")
    else { return available }
    return max(0, min(available, limit - used))
  }

  /// Bytes of memory this process holds now.
  public static var residentBytes: Int {
    guard let text = try? Files.readText("/proc/self/statm", maximumBytes: 4096) else { return 0 }
    let parts = text.split(separator: " ")
    return parts.count > 1 ? (Int(parts[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) : 0
  }

  public static var hostName: String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard gethostname(buffer.baseAddress!, 255) == 0 else { return "unknown" }
      buffer[255] = 0
      return String(cString: buffer.baseAddress!)
    }
  }

  /// The processor's model and the instruction sets that decide which kernels run:
  /// `x86_64 Intel Xeon ... [avx2 fma avx512f]`.
  public static var fingerprint: String {
    let text = (try? Files.readText("/proc/cpuinfo", maximumBytes: 16 << 20)) ?? ""
    return fingerprint(cpuInformation: text)
  }

  package static func fingerprint(cpuInformation text: String) -> String {
    let model =
      field("model name", in: text) ?? field("CPU part", in: text).map { "part \($0)" }
      ?? "unknown processor"
    let flags = Set(
      (field("flags", in: text) ?? field("Features", in: text) ?? "").split(separator: " "))
    let decisive = [
      "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512_bf16", "amx_bf16", "asimd", "sve",
    ].filter { flags.contains(Substring($0)) }
    return "\(architecture) \(model) [\(decisive.joined(separator: " "))]"
  }

  /// Whole processors of `cpu.max` ("quota period" in microseconds), rounded up; nil for "max".
  package static func quota(cpuMax text: String) -> Int? {
    let parts = text.split { $0 == " " || $0 == "\n" }
    guard parts.count == 2, let quota = Int(parts[0]), let period = Int(parts[1]), period > 0
    else { return nil }
    return (quota + period - 1) / period
  }

  private static var architecture: String {
    #if arch(x86_64)
      "x86_64"
    #elseif arch(arm64)
      "arm64"
    #else
      "another architecture"
    #endif
  }

  private static func number(_ path: String) -> Int? {
    guard let text = try? Files.readText(path, maximumBytes: 4096) else { return nil }
    return Int(text.filter { $0 != "\n" })
  }

  /// A line of /proc/meminfo, in bytes.
  private static func memoryInformation(_ name: String) -> Int? {
    guard let text = try? Files.readText("/proc/meminfo", maximumBytes: 1 << 16),
      let value = field(name, in: text)?.split(separator: " ").first, let kibibytes = Int(value)
    else { return nil }
    return kibibytes << 10
  }

  /// The value of the first `name : value` line.
  private static func field(_ name: String, in text: String) -> String? {
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { continue }
      let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" }
      guard parts[0].dropFirst(name.count).allSatisfy(isSpace) else { continue }
      return String(parts[1].drop(while: isSpace))
    }
    return nil
  }
}
