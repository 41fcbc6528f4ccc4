// One decoder under attack: how it is entered, what a valid text of its looks like, and what must
// hold for every text there is.
//
// A target is used twice. The test command mutates its seeds a bounded number of times, the same
// mutations each time (`FuzzTests`). `Scripts/fuzz TARGET SECONDS` lets libFuzzer look for texts
// that reach code no text before reached (`Program`). Both go through `run`, so both assert the
// same: a value or a refusal and no trap; memory in proportion to the bytes that came and not to
// what they claim; a bound on time; and what the target itself says of values it accepts.

import CAllocations
import Glibc

/// A promise broken; anything else that a target throws is a refusal.
package struct FuzzFinding: Error, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }
}

package struct FuzzTarget: Sendable {
  /// What the bytes are made of, so that a mutation can change one part and leave the rest valid.
  package enum Form: Sendable {
    case text
    /// Frames as `FrameList` lays them out; each is text, a safetensors blob or neither.
    case frames
    case safetensors
    case bytes
  }

  /// Also the name of its folder in Corpus/.
  package let name: String
  package let form: Form
  /// Valid texts, made by the encoders of today: a format that changes takes its seeds along.
  package let seeds: @Sendable () throws -> [[UInt8]]
  /// Bytes asked for from the allocator in all, for each byte of input, and beside that.
  package var bytesPerByte = 1_000
  package var bytesBeside = 1 << 20
  /// Of the processor, for one text of at most 64 KiB. A decoder takes a thousandth.
  package var seconds = 2.0
  /// Divides the number of cases in the test command: a target whose every case opens files.
  package var cost = 1
  /// Whether most mutations must be refused; a target that reads a whole story refuses within.
  package var refuses = true
  /// Takes any bytes. True when they were accepted; throws a refusal or a `FuzzFinding`.
  package let attempt: @Sendable ([UInt8]) throws -> Bool

  package init(
    _ name: String, _ form: Form, seeds: @escaping @Sendable () throws -> [[UInt8]],
    attempt: @escaping @Sendable ([UInt8]) throws -> Bool
  ) {
    self.name = name
    self.form = form
    self.seeds = seeds
    self.attempt = attempt
  }

  package func with(_ change: (inout FuzzTarget) -> Void) -> FuzzTarget {
    var target = self
    change(&target)
    return target
  }

  /// True when the bytes were accepted, false when refused; throws findings alone.
  package func run(_ bytes: [UInt8]) throws(FuzzFinding) -> Bool {
    let began = Self.processorSeconds
    forage_allocations_reset()
    var isAccepted = false
    do {
      isAccepted = try attempt(bytes)
    } catch let finding as FuzzFinding {
      throw finding
    } catch {}
    let asked = Int(forage_allocations_total())
    let spent = Self.processorSeconds - began
    let allowed = bytesBeside + bytesPerByte * bytes.count
    guard asked <= allowed else {
      throw FuzzFinding(
        "\(bytes.count) bytes made \(name) ask for \(asked) bytes of memory, "
          + "\(forage_allocations_largest()) at once; at most \(allowed)")
    }
    guard spent <= seconds else {
      throw FuzzFinding("\(bytes.count) bytes kept \(name) busy for \(spent) s, at most \(seconds)")
    }
    return isAccepted
  }

  private static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

/// What an accepted value must do: be written, be read again, and be written the same.
package func expectStable(
  _ what: String, _ first: [[UInt8]], again: ([[UInt8]]) throws -> [[UInt8]]
) throws {
  let second: [[UInt8]]
  do {
    second = try again(first)
  } catch {
    throw FuzzFinding("\(what) was accepted, and what it was written as is refused: \(error)")
  }
  guard first == second else {
    throw FuzzFinding("\(what) is not written the same after having been read again")
  }
}
