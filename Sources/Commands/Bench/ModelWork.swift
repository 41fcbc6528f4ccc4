// The arithmetic and the reads that a model's shape asks for: what a benchmark's share of the
// machine is counted from.
//
// A multiply-add is two FLOPs. Counted are the products: of a row with the weights of every layer,
// of queries with keys and of probabilities with values (one pair of each a position attended to),
// and the head's where logits are wanted. Norms, rotations and softmax are below a hundredth.

import Policy

package struct ModelWork {
  /// FLOPs of one row through the weights of all layers.
  package let layersPerRow: Double
  /// FLOPs of one position that one row attends to, in all layers.
  package let perContext: Double
  /// FLOPs of one row's logits.
  package let headPerRow: Double
  /// Of all weights that a pass reads, in Float32.
  package let weightBytes: Double
  /// Keys and values of one position in all layers, in Float32.
  package let cacheBytesPerPosition: Double

  package init(_ shape: ModelConfiguration) {
    let layers = Double(shape.layers)
    let hidden = Double(shape.hiddenSize)
    let queries = Double(shape.heads * shape.headSize)
    let keys = Double(shape.keyValueHeads * shape.headSize)
    let feedForward = Double(shape.feedForwardSize)
    let weights = layers * hidden * (2 * queries + 2 * keys + 3 * feedForward)
    let head = hidden * Double(shape.vocabularySize)
    layersPerRow = 2 * weights
    perContext = 4 * layers * queries
    headPerRow = 2 * head
    weightBytes = 4 * (weights + head)
    cacheBytesPerPosition = 4 * 2 * layers * keys
  }

  /// Rows fed, positions they attend to in all, and rows whose logits are wanted.
  package func forward(rows: Int, contexts: Int, scored: Int) -> Double {
    Double(rows) * layersPerRow + Double(contexts) * perContext + Double(scored) * headPerRow
  }

  /// All decode steps of `batch` completions: their first token comes of the prefill, and each
  /// further one of feeding the token before it. `bytes` are the weights once a step and the cache.
  package func decode(batch: Int, prompt: Int, new: Int) -> (flops: Double, bytes: Double) {
    let steps = new - 1
    let contexts = Self.contexts(after: prompt, rows: steps) * batch
    return (
      forward(rows: batch * steps, contexts: contexts, scored: batch * steps),
      Double(steps) * weightBytes + Double(contexts) * cacheBytesPerPosition
    )
  }

  /// A learner's step with its reference: two forwards, and a backward of twice a forward that
  /// computes the logits again. A group's prompt is computed once.
  package func step(groups: Int, completions: Int, prompt: Int, new: Int) -> Double {
    let branches = completions * (new - 1)
    let contexts =
      Self.contexts(after: 0, rows: prompt)
      + completions * Self.contexts(after: prompt, rows: new - 1)
    let pass = forward(rows: prompt + branches, contexts: contexts, scored: 1 + branches)
    return Double(groups) * (4 * pass + Double(1 + branches) * headPerRow)
  }

  /// What a step in `passes` packs moves at the least, beside activations, which a cache may hold:
  /// each pass reads the weights for both forwards and for the backward, and adds to the gradients;
  /// the optimizer reads these and reads and writes the weights and two moments.
  package func stepBytes(passes: Int) -> Double {
    (Double(passes) * (3 + 2) + 1 + 2 * 3) * weightBytes
  }

  /// Positions attended to by `rows` rows that follow `start` others: each sees itself too.
  private static func contexts(after start: Int, rows: Int) -> Int {
    rows * start + rows * (rows + 1) / 2
  }
}
