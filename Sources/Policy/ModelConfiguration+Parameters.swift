// The names, shapes and order of a model's weights: transformers' names, one order everywhere
// (parameters, gradients, moments, digests, checkpoints), so that none of them carries a table.

extension ModelConfiguration {
  /// The name and shape of every weight, in the one order Forage keeps parameters in.
  ///
  /// A product's weight is `[outputs, inputs]`. A tied model has no `lm_head.weight`.
  public var parameterShapes: [(name: String, shape: [Int])] {
    var shapes = [("model.embed_tokens.weight", [vocabularySize, hiddenSize])]
    for layer in 0..<layers { shapes += layerShapes("model.layers.\(layer).") }
    shapes.append(("model.norm.weight", [hiddenSize]))
    if !isTied { shapes.append(("lm_head.weight", [vocabularySize, hiddenSize])) }
    return shapes
  }

  /// How many numbers the weights hold.
  public var parameterCount: Int {
    parameterShapes.reduce(0) { $0 + $1.shape.reduce(1, *) }
  }

  private func layerShapes(_ layer: String) -> [(String, [Int])] {
    let attention = layer + "self_attn."
    let queries = heads * headSize
    let keys = keyValueHeads * headSize
    var shapes = [(layer + "input_layernorm.weight", [hiddenSize])]
    for (name, outputs) in [("q_proj", queries), ("k_proj", keys), ("v_proj", keys)] {
      shapes.append(("\(attention)\(name).weight", [outputs, hiddenSize]))
      if hasAttentionBias { shapes.append(("\(attention)\(name).bias", [outputs])) }
    }
    shapes.append((attention + "o_proj.weight", [hiddenSize, queries]))
    if hasHeadNorms {
      shapes.append((attention + "q_norm.weight", [headSize]))
      shapes.append((attention + "k_norm.weight", [headSize]))
    }
    shapes.append((layer + "post_attention_layernorm.weight", [hiddenSize]))
    shapes.append((layer + "mlp.gate_proj.weight", [feedForwardSize, hiddenSize]))
    shapes.append((layer + "mlp.up_proj.weight", [feedForwardSize, hiddenSize]))
    shapes.append((layer + "mlp.down_proj.weight", [hiddenSize, feedForwardSize]))
    return shapes
  }
}
