// The benchmarks: what they count, against others' arithmetic; what they print and refuse, by the
// program itself on work that takes a second.

import Commands
import Documents
import Glibc
import Operations
import Policy
import Testing

/// A folder that is gone with its owner.
private final class BenchTestFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/forage-bench-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure.system("make a folder in", on: "/tmp") }
    path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  deinit { try? Files.remove(path) }
}

@Suite(.serialized) struct BenchTests {
  /// SmolLM2-135M.
  static let shape = ModelConfiguration(
    vocabularySize: 49_152, hiddenSize: 576, feedForwardSize: 1536, layers: 30, heads: 9,
    keyValueHeads: 3)

  static let program: String = {
    let runner = (try? Files.realPath("/proc/self/exe")) ?? ""
    return "\(Files.folder(of: runner))/forage"
  }()

  /// Runs `forage bench` to its end, at most a minute away; standard output and error as files.
  func bench(_ words: [String]) throws -> (exit: ChildExit?, output: String, error: String) {
    let folder = try BenchTestFolder()
    let (output, error) = ("\(folder.path)/output", "\(folder.path)/error")
    let child = try ChildProcess(
      Self.program, ["bench"] + words, output: .append(output), error: .append(error))
    let exit = child.wait(deadline: .after(seconds: 60))
    if exit == nil { child.killGroup() }
    return (
      exit, try Files.readText(output, maximumBytes: 1 << 20),
      try Files.readText(error, maximumBytes: 1 << 20)
    )
  }

  func figure(_ name: String, in document: Document) -> Double? {
    guard case .array(let figures)? = document["figures"]?.value,
      let figure = figures.first(where: { $0["name"] == .string(name) }),
      case .number(let median)? = figure["median"]?.value
    else { return nil }
    return median
  }

  /// One a repeat; empty where there is no such figure.
  func samples(_ name: String, in document: Document) -> [Double] {
    guard case .array(let figures)? = document["figures"]?.value,
      let figure = figures.first(where: { $0["name"] == .string(name) }),
      case .array(let samples)? = figure["samples"]?.value
    else { return [] }
    return samples.compactMap { if case .number(let sample) = $0.value { sample } else { nil } }
  }

  // MARK: what is counted

  @Test func `a step of the 135M model is 1242 GFLOP, as counted by hand elsewhere`() {
    let flops = ModelWork(Self.shape).step(groups: 1, completions: 8, prompt: 64, new: 128)
    // The other count feeds each completion's last token too, and rounds: half a percent.
    #expect(abs(flops / 1e9 - 1242) < 0.005 * 1242)
  }

  @Test func `decoding one token reads every weight and the cache before it once`() {
    let work = ModelWork(Self.shape)
    // Two tokens: the first is the prefill's, so one step is decoded, at context 65.
    let (flops, bytes) = work.decode(batch: 1, prompt: 64, new: 2)
    let norms = 61 * 576
    let weights = Self.shape.parameterCount - norms
    #expect(bytes == Double(4 * weights + 65 * 30 * 2 * 3 * 64 * 4))
    #expect(flops == Double(2 * weights + 65 * 30 * 4 * 9 * 64))
  }

  @Test func `groups are counted one by one and a batch of one as many times`() {
    let work = ModelWork(Self.shape)
    let one = work.step(groups: 1, completions: 4, prompt: 5, new: 6)
    #expect(work.step(groups: 7, completions: 4, prompt: 5, new: 6) == 7 * one)
    let single = work.decode(batch: 1, prompt: 5, new: 9)
    let batch = work.decode(batch: 3, prompt: 5, new: 9)
    #expect(batch.flops == 3 * single.flops)
    // The weights are read once a step, whatever the batch.
    #expect(batch.bytes < 3 * single.bytes && batch.bytes > single.bytes)
  }

  // MARK: what is printed

  @Test func `a median is the middle sample, or the mean of the two in the middle`() {
    #expect(BenchFigure("a", "s", [5, 1, 2]).median == 2)
    #expect(BenchFigure("a", "s", [5, 1, 2, 3]).median == 2.5)
    #expect(BenchFigure("a", "s", [5, 1, 2]).least == 1)
    #expect(BenchFigure("a", "s", [5, 1, 2]).greatest == 5)
  }

  @Test(arguments: [
    (0, "0.0000"), (0.01234, "0.0123"), (0.1234, "0.123"), (1.004, "1.00"), (9.999, "10.00"),
    (23.45, "23.5"), (123.4, "123"), (1000, "1,000"), (1_234_567, "1,234,567"), (-2.5, "-2.50"),
  ])
  func `numbers keep three digits that matter`(number: Double, text: String) {
    #expect(BenchNumber.text(number) == text)
  }

  @Test func `generate reports its rate with spread, and the shares follow from the figures`()
    throws
  {
    let (exit, output, error) = try bench([
      "generate", "--hidden", "32", "--layers", "2", "--heads", "2", "--ffn", "64", "--batch", "4",
      "--new", "3", "--repeats", "3", "--threads", "1", "--json",
    ])
    #expect(exit == .exited(0), "\(error)")
    let document = try JSON.parse(Array(output.utf8), source: "output")
    #expect(document["machine"]?["fingerprint"] == .string(Machine.fingerprint))
    #expect(document["settings"]?["batch"] == 4)
    let rate = try #require(figure("decode", in: document))
    #expect(rate > 0)
    // On a busy machine what is allowed may be less than what was measured a moment later: the
    // figures of one repeat hold together all the same.
    let rates = samples("decode", in: document)
    let allowed = samples("the limits allow", in: document)
    let shares = zip(
      samples("of the GEMM limit", in: document), samples("of the memory limit", in: document)
    ).map { max($0, $1) / 100 }
    #expect(rates.count == 3)
    for index in rates.indices {
      #expect(abs(rates[index] / allowed[index] / shares[index] - 1) < 1e-9)
    }
    let whole = try #require(figure("with prefill", in: document))
    // All tokens over all the time: at most 3 tokens where 2 are decoded.
    #expect(whole < 1.5 * rate)
    #expect(error.contains("repeat 3 of 3"))
  }

  @Test func `step's phases add up to the step`() throws {
    let (exit, output, error) = try bench([
      "step", "--hidden", "32", "--layers", "1", "--heads", "2", "--ffn", "64", "--groups", "2",
      "--completions", "3", "--new", "3", "--repeats", "1", "--threads", "1", "--json",
    ])
    #expect(exit == .exited(0), "\(error)")
    let document = try JSON.parse(Array(output.utf8), source: "output")
    let names = ["credit", "reference", "pack", "forward", "slopes", "backward", "optimizer"]
    let shares = try names.map { try #require(figure("phase \($0)", in: document)) }
    // The trainer names its first phase at once: what lies outside is two calls of a clock.
    #expect(abs(shares.reduce(0, +) - 100) < 2)
  }

  @Test func `ledger acknowledges every group and leaves nothing behind`() throws {
    let folder = try BenchTestFolder()
    let (exit, output, error) = try bench([
      "ledger", folder.path, "--actors", "3", "--groups", "50", "--repeats", "2", "--json",
    ])
    #expect(exit == .exited(0), "\(error)")
    let document = try JSON.parse(Array(output.utf8), source: "output")
    #expect(try #require(figure("acknowledged", in: document)) > 0)
    guard case .integer(let bytes)? = document["settings"]?["group_bytes"]?.value else {
      Issue.record("no group_bytes")
      return
    }
    // A token is 12 bytes in each of 8 completions; numbers in the header vary by a few digits.
    #expect(abs(bytes - 4096) <= 96)
    #expect(try Files.list(folder.path) == [])
  }

  @Test(arguments: ["tcp", "ipc"])
  func `weights come whole to every actor`(transport: String) throws {
    let (exit, output, error) = try bench([
      "weights", "--megabytes", "3", "--actors", "3", "--repeats", "1", "--transport", transport,
    ])
    #expect(exit == .exited(0), "\(error)")
    #expect(output.contains("MB is whole and checked at the last of 3 actors"))
  }

  @Test func `disk tells how long a commit takes, and more groups together are more a second`()
    throws
  {
    let folder = try BenchTestFolder()
    let (exit, output, error) = try bench([
      "disk", folder.path, "--megabytes", "2", "--repeats", "2", "--json",
    ])
    #expect(exit == .exited(0), "\(error)")
    let document = try JSON.parse(Array(output.utf8), source: "output")
    let middle = try #require(figure("commit, 1 group, p50", in: document))
    let longest = try #require(figure("commit, 1 group, max", in: document))
    #expect(middle > 0 && longest >= middle)
    let one = try #require(figure("commit, 1 group each", in: document))
    let many = try #require(figure("commit, 256 groups each", in: document))
    // 256 rows cost one fsync together: on any disk that is more than twice as many.
    #expect(many > 2 * one)
    #expect(try Files.list(folder.path) == [])
  }

  // MARK: what is refused

  @Test(arguments: [
    (["generat"], "did you mean generate?"), (["ledger", "--batch", "3"], "--batch, an option of"),
    (["step", "--heads", "3"], "heads of an even size"),
    (["step", "folder"], "\"folder\" is one argument too many"),
    (["ledger", "--bytes", "100"], "ask for"),
    (["disk", "--actors", "2"], "--actors, an option of"),
    (["weights", "--transport", "udp"], "tcp or ipc"),
    (["generate", "--new", "1"], "a whole number from 2"),
    (["ledger", "--actors", "9", "--groups", "8"], "at least one for each of 9 actors"),
  ])
  func `a wrong wish ends with status 2 and a sentence`(words: [String], sentence: String) throws {
    let (exit, output, error) = try bench(words)
    #expect(exit == .exited(2))
    #expect(output == "")
    #expect(error.contains(sentence), "\(error)")
  }

  @Test func `a folder that is not there is named`() throws {
    let (exit, _, error) = try bench(["ledger", "/nowhere/at/all"])
    #expect(exit == .exited(66))
    #expect(error.contains("/nowhere/at/all"))
  }
}
