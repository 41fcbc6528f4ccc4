// One forward, both sides: what the sampler says of a token is what the learner computes for it,
// bit for bit, whoever shares the batch, with the cache or without, on any number of threads.

import Experience
import Glibc
import Policy
import Tensors
import Testing

@Suite struct ExactnessTests {
  static let shape = ModelConfiguration(
    vocabularySize: 29, hiddenSize: 48, feedForwardSize: 72, layers: 3, heads: 6,
    keyValueHeads: 2, headSize: 8, maximumPositions: 96, initializerRange: 0.25)

  static func model<B: Backend>(on backend: B, _ shape: ModelConfiguration = shape) -> Transformer<
    B
  > {
    let model = Transformer(configuration: shape, backend: backend)
    model.initialize(seed: 7)
    return model
  }

  static func request(_ ticket: Int, samples: Int = 4, temperature: Float = 1) -> GenerationRequest
  {
    GenerationRequest(
      prompt: (0..<(3 + 5 * ticket % 23)).map { Int32(($0 * 11 + ticket * 3) % 29) },
      samples: samples, seed: 5, domain: .train, ticket: UInt64(ticket), temperature: temperature,
      maximumNewTokens: 7 + ticket % 19, stopTokens: [2])
  }

  static func pack(_ requests: [GenerationRequest], _ groups: [[Completion]]) -> Pack {
    var pack = Pack()
    for (request, group) in zip(requests, groups) {
      pack.add(
        prompt: request.prompt, completions: group.map(\.tokens), temperature: request.temperature)
    }
    return pack
  }

  static func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

  @Test func `the learner's log-prob of a token is the actor's, bit for bit`() throws {
    let model = Self.model(on: CPUBackend(threads: 1))
    let requests = (0..<9).map { Self.request($0, temperature: $0 % 2 == 0 ? 1 : 0.7) }
    let groups = try #require(Generator(model).generate(requests))
    let behavior = groups.flatMap { $0.flatMap(\.behaviorLogProbs) }
    #expect(behavior.count > 100)
    let whole = Self.pack(requests, groups)
    #expect(Self.bits(model.score(whole).logProbs) == Self.bits(behavior))
    // With a tape, on two threads, and one group at a time.
    #expect(Self.bits(model.forward(whole).scores.logProbs) == Self.bits(behavior))
    let other = Self.model(on: CPUBackend(threads: 2))
    #expect(Self.bits(other.score(whole).logProbs) == Self.bits(behavior))
    var apart: [Float] = []
    for (request, group) in zip(requests, groups) {
      for completion in group {
        apart += model.score(Self.pack([request], [[completion]])).logProbs
      }
    }
    #expect(Self.bits(apart) == Self.bits(behavior))
  }

  @Test func `a sample is the same whoever shares its batch`() throws {
    let model = Self.model(on: CPUBackend(threads: 2))
    let generator = Generator(model)
    let requests = (0..<6).map { Self.request($0) }
    let together = try #require(generator.generate(requests))
    for (index, request) in requests.enumerated() {
      #expect(generator.generate([request]) == [together[index]])
    }
    let alone = Generator(Self.model(on: CPUBackend(threads: 1)))
    #expect(alone.generate(requests.reversed()) == together.reversed())
  }

  @Test func `another seed, ticket or sample draws other tokens`() throws {
    let generator = Generator(Self.model(on: CPUBackend(threads: 1)))
    let first = Self.request(3, samples: 8)
    var other = first
    other.seed = 6
    let answers = try #require(generator.generate([first, other]))
    #expect(answers[0] != answers[1])
    #expect(Set(answers[0].map(\.tokens)).count > 1)
  }

  @Test func `greedy takes the most probable token each time`() throws {
    let model = Self.model(on: CPUBackend(threads: 1))
    let request = Self.request(4, samples: 1, temperature: 0)
    let tokens = try #require(Generator(model).generate([request]))[0][0].tokens
    for position in tokens.indices {
      var pack = Pack()
      for token in 0..<29 {
        pack.add(
          prompt: request.prompt + tokens.prefix(position), completions: [[Int32(token)]],
          temperature: 1)
      }
      let scores = model.score(pack).logProbs
      #expect(scores[Int(tokens[position])] == scores.max())
    }
  }

  @Test func `sampled frequencies are the model's probabilities`() throws {
    let model = Self.model(on: CPUBackend(threads: 2))
    var request = Self.request(1, samples: 4000)
    request.maximumNewTokens = 1
    let drawn = try #require(Generator(model).generate([request]))[0]
    var counts = [Double](repeating: 0, count: 29)
    for completion in drawn { counts[Int(completion.tokens[0])] += 1 }
    var pack = Pack()
    pack.add(
      prompt: request.prompt, completions: (0..<29).map { [Int32($0)] }, temperature: 1)
    let expected = model.score(pack).logProbs.map { exp(Double($0)) * 4000 }
    let chiSquare = zip(counts, expected).reduce(0) {
      $0 + ($1.0 - $1.1) * ($1.0 - $1.1) / max($1.1, 1)
    }
    // 28 degrees of freedom: 62 is exceeded once in 4,000 seeds; this seed is fixed.
    #expect(chiSquare < 62)
  }

  @Test func `a wider cache and a second wave change nothing`() throws {
    let model = Self.model(on: CPUBackend(threads: 1))
    let generator = Generator(model)
    let small = [Self.request(1)]
    let first = generator.generate(small)
    _ = generator.generate((0..<12).map { Self.request($0, samples: 6) })
    #expect(generator.generate(small) == first)
  }
}

@Suite struct `Rotary tables` {
  @Test func `give the same bits however they grew`() throws {
    let configuration = ModelConfiguration(
      vocabularySize: 40, hiddenSize: 32, feedForwardSize: 48, layers: 2, heads: 4,
      keyValueHeads: 2, maximumPositions: 131_072)
    func pack(_ length: Int) -> Pack {
      var pack = Pack()
      let tokens = (0..<length).map { Int32($0 * 7 % 40) }
      pack.add(prompt: [1], completions: [tokens], temperature: 1)
      return pack
    }
    func model() -> Transformer<CPUBackend> {
      let model = Transformer(configuration: configuration, backend: CPUBackend(threads: 2))
      model.initialize(seed: 3)
      return model
    }
    let (grown, atOnce) = (model(), model())
    // 256, then 512, then 1200 positions in one, 1200 at once in the other.
    _ = grown.score(pack(20))
    let middle = grown.score(pack(300))
    let long = grown.score(pack(1199))
    #expect(atOnce.score(pack(1199)) == long)
    #expect(atOnce.score(pack(300)) == middle)
    #expect(Array(long.logProbs[..<300]) == middle.logProbs)
  }
}
