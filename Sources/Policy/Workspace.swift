// Buffers of a forward and backward pass, kept between passes: allocating them anew each
// microbatch would zero hundreds of megabytes a step.

import Tensors

/// What one layer computes on its way; with a tape every layer has its own.
struct Activations<B: Backend> {
  /// `[rows, hidden]`: the layer's input.
  let input: B.Buffer
  /// `[rows, hidden]`: scratch, both norms' output.
  let normed: B.Buffer
  /// `[rows, heads * headSize]`, rotated.
  let query: B.Buffer
  /// `[rows, keyValueHeads * headSize]`, rotated; and values.
  let key: B.Buffer
  let value: B.Buffer
  /// Before the head norms of Qwen3; nil elsewhere.
  let rawQuery: B.Buffer?
  let rawKey: B.Buffer?
  /// `[rows, heads * headSize]`: what attention gives.
  let attended: B.Buffer
  /// `[rows, hidden]`: after attention's residual.
  let middle: B.Buffer
  /// `[rows, feedForward]`
  let gate: B.Buffer
  let up: B.Buffer
  /// `[rows, feedForward]`: scratch, silu(gate) * up.
  let product: B.Buffer
}

/// The buffers of one pass.
final class PassSpace<B: Backend> {
  let rows: Int
  let scoredRows: Int
  let keepsTape: Bool
  /// `[rows, hidden]` each: the input of every layer, and after them the last output. Without a
  /// tape two take turns.
  let inputs: [B.Buffer]
  private let layers: [Activations<B>]
  /// `[scored, hidden]`: the last layer's scored rows, and their final norm.
  let scored: B.Buffer
  let final: B.Buffer

  init(_ shape: ModelConfiguration, backend: B, rows: Int, scoredRows: Int, keepsTape: Bool) {
    self.rows = rows
    self.scoredRows = scoredRows
    self.keepsTape = keepsTape
    func make(_ width: Int) -> B.Buffer { backend.makeBuffer(count: rows * width) }
    let queryWidth = shape.heads * shape.headSize
    let keyWidth = shape.keyValueHeads * shape.headSize
    let inputs = (0..<(keepsTape ? shape.layers + 1 : 2)).map { _ in make(shape.hiddenSize) }
    let normed = make(shape.hiddenSize)
    let product = make(shape.feedForwardSize)
    layers = (0..<(keepsTape ? shape.layers : 1)).map { layer in
      Activations(
        input: inputs[layer], normed: normed, query: make(queryWidth), key: make(keyWidth),
        value: make(keyWidth), rawQuery: shape.hasHeadNorms ? make(queryWidth) : nil,
        rawKey: shape.hasHeadNorms ? make(keyWidth) : nil, attended: make(queryWidth),
        middle: make(shape.hiddenSize), gate: make(shape.feedForwardSize),
        up: make(shape.feedForwardSize), product: product)
    }
    self.inputs = inputs
    scored = backend.makeBuffer(count: max(1, scoredRows) * shape.hiddenSize)
    final = backend.makeBuffer(count: max(1, scoredRows) * shape.hiddenSize)
  }

  func activations(layer: Int) -> Activations<B> {
    if keepsTape { return layers[layer] }
    let shared = layers[0]
    return Activations(
      input: inputs[layer % 2], normed: shared.normed, query: shared.query, key: shared.key,
      value: shared.value, rawQuery: shared.rawQuery, rawKey: shared.rawKey,
      attended: shared.attended, middle: shared.middle, gate: shared.gate, up: shared.up,
      product: shared.product)
  }

  func output(ofLayer layer: Int) -> B.Buffer { inputs[keepsTape ? layer + 1 : (layer + 1) % 2] }
}

/// Gradients with respect to activations: one layer's worth, reused by every layer.
final class BackwardSpace<B: Backend> {
  let rows: Int
  let scoredRows: Int
  let dx: B.Buffer
  let dnormed: B.Buffer
  let dquery: B.Buffer
  let dkey: B.Buffer
  let dvalue: B.Buffer
  let dattended: B.Buffer
  let dgate: B.Buffer
  let dup: B.Buffer
  let dproduct: B.Buffer
  let dscored: B.Buffer
  let dfinal: B.Buffer

  init(_ shape: ModelConfiguration, backend: B, rows: Int, scoredRows: Int) {
    self.rows = rows
    self.scoredRows = scoredRows
    func make(_ width: Int) -> B.Buffer { backend.makeBuffer(count: rows * width) }
    let queryWidth = shape.heads * shape.headSize
    let keyWidth = shape.keyValueHeads * shape.headSize
    dx = make(shape.hiddenSize)
    dnormed = make(shape.hiddenSize)
    dquery = make(queryWidth)
    dkey = make(keyWidth)
    dvalue = make(keyWidth)
    dattended = make(queryWidth)
    dgate = make(shape.feedForwardSize)
    dup = make(shape.feedForwardSize)
    dproduct = make(shape.feedForwardSize)
    dscored = backend.makeBuffer(count: max(1, scoredRows) * shape.hiddenSize)
    dfinal = backend.makeBuffer(count: max(1, scoredRows) * shape.hiddenSize)
  }
}

/// Keeps the largest buffers asked for so far. A pass uses the first rows of each.
final class Workspace<B: Backend> {
  let configuration: ModelConfiguration
  let backend: B
  let attentionShape: AttentionShape
  /// Counts passes, so that a tape used too late is found.
  private(set) var pass = 0
  private var taped: PassSpace<B>?
  private var plain: PassSpace<B>?
  private var backward: BackwardSpace<B>?

  init(configuration: ModelConfiguration, backend: B) {
    self.configuration = configuration
    self.backend = backend
    attentionShape = AttentionShape(
      heads: configuration.heads, keyValueHeads: configuration.keyValueHeads,
      headSize: configuration.headSize)
  }

  func prepare(rows: Int, scored: Int, keepsTape: Bool) -> PassSpace<B> {
    pass += 1
    let old = keepsTape ? taped : plain
    if let old, old.rows >= rows, old.scoredRows >= scored { return old }
    let made = PassSpace(
      configuration, backend: backend, rows: max(rows, old?.rows ?? 0),
      scoredRows: max(scored, old?.scoredRows ?? 0), keepsTape: keepsTape)
    if keepsTape { taped = made } else { plain = made }
    return made
  }

  func prepareBackward(rows: Int, scored: Int) -> BackwardSpace<B> {
    if let backward, backward.rows >= rows, backward.scoredRows >= scored { return backward }
    let made = BackwardSpace(
      configuration, backend: backend, rows: max(rows, backward?.rows ?? 0),
      scoredRows: max(scored, backward?.scoredRows ?? 0))
    backward = made
    return made
  }
}
