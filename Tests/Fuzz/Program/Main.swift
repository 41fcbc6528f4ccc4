// forage-fuzz TARGET [libFuzzer's arguments]: lets libFuzzer look for texts that reach code no text
// before reached. Half of its mutations are its own, half know the form of the target's texts.
//
//   forage-fuzz --list             the targets
//   forage-fuzz TARGET --seeds DIR writes the target's seeds and kept texts into DIR

import CAllocations
import FuzzHarness
import Glibc

/// Set once, before libFuzzer starts.
nonisolated(unsafe) private var target = FuzzTarget.all[0]
nonisolated(unsafe) private var seeds: [[UInt8]] = []

@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(
  _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ most: Int, _ seed: UInt32
) -> Int {
  if seed % 2 == 0 { return forage_fuzz_mutate(bytes, count, most) }
  var mutator = Mutator(seed: UInt64(seed))
  let old = Array(UnsafeBufferPointer(start: bytes, count: count))
  let new = mutator.mutated(old, other: seeds[mutator.below(seeds.count)], form: target.form)
  let kept = min(new.count, most)
  for index in 0..<kept { bytes[index] = new[index] }
  return kept
}

@main struct FuzzProgram {
  static func main() throws {
    let words = CommandLine.arguments
    if words.dropFirst() == ["--list"] {
      for target in FuzzTarget.all { print(target.name) }
      return
    }
    guard words.count > 1, let found = FuzzTarget.all.first(where: { $0.name == words[1] }) else {
      print("forage-fuzz TARGET [libFuzzer's arguments], or --list")
      exit(2)
    }
    target = found
    seeds = try found.seeds() + Corpus.kept(found).map(\.bytes)
    if words.count == 4, words[2] == "--seeds" {
      for (index, seed) in seeds.enumerated() { try write(seed, "\(words[3])/seed-\(index)") }
      return
    }
    // libFuzzer keeps these for as long as the process runs.
    let arguments = [words[0]] + words.dropFirst(2)
    var pointers = arguments.map { strdup($0) } + [nil]
    let status = forage_fuzz_run(Int32(arguments.count), &pointers) { bytes, count in
      let text = Array(UnsafeBufferPointer(start: bytes, count: count))
      do {
        _ = try target.run(text)
      } catch {
        // A trap, so that libFuzzer keeps the text.
        fatalError("\(target.name): \(error)")
      }
      return 0
    }
    exit(status == -1 ? 2 : status)
  }

  private static func write(_ bytes: [UInt8], _ path: String) throws {
    guard let file = fopen(path, "wb") else { throw FuzzFinding("\(path): errno \(errno)") }
    fwrite(bytes, 1, bytes.count, file)
    fclose(file)
  }
}
