// Every decoder, bounded: its seeds, the texts kept for it, and some thousand mutations of both,
// the same each time.
//
//   FORAGE_FUZZ_CASES=200000   mutations a target, 3,000 without; fewer where one is slow
//   FORAGE_FUZZ_KEEP=FILE      each text is put there before its trial: after a crash it is the one

import CAllocations
import FuzzHarness
import Glibc
import Testing

@Suite struct FuzzTests {
  private static let cases =
    getenv("FORAGE_FUZZ_CASES").flatMap { Int(String(cString: $0)) } ?? 3_000
  private static let kept = getenv("FORAGE_FUZZ_KEEP").map { String(cString: $0) }

  @Test(arguments: FuzzTarget.all.map(\.name))
  func `a decoder answers or refuses, in memory and time that its input pays for`(
    name: String
  ) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    let seeds = try target.seeds()
    for (index, seed) in seeds.enumerated() {
      #expect(try target.run(seed), "seed \(index) of \(name) is refused")
    }
    let texts = try seeds + Corpus.kept(target).map(\.bytes)
    var mutator = Mutator(seed: 20_261)
    var refused = 0
    let count = max(1, Self.cases / target.cost)
    for number in 0..<count {
      let text = mutator.mutated(
        texts[number % texts.count], other: texts[mutator.below(texts.count)], form: target.form)
      try keep(text)
      do {
        if !(try target.run(text)) { refused += 1 }
      } catch {
        Issue.record("\(name), mutation \(number): \(error)")
        return
      }
    }
    // A run in which nearly all is refused, or nearly nothing, has not looked at the decoder.
    #expect(refused > count / 20 && refused < count - count / 200, "\(refused) of \(count)")
  }

  @Test(arguments: FuzzTarget.all.map(\.name))
  func `what once was wrong with a decoder stays right`(name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    for (file, text) in try Corpus.kept(target) {
      try keep(text)
      do {
        let isAccepted = try target.run(text)
        // Its name says what becomes of it.
        #expect(isAccepted == file.hasPrefix("good-"), "\(name)/\(file)")
      } catch {
        Issue.record("\(name)/\(file): \(error)")
      }
    }
  }

  @Test func `every kept text belongs to a target`() {
    let folders = Corpus.names("\(Corpus.root)/Tests/Fuzz/Corpus")
    #expect(Set(folders).isSubset(of: FuzzTarget.all.map(\.name)))
  }

  @Test func `a target that reserves what it is told, takes its time or wavers is found`() {
    let claims = FuzzTarget("claims", .bytes) {
      []
    } attempt: { bytes in
      var promised: [UInt8] = []
      promised.reserveCapacity(Int(bytes[0]) << 20)
      return promised.capacity >= Int(bytes[0]) << 20
    }
    #expect(throws: Never.self) { try claims.run([0]) }
    #expect(throws: FuzzFinding.self) { try claims.run([2]) }
    let slow = FuzzTarget("slow", .bytes) {
      []
    } attempt: { bytes in
      let end = Self.processorNanoseconds + Int(bytes[0]) * 20_000_000
      while Self.processorNanoseconds < end {}
      return true
    }.with { $0.seconds = 0.01 }
    #expect(throws: Never.self) { try slow.run([0]) }
    #expect(throws: FuzzFinding.self) { try slow.run([1]) }
    let wavers = FuzzTarget("wavers", .bytes) {
      []
    } attempt: { bytes in
      try expectStable("it", [bytes]) { $0.map { Array($0.dropLast()) } }
      return true
    }
    #expect(throws: FuzzFinding.self) { try wavers.run([1]) }
  }

  @Test func `allocations of libraries are counted too, each thread's apart`() {
    forage_allocations_reset()
    let memory = calloc(3, 1 << 20)
    #expect(memory != nil)
    free(memory)
    #expect(forage_allocations_largest() == 3 << 20)
    #expect(forage_allocations_total() < 4 << 20)
  }

  /// Of this thread.
  private static var processorNanoseconds: Int {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return time.tv_sec * 1_000_000_000 + time.tv_nsec
  }

  private func keep(_ text: [UInt8]) throws {
    guard let path = Self.kept, let file = fopen(path, "wb") else { return }
    fwrite(text, 1, text.count, file)
    fclose(file)
  }
}
