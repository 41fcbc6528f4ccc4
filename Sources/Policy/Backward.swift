// The backward pass: slopes in, gradients out, layer by layer in reverse.

import Tensors

/// What a forward pass left for the backward pass: the activations, until the next pass.
public struct Tape<B: Backend> {
  let pack: Pack
  let space: PassSpace<B>
  /// `[scored, hidden]`: the final norm's output.
  let final: B.Buffer
  let pass: Int
}

extension Transformer {
  /// Adds d(loss)/d(parameter) to the gradients, given d(loss)/d(scalar) for every query.
  ///
  /// Gradients are summed over calls and never averaged: the objective's slopes carry the
  /// denominators. `zeroGradients` begins a step.
  public func backward(_ tape: Tape<B>, _ slopes: Slopes) {
    precondition(
      tape.pass == workspace.pass,
      "tape of pass \(tape.pass) used after pass \(workspace.pass) took its buffers")
    let pack = tape.pack
    precondition(
      slopes.logProbs.count == pack.queries.count,
      "\(slopes.logProbs.count) slopes for \(pack.queries.count) queries")
    let gradients = requireGradients()
    let rows = pack.rowCount
    let space = workspace.prepareBackward(rows: rows, scored: pack.scoredRows.count)
    backwardHead(tape, slopes, space, gradients)
    for index in layers.indices.reversed() {
      let a = tape.space.activations(layer: index)
      backwardFeedForward(index, a, space, gradients, rows: rows)
      backwardAttention(index, a, space, gradients, pack)
    }
    backend.embedBackward(
      gradients, at: layout.offset("model.embed_tokens.weight"), dout: space.dx,
      tokens: pack.tokens, width: configuration.hiddenSize)
  }

  /// From slopes to the gradient of the last layer's output, in `space.dx`.
  private func backwardHead(
    _ tape: Tape<B>, _ slopes: Slopes, _ space: BackwardSpace<B>, _ gradients: B.Buffer
  ) {
    let pack = tape.pack
    let scored = pack.scoredRows.count
    var entropySlopes = [Float](repeating: 0, count: scored)
    if let given = slopes.entropies {
      for (query, slope) in zip(pack.queries, given) { entropySlopes[query.row] += slope }
    }
    backend.headBackward(
      dx: space.dfinal, dw: gradients, dwOffset: headOffset, x: tape.final,
      packed: requirePackedHead(), w: weights, wOffset: headOffset, rows: scored,
      outputs: configuration.vocabularySize, inputs: configuration.hiddenSize,
      inverseTemperatures: pack.inverseTemperatures, queries: pack.queries,
      logProbSlopes: slopes.logProbs, entropySlopes: entropySlopes)
    backwardNorm(
      dx: space.dscored, adds: false, dout: space.dfinal, x: tape.space.scored,
      at: layout.offset("model.norm.weight"), gradients, rows: scored)
    backend.zero(space.dx)
    backend.scatterAdd(
      space.dx, space.dscored, rows: pack.scoredRows, width: configuration.hiddenSize)
  }

  /// `space.dx` goes from the gradient of the layer's output to that of its middle.
  private func backwardFeedForward(
    _ index: Int, _ a: Activations<B>, _ space: BackwardSpace<B>, _ gradients: B.Buffer, rows: Int
  ) {
    let layer = layers[index]
    let (hidden, feed) = (configuration.hiddenSize, configuration.feedForwardSize)
    // Cheaper to compute again than to keep: the norm's output and the gated product.
    backend.swiglu(a.product, gate: a.gate, up: a.up, count: rows * feed)
    backwardLinear(
      dx: space.dproduct, adds: false, layer.down, bias: nil, gradients, dout: space.dx,
      x: a.product, rows: rows, outputs: hidden, inputs: feed)
    backend.swigluBackward(
      dgate: space.dgate, dup: space.dup, dout: space.dproduct, gate: a.gate, up: a.up,
      count: rows * feed)
    recomputeNorm(a.normed, a.middle, at: layer.postNorm, rows: rows)
    backwardLinear(
      dx: space.dnormed, adds: false, layer.gate, bias: nil, gradients, dout: space.dgate,
      x: a.normed, rows: rows, outputs: feed, inputs: hidden)
    backwardLinear(
      dx: space.dnormed, adds: true, layer.up, bias: nil, gradients, dout: space.dup,
      x: a.normed, rows: rows, outputs: feed, inputs: hidden)
    backwardNorm(
      dx: space.dx, adds: true, dout: space.dnormed, x: a.middle, at: layer.postNorm, gradients,
      rows: rows)
  }

  /// `space.dx` goes from the gradient of the layer's middle to that of its input.
  private func backwardAttention(
    _ index: Int, _ a: Activations<B>, _ space: BackwardSpace<B>, _ gradients: B.Buffer,
    _ pack: Pack
  ) {
    let layer = layers[index]
    let rows = pack.rowCount
    let hidden = configuration.hiddenSize
    let queryWidth = configuration.heads * configuration.headSize
    let keyWidth = configuration.keyValueHeads * configuration.headSize
    backwardLinear(
      dx: space.dattended, adds: false, layer.output, bias: nil, gradients, dout: space.dx,
      x: a.attended, rows: rows, outputs: hidden, inputs: queryWidth)
    backend.zero(space.dkey)
    backend.zero(space.dvalue)
    backend.attentionBackward(
      dq: space.dquery, dk: space.dkey, dv: space.dvalue, dout: space.dattended, q: a.query,
      k: a.key, v: a.value, segments: pack.segments, shape: workspace.attentionShape)
    rotate(
      space.dquery, positions: pack.positions, heads: configuration.heads, inverse: true)
    rotate(
      space.dkey, positions: pack.positions, heads: configuration.keyValueHeads, inverse: true)
    backwardHeadNorms(layer, a, space, gradients, rows: rows)
    recomputeNorm(a.normed, a.input, at: layer.inputNorm, rows: rows)
    backwardLinear(
      dx: space.dnormed, adds: false, layer.query, bias: layer.queryBias, gradients,
      dout: space.dquery, x: a.normed, rows: rows, outputs: queryWidth, inputs: hidden)
    backwardLinear(
      dx: space.dnormed, adds: true, layer.key, bias: layer.keyBias, gradients,
      dout: space.dkey, x: a.normed, rows: rows, outputs: keyWidth, inputs: hidden)
    backwardLinear(
      dx: space.dnormed, adds: true, layer.value, bias: layer.valueBias, gradients,
      dout: space.dvalue, x: a.normed, rows: rows, outputs: keyWidth, inputs: hidden)
    backwardNorm(
      dx: space.dx, adds: true, dout: space.dnormed, x: a.input, at: layer.inputNorm, gradients,
      rows: rows)
  }

  /// Qwen3's norms of queries and keys, in place on `dquery` and `dkey`.
  private func backwardHeadNorms(
    _ layer: LayerParameters<B>, _ a: Activations<B>, _ space: BackwardSpace<B>,
    _ gradients: B.Buffer, rows: Int
  ) {
    guard let queryNorm = layer.queryNorm, let keyNorm = layer.keyNorm,
      let rawQuery = a.rawQuery, let rawKey = a.rawKey
    else { return }
    // The gradient of `attended` has been used: its buffer is wide enough for either copy.
    let scratch = space.dattended
    for (slope, raw, offset, heads) in [
      (space.dquery, rawQuery, queryNorm, configuration.heads),
      (space.dkey, rawKey, keyNorm, configuration.keyValueHeads),
    ] {
      let count = rows * heads * configuration.headSize
      backend.zero(scratch)
      backend.add(scratch, slope, count: count)
      backend.rmsNormBackward(
        dx: slope, addToInput: false, dweight: gradients, at: offset, dout: scratch, x: raw,
        weight: weights, at: offset, rows: rows * heads, width: configuration.headSize,
        epsilon: Float(configuration.normEpsilon))
    }
  }

  private func recomputeNorm(_ out: B.Buffer, _ x: B.Buffer, at offset: Int, rows: Int) {
    backend.rmsNorm(
      out, x, weight: weights, at: offset, rows: rows, width: configuration.hiddenSize,
      epsilon: Float(configuration.normEpsilon))
  }

  private func backwardNorm(
    dx: B.Buffer, adds: Bool, dout: B.Buffer, x: B.Buffer, at offset: Int, _ gradients: B.Buffer,
    rows: Int
  ) {
    backend.rmsNormBackward(
      dx: dx, addToInput: adds, dweight: gradients, at: offset, dout: dout, x: x, weight: weights,
      at: offset, rows: rows, width: configuration.hiddenSize,
      epsilon: Float(configuration.normEpsilon))
  }

  private func backwardLinear(
    dx: B.Buffer, adds: Bool, _ offset: Int, bias: Int?, _ gradients: B.Buffer, dout: B.Buffer,
    x: B.Buffer, rows: Int, outputs: Int, inputs: Int
  ) {
    backend.linearBackward(
      dx: dx, addToInput: adds, dw: gradients, dwOffset: offset,
      db: bias.map { (gradients, $0) }, dout: dout, x: x, w: weights, wOffset: offset, rows: rows,
      outputs: outputs, inputs: inputs)
  }
}
