// Sequences that come and go against whole batches: the same tokens and the same bits, and what is
// drawn by rank against its definition.

import Experience
import Glibc
import Policy
import Tensors
import Testing

@Suite struct SlotDecoderTests {
  let policy: CPUTransformer

  init() {
    let configuration = ModelConfiguration(
      vocabularySize: 40, hiddenSize: 32, feedForwardSize: 48, layers: 2, heads: 4,
      keyValueHeads: 2, maximumPositions: 64, initializerRange: 0.4)
    policy = CPUTransformer(configuration: configuration, threads: 2)
    policy.initialize(seed: 3)
  }

  private func request(_ number: Int) -> GenerationRequest {
    GenerationRequest(
      prompt: (0...number).map { Int32(($0 * 7 + number) % 40) }, samples: 1 + number % 3, seed: 9,
      domain: .evaluate, ticket: UInt64(number), temperature: Float(number % 4) / 2,
      maximumNewTokens: 3 + 5 * (number % 5), stopTokens: [3, 17])
  }

  private func sampling(_ request: GenerationRequest) -> SequenceSampling {
    SequenceSampling(
      seed: request.seed, domain: request.domain, ticket: request.ticket,
      temperature: request.temperature)
  }

  /// Runs the requests through a few slots, each entering as soon as there is room.
  private func decoded(_ requests: [GenerationRequest], slots: Int) -> [[Completion]] {
    let decoder = SlotDecoder(policy, slots: slots, capacity: 48)
    struct Place: Hashable { var request: Int, sample: Int }
    var places: [Int: Place] = [:]
    var tokens: [Place: [DrawnToken]] = [:]
    var finish: [Place: FinishReason] = [:]
    func take(_ drawn: [DrawnToken]) {
      for one in drawn {
        guard let place = places[one.slot] else { continue }
        tokens[place, default: []].append(one)
        let request = requests[place.request]
        if request.stopTokens.contains(one.token) {
          finish[place] = .stop
        } else if tokens[place]?.count == request.maximumNewTokens {
          finish[place] = .length
        } else {
          continue
        }
        decoder.release(one.slot)
      }
    }
    var waiting = requests.indices.flatMap { request in
      (0..<requests[request].samples).map { Place(request: request, sample: $0) }
    }
    while !waiting.isEmpty || decoder.busySlots > 0 {
      while let place = waiting.first, decoder.freeSlots > 0 {
        // As many samples of the prompt as there is room for.
        let fitting = waiting.prefix { $0.request == place.request }.prefix(decoder.freeSlots)
        let request = requests[place.request]
        let drawn = decoder.start(
          prompt: request.prompt, samples: fitting.map(\.sample), sampling(request))
        for (place, one) in zip(fitting, drawn) { places[one.slot] = place }
        waiting.removeFirst(fitting.count)
        take(drawn)
      }
      take(decoder.step())
    }
    return requests.indices.map { request in
      (0..<requests[request].samples).map { sample in
        let place = Place(request: request, sample: sample)
        let drawn = tokens[place] ?? []
        return Completion(
          tokens: drawn.map(\.token), behaviorLogProbs: drawn.map(\.logProb),
          finish: finish[place] ?? .length)
      }
    }
  }

  @Test(arguments: [1, 2, 5, 32])
  func `sequences that come and go are those of a whole batch, bit for bit`(_ slots: Int) {
    let requests = (0..<11).map(request)
    let whole = CPUGenerator(policy).generate(requests)
    #expect(decoded(requests, slots: slots) == whole)
    #expect(Set(whole?.joined().map(\.finish) ?? []).count == 2)
  }

  @Test func `a nucleus that holds one token is greedy, and one of everything is the whole`() {
    func tokens(temperature: Float, topP: Double) -> [Int32] {
      let decoder = SlotDecoder(policy, slots: 1, capacity: 30)
      let sampling = SequenceSampling(
        seed: 4, domain: .evaluate, ticket: 0, temperature: temperature, topP: topP)
      let first = decoder.start(prompt: [5, 6], samples: [0], sampling)
      return (first + (0..<20).flatMap { _ in decoder.step() }).map(\.token)
    }
    #expect(tokens(temperature: 1, topP: 1e-12) == tokens(temperature: 0, topP: 1))
    #expect(tokens(temperature: 1, topP: 0.5) != tokens(temperature: 0, topP: 1))
    #expect(tokens(temperature: 1, topP: 0.5) != tokens(temperature: 1, topP: 1))
  }

  @Test func `a nucleus is the fewest most probable tokens that reach its share`() {
    let topP = 0.6
    let decoder = SlotDecoder(policy, slots: 8, capacity: 30)
    let sampling = SequenceSampling(
      seed: 4, domain: .evaluate, ticket: 0, temperature: 1.5, topP: topP, alternatives: 40)
    var drawn = decoder.start(prompt: [5, 6], samples: Array(0..<8), sampling)
    for _ in 0..<20 { drawn += decoder.step() }
    var later = 0
    for one in drawn {
      // Ranked, the whole vocabulary: its probabilities sum to 1, to Float32's rounding.
      let shares = one.alternatives.map { exp(Double($0.logProb)) }
      #expect(abs(shares.reduce(0, +) - 1) < 1e-5)
      #expect(shares == shares.sorted(by: >))
      let place = one.alternatives.firstIndex { $0.token == one.token }
      let before = shares.prefix(place ?? 40).reduce(0, +)
      #expect(before < topP + 1e-6, "\(one.token) after \(before)")
      later += place == 0 ? 0 : 1
    }
    #expect(later > 0)
  }
}
