// The seam between the policy and the machine: the few kernels a decoder needs, forward and
// backward, over opaque float32 buffers.
//
// Forward kernels keep one promise that BLAS does not: a row's result depends on that row alone,
// never on how many rows share the call, on threads, or on the vector width (DESIGN section 6).
// Each forward product is one chain of fused multiply-adds over ascending k; reductions use 16
// fixed lanes and one tree. Backward kernels promise only to repeat themselves.
//
// Shapes are row-major, `[rows, width]`. Outputs come first, inputs next, sizes last. `@Buffer`
// offsets are in elements.

/// A stretch of rows whose tokens follow one another in one sequence, and the stretches before it.
///
/// A group's prompt is one segment; each completion is a segment whose `ancestors` is the prompt's
/// rows. Position i of a path is row i of its ancestors laid end to end, then its own rows.
public struct Segment: Equatable, Sendable {
  /// Rows of earlier segments that come before this one's, in order of position.
  public var ancestors: [Range<Int>]
  /// This segment's own rows.
  public var rows: Range<Int>

  public init(ancestors: [Range<Int>], rows: Range<Int>) {
    self.ancestors = ancestors
    self.rows = rows
  }

  /// The true position of the first own row.
  public var startPosition: Int { ancestors.reduce(0) { $0 + $1.count } }
}

/// The shape of attention: `heads` queries share `keyValueHeads` keys and values, grouped in order.
public struct AttentionShape: Equatable, Sendable {
  public var heads: Int
  public var keyValueHeads: Int
  public var headSize: Int

  public init(heads: Int, keyValueHeads: Int, headSize: Int) {
    precondition(
      heads % keyValueHeads == 0, "\(heads) heads do not share \(keyValueHeads) key/value heads")
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headSize = headSize
  }
}

/// A row of a key/value cache: which sequence, and which position in it.
public struct CacheRow: Equatable, Sendable {
  public var slot: Int
  public var position: Int

  public init(slot: Int, position: Int) {
    self.slot = slot
    self.position = position
  }
}

/// A question to the head: of the row at `row` in the list of scored rows, the log-prob of
/// `target`.
public struct HeadQuery: Equatable, Sendable {
  public var row: Int
  public var target: Int32

  public init(row: Int, target: Int32) {
    self.row = row
    self.target = target
  }
}

/// How to draw one token.
public struct SamplingRow: Equatable, Sendable {
  /// 1 / temperature. Greedy rows score with 1.
  public var inverseTemperature: Float
  /// In [0, 1); nil takes the most probable token, the least id at a tie.
  public var uniform: Float?
  /// Which tokens may be drawn; nil is any. The log-prob is of the whole distribution all the same.
  public var cut: SamplingCut?

  public init(inverseTemperature: Float, uniform: Float?, cut: SamplingCut? = nil) {
    self.inverseTemperature = inverseTemperature
    self.uniform = uniform
    self.cut = cut
  }
}

public struct AdamW: Equatable, Sendable {
  public var learningRate: Float
  public var beta1: Float
  public var beta2: Float
  public var epsilon: Float
  public var weightDecay: Float
  /// 1-based count of updates, for the bias correction.
  public var step: Int

  public init(
    learningRate: Float, beta1: Float, beta2: Float, epsilon: Float, weightDecay: Float, step: Int
  ) {
    self.learningRate = learningRate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.step = step
  }
}

public protocol Backend: AnyObject, Sendable {
  /// Float32 storage of a fixed element count, freed with its last reference.
  associatedtype Buffer: AnyObject
  /// A weight `[outputs, inputs]` laid out once for the forward product.
  associatedtype Packed: AnyObject
  /// Keys and values of many sequences for one layer, `slots` x `capacity` positions.
  associatedtype Cache: AnyObject

  /// "reference", or "cpu-avx512", "cpu-avx2", "cpu-portable": part of the numeric class.
  var name: String { get }

  // Storage. Buffers begin as zeros.
  func makeBuffer(count: Int) -> Buffer
  func count(_ buffer: Buffer) -> Int
  func upload(_ values: UnsafeBufferPointer<Float>, to buffer: Buffer, at offset: Int)
  func download(_ buffer: Buffer, at offset: Int, into values: UnsafeMutableBufferPointer<Float>)
  func zero(_ buffer: Buffer)

  /// Lays out `weight[offset ..< offset + outputs * inputs]`, `[outputs, inputs]`; `reusing` an
  /// earlier layout of the same shape saves its allocation.
  func pack(
    _ weight: Buffer, at offset: Int, outputs: Int, inputs: Int, reusing: Packed?
  ) -> Packed

  /// out[m, n] = sum over ascending k of x[m, k] w[n, k], then + bias[n] where there is one.
  func linear(
    _ out: Buffer, _ x: Buffer, _ w: Packed, bias: (buffer: Buffer, offset: Int)?, rows: Int)
  /// dx[m, k] (+)= dout[m, n] w[n, k], dw[n, k] += dout[m, n] x[m, k], db[n] += dout[m, n].
  /// `dx` nil skips it; `addToInput` adds to dx instead of overwriting it.
  func linearBackward(
    dx: Buffer?, addToInput: Bool, dw: Buffer, dwOffset: Int, db: (buffer: Buffer, offset: Int)?,
    dout: Buffer, x: Buffer, w: Buffer, wOffset: Int, rows: Int, outputs: Int, inputs: Int)

  /// out[m, :] = table[offset + tokens[m] * width ...]
  func embed(_ out: Buffer, table: Buffer, at offset: Int, tokens: [Int32], width: Int)
  /// dtable[tokens[m], :] += dout[m, :], in order of m.
  func embedBackward(
    _ dtable: Buffer, at offset: Int, dout: Buffer, tokens: [Int32], width: Int)

  /// out = x / sqrt(mean(x^2) + epsilon) * weight, per row. `rows` may also be rows x heads with
  /// width = head size (Qwen3's q and k norms). In place (`out === x`) is allowed.
  func rmsNorm(
    _ out: Buffer, _ x: Buffer, weight: Buffer, at offset: Int, rows: Int, width: Int,
    epsilon: Float)
  /// dx (+)= ..., dweight += ...; `x` is the forward's input.
  func rmsNormBackward(
    dx: Buffer, addToInput: Bool, dweight: Buffer, at dweightOffset: Int, dout: Buffer, x: Buffer,
    weight: Buffer, at offset: Int, rows: Int, width: Int, epsilon: Float)

  /// Rotates pairs (i, i + headSize / 2) of every head, in place, by the angles of each row's
  /// position: x' = x cos - y sin, y' = y cos + x sin. `cosines` and `sines` are
  /// `[positions, headSize / 2]`. `inverse` rotates back, which is the backward pass.
  func rope(
    _ x: Buffer, cosines: Buffer, sines: Buffer, positions: [Int32], rows: Int, heads: Int,
    headSize: Int, inverse: Bool)

  /// out[row, head] = softmax(q . k / sqrt(headSize)) v over positions 0 through the row's own.
  /// q, out: `[rows, heads * headSize]`; k, v: `[rows, keyValueHeads * headSize]`. Every row
  /// belongs to one segment. Bit-equal to `attend` over a cache holding the same keys.
  func attention(
    _ out: Buffer, q: Buffer, k: Buffer, v: Buffer, segments: [Segment], shape: AttentionShape)
  /// Overwrites dq; adds to dk and dv (zero them first): a prompt's rows gather from every branch.
  func attentionBackward(
    dq: Buffer, dk: Buffer, dv: Buffer, dout: Buffer, q: Buffer, k: Buffer, v: Buffer,
    segments: [Segment], shape: AttentionShape)

  func makeCache(slots: Int, capacity: Int, shape: AttentionShape) -> Cache
  /// Writes row i of k and v (`[rows, keyValueHeads * headSize]`) at `rows[i]`.
  func append(_ cache: Cache, k: Buffer, v: Buffer, rows: [CacheRow])
  /// Attends from row i of q over positions 0 through `rows[i].position` of its slot.
  func attend(_ out: Buffer, q: Buffer, _ cache: Cache, rows: [CacheRow])
  /// Copies the first `count` positions of one slot to another: samples of one prompt share its
  /// prefill.
  func copy(_ cache: Cache, from source: Int, to destination: Int, count: Int)

  /// out = silu(gate) * up, elementwise over `count`.
  func swiglu(_ out: Buffer, gate: Buffer, up: Buffer, count: Int)
  /// Overwrites dgate and dup.
  func swigluBackward(
    dgate: Buffer, dup: Buffer, dout: Buffer, gate: Buffer, up: Buffer, count: Int)

  /// x += y over `count`.
  func add(_ x: Buffer, _ y: Buffer, count: Int)
  /// out[i, :] = x[rows[i], :]
  func gather(_ out: Buffer, _ x: Buffer, rows: [Int32], width: Int)
  /// dx[rows[i], :] += dout[i, :], in order of i.
  func scatterAdd(_ dx: Buffer, _ dout: Buffer, rows: [Int32], width: Int)

  /// For each query, log softmax(logits * inverseTemperature)[target]; for each row the entropy of
  /// that softmax in nats and the log-sum-exp. logits = x w^T, computed a slice of rows at a time
  /// and never kept. `inverseTemperatures` is one a row. Queries come in any order of rows; a row
  /// may have none or many.
  func headScores(
    x: Buffer, w: Packed, rows: Int, inverseTemperatures: [Float], queries: [HeadQuery]
  ) -> HeadScores
  /// Slopes are d(loss)/d(log-prob) a query and d(loss)/d(entropy) a row. Recomputes the logits.
  /// Overwrites dx `[rows, inputs]`; adds to dw at dwOffset `[outputs, inputs]`.
  func headBackward(
    dx: Buffer, dw: Buffer, dwOffset: Int, x: Buffer, packed: Packed, w: Buffer, wOffset: Int,
    rows: Int, outputs: Int, inputs: Int, inverseTemperatures: [Float], queries: [HeadQuery],
    logProbSlopes: [Float], entropySlopes: [Float])
  /// Draws a token a row and its log-prob, the same number `headScores` gives for it. The token is
  /// the first whose cumulated exp(logit - max), in order of id, exceeds uniform times the total.
  func sample(x: Buffer, w: Packed, rows: [SamplingRow]) -> (tokens: [Int32], logProbs: [Float])

  /// out = x as the nearest BF16, ties to even, kept as Float. In place (`out === x`) is allowed.
  func roundToBF16(_ out: Buffer, _ x: Buffer, count: Int)
  /// Sum of squares in Double, in a fixed order.
  func sumOfSquares(_ x: Buffer, count: Int) -> Double
  /// One AdamW update of `count` parameters, gradients scaled by `gradientScale` first.
  func adamW(
    parameters: Buffer, gradients: Buffer, first: Buffer, second: Buffer, count: Int,
    gradientScale: Float, _ settings: AdamW)
}

public struct HeadScores: Equatable, Sendable {
  /// One a query.
  public var logProbs: [Float]
  /// One a row.
  public var entropies: [Float]

  public init(logProbs: [Float], entropies: [Float]) {
    self.logProbs = logProbs
    self.entropies = entropies
  }
}
