// One pass over new tokens of many sequences whose keys and values are cached, and a draw from it:
// what every sampler here is made of. The layers are the learner's own, so a drawn token's log-prob
// is the bits the learner will compute.

import Tensors

extension Transformer {
  /// Runs `tokens`, token i at `rows[i]` of `caches` (one a layer), and draws one token for each of
  /// `sampling` from the pass's row at `drawnRows` (nil: row i draws for `sampling[i]`).
  func drawNext(
    caches: [B.Cache], tokens: [Int32], rows: [CacheRow], drawnRows: [Int32]?,
    sampling: [SamplingRow]
  ) -> (tokens: [Int32], logProbs: [Float]) {
    layOut()
    let space = workspace.prepare(rows: tokens.count, scored: sampling.count, keepsTape: false)
    let positions = rows.map { Int32($0.position) }
    embed(space.inputs[0], tokens: tokens)
    for layer in 0..<configuration.layers {
      let cache = caches[layer]
      runLayer(
        layer, out: space.output(ofLayer: layer), space.activations(layer: layer),
        positions: positions, rows: tokens.count
      ) { activations in
        backend.append(cache, k: activations.key, v: activations.value, rows: rows)
        backend.attend(activations.attended, q: activations.query, cache, rows: rows)
      }
    }
    let output = space.output(ofLayer: configuration.layers - 1)
    var source = output
    if let drawnRows {
      backend.gather(space.scored, output, rows: drawnRows, width: configuration.hiddenSize)
      source = space.scored
    }
    finalNorm(space.final, source, rows: sampling.count)
    return backend.sample(x: space.final, w: requirePackedHead(), rows: sampling)
  }

  /// The logits of some of the rows that `drawNext` just drew from, in order of `drawn`, each
  /// `[vocabulary]`; `into` is called with one at a time.
  func logits(
    ofDrawn drawn: [Int], drawnCount: Int, into: (Int, UnsafeBufferPointer<Float>) -> Void
  ) {
    let space = workspace.prepare(rows: 1, scored: drawnCount, keepsTape: false)
    let (width, outputs) = (configuration.hiddenSize, configuration.vocabularySize)
    let one = backend.makeBuffer(count: width)
    let out = backend.makeBuffer(count: outputs)
    var line = [Float](repeating: 0, count: outputs)
    for (index, row) in drawn.enumerated() {
      backend.gather(one, space.final, rows: [Int32(row)], width: width)
      backend.linear(out, one, requirePackedHead(), bias: nil, rows: 1)
      line.withUnsafeMutableBufferPointer { backend.download(out, at: 0, into: $0) }
      line.withUnsafeBufferPointer { into(index, $0) }
    }
  }
}
