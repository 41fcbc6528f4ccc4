// forage bench generate: what an actor's generator samples a second, and how much of the machine
// that is. There are no stop tokens, so every completion has all its tokens.
//
// Decode steps are timed apart from the prefill, as the published figures of other engines are.

import Documents
import Experience
import Operations
import Policy

struct GenerateBench {
  private let batch: Int
  private let prompt: Int
  private let new: Int
  private let model: BenchModel

  init(_ arguments: Arguments) throws {
    batch = try arguments.integer("batch", in: 1...65_536) ?? 256
    prompt = try arguments.integer("prompt", in: 1...1_048_576) ?? 12
    // The first token comes of the prefill: one more is the least that decodes.
    new = try arguments.integer("new", in: 2...1_048_576) ?? 12
    model = try BenchModel(arguments, positions: prompt + new - 1)
  }

  /// Seconds of one generation.
  private struct Sample {
    var whole: Double
    var decode: Double
  }

  func run(repeats: Int) throws -> BenchReport {
    // The weights, and their layout for the products.
    let policy = try model.load(copies: 2)
    let generator = CPUGenerator(policy)
    let limits = MachineLimits(threads: model.threads)
    _ = generate(generator, 0)
    let tokens = Double(batch * (new - 1))
    var samples: [Sample] = []
    for index in 0..<repeats {
      let sample = limits.around { generate(generator, index + 1) }
      samples.append(sample)
      BenchProgress.repeated(
        index, of: repeats, "\(BenchNumber.text(tokens / sample.decode)) tokens/s decoded")
    }
    return report(samples, limits)
  }

  private func generate(_ generator: CPUGenerator, _ index: Int) -> Sample {
    let requests = (0..<batch).map { row in
      GenerationRequest(
        prompt: model.tokens(prompt, row: row), samples: 1, seed: 1, domain: .evaluate,
        ticket: UInt64(index * batch + row), temperature: 1, maximumNewTokens: new, stopTokens: [])
    }
    var decode = 0.0
    let start = MonotonicClock.now
    // The generator asks whether to stop right before a decode step and reports right after it.
    var asked = start
    let answers = generator.generate(
      requests,
      shouldStop: {
        asked = MonotonicClock.now
        return false
      }, progress: { _ in decode += MonotonicClock.seconds(since: asked) })
    let whole = MonotonicClock.seconds(since: start)
    let sampled = answers?.reduce(0) { $0 + $1.reduce(0) { $0 + $1.tokens.count } } ?? 0
    precondition(sampled == batch * new, "\(sampled) tokens sampled of \(batch * new)")
    return Sample(whole: whole, decode: decode)
  }

  private func report(_ samples: [Sample], _ limits: MachineLimits) -> BenchReport {
    let work = ModelWork(model.configuration).decode(batch: batch, prompt: prompt, new: new)
    let tokens = Double(batch * (new - 1))
    let decoded = BenchFigure("decode", "tokens/s", samples.map { tokens / $0.decode })
    let whole = BenchFigure(
      "with prefill", "tokens/s", samples.map { Double(batch * new) / $0.whole })
    let arithmetic = BenchFigure(
      "of the GEMM limit", "%",
      zip(samples, limits.flops).map { 100 * work.flops / $0.decode / $1 })
    let memory = BenchFigure(
      "of the memory limit", "%",
      zip(samples, limits.bytes).map { 100 * work.bytes / $0.decode / $1 })
    // Whichever of the two takes longer bounds the decode.
    let bound = zip(limits.flops, limits.bytes).map { flops, bytes in
      tokens / max(work.flops / flops, work.bytes / bytes)
    }
    return BenchReport(
      what: "generate",
      settings: model.settings + [
        ("batch", .integer(batch)), ("prompt", .integer(prompt)), ("new", .integer(new)),
      ],
      figures: [decoded, whole] + limits.figures + [
        arithmetic, memory, BenchFigure("the limits allow", "tokens/s", bound),
      ],
      sentence: "\(decoded.text) are decoded in batches of \(batch) on \(model.threads) threads: "
        + "\(BenchNumber.percent(arithmetic.median / 100)) of the machine's arithmetic and "
        + "\(BenchNumber.percent(memory.median / 100)) of its memory's speed, measured beside it."
    )
  }
}
