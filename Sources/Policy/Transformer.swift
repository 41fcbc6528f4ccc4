// A decoder of the Llama family as explicit forward and backward passes over the Backend seam.
//
//     x = embed(tokens)
//     each layer:  x1 = x + o(attention(rope(q(n(x))), rope(k(n(x))), v(n(x))))
//                  x  = x1 + down(silu(gate(n(x1))) * up(n(x1)))
//     log-probs   = log softmax(head(n(x)) / T)
//
// RMSNorm (Zhang and Sennrich, 2019), rotary positions, grouped-query attention, SwiGLU
// (Shazeer, 2020). The actor's cached pass and the learner's packed pass run the very same layer
// code and differ in where attention finds its keys; that is why their log-probs are the same bits.

import Digests
import Experience
import Safetensors
import Tensors

/// What a forward pass says of a pack.
public struct Scores: Equatable, Sendable {
  /// One a query of the pack: log pi(target), natural log, under logits / T.
  public var logProbs: [Float]
  /// One a query: the entropy, in nats, of the distribution the target was drawn from.
  public var entropies: [Float]
}

/// d(loss)/d(scalar) for every scalar a pack was asked for.
public struct Slopes: Equatable, Sendable {
  public var logProbs: [Float]
  /// nil: all zero.
  public var entropies: [Float]?

  public init(logProbs: [Float], entropies: [Float]? = nil) {
    self.logProbs = logProbs
    self.entropies = entropies
  }
}

/// A decoder of the Llama family: weights, forward, backward. One thread uses it at a time.
public final class Transformer<B: Backend> {
  public let configuration: ModelConfiguration
  public let backend: B
  let layout: ParameterLayout
  /// `[layout.count]`: what both forwards read, in their working precision. In F32 they are the
  /// masters too; else the optimizer keeps those.
  let weights: B.Buffer
  /// `[layout.count]`, made by the first backward pass.
  private(set) var gradients: B.Buffer?
  private(set) var layers: [LayerParameters<B>]
  private var packedHead: B.Packed?
  /// False from a change of the weights to the next pass: what is only loaded, saved or hashed
  /// needs no forward layouts, and they take as much memory as the weights.
  private var isLaidOut = false
  private let rotary: RotaryBuffers<B>
  let workspace: Workspace<B>

  /// Zero weights until `load` or `initialize`.
  public init(configuration: ModelConfiguration, backend: B) {
    self.configuration = configuration
    self.backend = backend
    let layout = ParameterLayout(configuration)
    self.layout = layout
    weights = backend.makeBuffer(count: layout.count)
    layers = (0..<configuration.layers).map { LayerParameters(layout, layer: $0) }
    rotary = RotaryBuffers(configuration, backend: backend)
    workspace = Workspace(configuration: configuration, backend: backend)
  }

  /// Whether every weight is a number.
  public var isFinite: Bool { backend.sumOfSquares(weights, count: layout.count).isFinite }

  public var parameterCount: Int { layout.count }

  /// Takes weights by name; throws when one is missing, unknown or of another shape.
  public func load(_ tensors: [NamedTensor]) throws(ModelFolderError) {
    try layout.fill(weights, on: backend, from: tensors, source: "weights")
    weightsChanged()
  }

  /// A copy of the weights, F32, in the configuration's order.
  public func copyWeights() -> [NamedTensor] { layout.tensors(weights, on: backend) }

  /// The version digest: over names, shapes and the bits the forward reads.
  public func digest() -> Digest {
    let digester = Digester()
    for entry in layout.entries {
      Self.add(entry.name, entry.shape, to: digester)
      layout.forEachPiece(entry, of: weights, on: backend) { digester.update($0) }
    }
    return digester.finish()
  }

  /// The version digest of weights in this order.
  public static func digest(_ tensors: [NamedTensor]) -> Digest {
    let digester = Digester()
    for tensor in tensors {
      add(tensor.name, tensor.shape, to: digester)
      digester.update(tensor.bytes)
    }
    return digester.finish()
  }

  private static func add(_ name: String, _ shape: [Int], to digester: borrowing Digester) {
    digester.update(name)
    digester.update(shape.map(String.init).joined(separator: "x"))
  }

  /// Takes `masters` over, each as the nearest BF16.
  func roundToBF16(_ masters: B.Buffer) {
    backend.roundToBF16(weights, masters, count: layout.count)
    weightsChanged()
  }

  /// Whoever writes `weights` calls it after.
  func weightsChanged() { isLaidOut = false }

  /// Lays the weights out for the forward products, where they have changed since.
  func layOut() {
    if isLaidOut { return }
    for index in layers.indices { layers[index].pack(weights, on: backend, configuration) }
    packedHead = backend.pack(
      weights, at: headOffset, outputs: configuration.vocabularySize,
      inputs: configuration.hiddenSize, reusing: packedHead)
    isLaidOut = true
  }

  var headOffset: Int {
    layout.offset(configuration.isTied ? "model.embed_tokens.weight" : "lm_head.weight")
  }

  func requireGradients() -> B.Buffer {
    if let gradients { return gradients }
    let made = backend.makeBuffer(count: layout.count)
    gradients = made
    return made
  }

  public func zeroGradients() { backend.zero(requireGradients()) }

  /// A copy of the gradients by parameter name: for tests and for inspection.
  public func copyGradients() -> [NamedTensor] { layout.tensors(requireGradients(), on: backend) }
}

// MARK: - Forward

extension Transformer {
  /// Log-probs and entropies without a tape.
  public func score(_ pack: Pack) -> Scores {
    let scored = run(pack, keepsTape: false)
    return answer(pack, final: scored.final)
  }

  /// Log-probs and entropies, and what `backward` needs. The tape lives in the workspace: it is
  /// good until the next pass of this transformer.
  public func forward(_ pack: Pack) -> (scores: Scores, tape: Tape<B>) {
    let tape = run(pack, keepsTape: true)
    return (answer(pack, final: tape.final), tape)
  }

  private func run(_ pack: Pack, keepsTape: Bool) -> Tape<B> {
    let rows = pack.rowCount
    precondition(rows > 0, "a pack has at least one row")
    let last = Int(pack.positions.max() ?? 0)
    precondition(
      last < configuration.maximumPositions,
      "position \(last) is beyond the model's \(configuration.maximumPositions)")
    layOut()
    let space = workspace.prepare(
      rows: rows, scored: pack.scoredRows.count, keepsTape: keepsTape)
    embed(space.inputs[0], tokens: pack.tokens)
    for index in layers.indices {
      let activations = space.activations(layer: index)
      runLayer(
        index, out: space.output(ofLayer: index), activations, positions: pack.positions, rows: rows
      ) { activations in
        backend.attention(
          activations.attended, q: activations.query, k: activations.key, v: activations.value,
          segments: pack.segments, shape: workspace.attentionShape)
      }
    }
    let output = space.output(ofLayer: layers.count - 1)
    backend.gather(
      space.scored, output, rows: pack.scoredRows, width: configuration.hiddenSize)
    finalNorm(space.final, space.scored, rows: pack.scoredRows.count)
    return Tape(pack: pack, space: space, final: space.final, pass: workspace.pass)
  }

  private func answer(_ pack: Pack, final: B.Buffer) -> Scores {
    let head = backend.headScores(
      x: final, w: requirePackedHead(), rows: pack.scoredRows.count,
      inverseTemperatures: pack.inverseTemperatures, queries: pack.queries)
    return Scores(
      logProbs: head.logProbs, entropies: pack.queries.map { head.entropies[$0.row] })
  }

  func requirePackedHead() -> B.Packed {
    guard let packedHead else { preconditionFailure("the weights are not laid out yet") }
    return packedHead
  }

  func embed(_ out: B.Buffer, tokens: [Int32]) {
    backend.embed(
      out, table: weights, at: layout.offset("model.embed_tokens.weight"), tokens: tokens,
      width: configuration.hiddenSize)
  }

  func finalNorm(_ out: B.Buffer, _ x: B.Buffer, rows: Int) {
    norm(out, x, at: layout.offset("model.norm.weight"), rows: rows)
  }

  private func norm(_ out: B.Buffer, _ x: B.Buffer, at offset: Int, rows: Int) {
    backend.rmsNorm(
      out, x, weight: weights, at: offset, rows: rows, width: configuration.hiddenSize,
      epsilon: Float(configuration.normEpsilon))
  }

  /// One decoder layer on `rows` rows; `attend` fills `attended` from query, key and value.
  func runLayer(
    _ index: Int, out: B.Buffer, _ a: Activations<B>, positions: [Int32], rows: Int,
    attend: (Activations<B>) -> Void
  ) {
    let layer = layers[index]
    guard let packed = layer.packed else {
      preconditionFailure("the weights are not laid out yet")
    }
    norm(a.normed, a.input, at: layer.inputNorm, rows: rows)
    backend.linear(a.query, a.normed, packed.query, bias: bias(layer.queryBias), rows: rows)
    backend.linear(a.key, a.normed, packed.key, bias: bias(layer.keyBias), rows: rows)
    backend.linear(a.value, a.normed, packed.value, bias: bias(layer.valueBias), rows: rows)
    if let queryNorm = layer.queryNorm, let keyNorm = layer.keyNorm {
      normHeads(a, queryNorm: queryNorm, keyNorm: keyNorm, rows: rows)
    }
    rotate(a.query, positions: positions, heads: configuration.heads, inverse: false)
    rotate(a.key, positions: positions, heads: configuration.keyValueHeads, inverse: false)
    attend(a)
    backend.linear(a.middle, a.attended, packed.output, bias: nil, rows: rows)
    backend.add(a.middle, a.input, count: rows * configuration.hiddenSize)

    norm(a.normed, a.middle, at: layer.postNorm, rows: rows)
    backend.linear(a.gate, a.normed, packed.gate, bias: nil, rows: rows)
    backend.linear(a.up, a.normed, packed.up, bias: nil, rows: rows)
    backend.swiglu(
      a.product, gate: a.gate, up: a.up, count: rows * configuration.feedForwardSize)
    backend.linear(out, a.product, packed.down, bias: nil, rows: rows)
    backend.add(out, a.middle, count: rows * configuration.hiddenSize)
  }

  private func bias(_ offset: Int?) -> (buffer: B.Buffer, offset: Int)? {
    offset.map { (weights, $0) }
  }

  /// Qwen3: RMS norms of every head's query and key, from `rawQuery` and `rawKey`.
  private func normHeads(_ a: Activations<B>, queryNorm: Int, keyNorm: Int, rows: Int) {
    let epsilon = Float(configuration.normEpsilon)
    for (raw, normed, offset, heads) in [
      (a.rawQuery, a.query, queryNorm, configuration.heads),
      (a.rawKey, a.key, keyNorm, configuration.keyValueHeads),
    ] {
      guard let raw else { preconditionFailure("head norms without their buffers") }
      // The products were written where attention reads; keep them aside for the backward pass.
      backend.zero(raw)
      backend.add(raw, normed, count: rows * heads * configuration.headSize)
      backend.rmsNorm(
        normed, raw, weight: weights, at: offset, rows: rows * heads,
        width: configuration.headSize, epsilon: epsilon)
    }
  }

  func rotate(_ x: B.Buffer, positions: [Int32], heads: Int, inverse: Bool) {
    rotary.require(Int(positions.max() ?? -1) + 1)
    backend.rope(
      x, cosines: rotary.cosines, sines: rotary.sines, positions: positions, rows: positions.count,
      heads: heads, headSize: configuration.headSize, inverse: inverse)
  }
}
