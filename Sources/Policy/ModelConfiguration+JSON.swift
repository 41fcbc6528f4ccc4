// config.json, both ways. transformers spells the same model in two ways: through version 4
// `rope_theta` beside `rope_scaling`, `torch_dtype`; since version 5 `rope_parameters`, `dtype`.
// Both are read. A key that would change the forward pass and is not supported is refused by name:
// a model that is merely almost the one its file describes trains without complaint, and wrongly.
// Keys that change nothing here (dropout, caching, versions) are passed over.

import Documents

/// The largest sizes believed of a file; no published model is near them, and products of any of
/// them stay far from overflow.
private enum Limit {
  static let vocabulary = 1 << 22
  static let width = 1 << 18
  static let layers = 1024
  static let heads = 4096
  static let positions = 1 << 24
  /// Of F32 this is 4 TiB.
  static let parameters = 1 << 40
  static let stopTokens = 1024
}

extension ModelConfiguration {
  /// Reads config.json of a Llama, Qwen2 or Qwen3 model.
  ///
  /// Throws, naming the key, when the file describes a model that this forward pass is not.
  public init(configJSON: [UInt8], source: String) throws(DocumentError) {
    let document = try JSON.parse(configJSON, source: source)
    let fields = try Fields(document, source: source)
    let family = try Self.family(fields)
    try Self.refuseForeignKeys(fields, family: family)

    let vocabularySize = try fields.integer("vocab_size", in: 1...Limit.vocabulary)
    let hiddenSize = try fields.integer("hidden_size", in: 1...Limit.width)
    let feedForwardSize = try fields.integer("intermediate_size", in: 1...Limit.width)
    let layers = try fields.integer("num_hidden_layers", in: 1...Limit.layers)
    let heads = try fields.integer("num_attention_heads", in: 1...Limit.heads)
    let keyValueHeads = try fields.integer(
      "num_key_value_heads", default: heads, in: 1...Limit.heads)
    let headSize = try Self.headSize(fields, family: family, hiddenSize: hiddenSize, heads: heads)
    let maximumPositions = try fields.integer(
      "max_position_embeddings", default: family == .llama ? 2048 : 32768, in: 1...Limit.positions)
    let normEpsilon = try fields.number("rms_norm_eps", default: 1e-6, in: 0...1)
    let rope = try Self.rope(fields, maximumPositions: maximumPositions)
    let isTied = try fields.bool("tie_word_embeddings", default: false)
    let stopTokens = try Self.stopTokens(fields)
    let range = try fields.number("initializer_range", default: 0.02, in: 0...1e3)
    self.init(
      family: family, vocabularySize: vocabularySize, hiddenSize: hiddenSize,
      feedForwardSize: feedForwardSize, layers: layers, heads: heads,
      keyValueHeads: keyValueHeads, headSize: headSize, maximumPositions: maximumPositions,
      normEpsilon: normEpsilon, ropeTheta: rope.theta, ropeScaling: rope.scaling, isTied: isTied,
      hasAttentionBias: family == .qwen2, hasHeadNorms: family == .qwen3, stopTokens: stopTokens,
      initializerRange: range)
    try checkSizes(fields)
  }

  /// The `eos_token_id` of a config.json or generation_config.json: an id, a list, or nothing.
  static func stopTokens(_ fields: Fields) throws(DocumentError) -> Set<Int32> {
    guard fields.has("eos_token_id") else { return [] }
    let ids = 0...Limit.vocabulary
    if case .array? = fields.document("eos_token_id")?.value {
      let list = try fields.integers("eos_token_id", maximumCount: Limit.stopTokens, in: ids)
      return Set(list.map(Int32.init))
    }
    return [Int32(try fields.integer("eos_token_id", in: ids))]
  }

  private static func family(_ fields: Fields) throws(DocumentError) -> Family {
    if fields.has("architectures") {
      let names = try fields.strings("architectures", maximumCount: 16)
      guard let name = names.first, names.count == 1, let family = Family(rawValue: name) else {
        throw fields.error("architectures", "\(names) is none of \(known)")
      }
      return family
    }
    let type = try fields.string("model_type")
    guard let family = Family.allCases.first(where: { $0.modelType == type }) else {
      throw fields.error("model_type", "\(type) is none of \(known)")
    }
    return family
  }

  private static var known: String {
    Family.allCases.map(\.rawValue).joined(separator: ", ") + ": the families supported"
  }

  private static func headSize(
    _ fields: Fields, family: Family, hiddenSize: Int, heads: Int
  ) throws(DocumentError) -> Int {
    if fields.has("head_dim") { return try fields.integer("head_dim", in: 2...Limit.width) }
    if family == .qwen3 { return 128 }  // transformers' own default for this family alone
    guard hiddenSize % heads == 0 else {
      throw fields.error(
        "hidden_size", "\(hiddenSize) is no multiple of the \(heads) heads, and head_dim is missing"
      )
    }
    return hiddenSize / heads
  }

  private func checkSizes(_ fields: Fields) throws(DocumentError) {
    guard heads % keyValueHeads == 0 else {
      throw fields.error(
        "num_key_value_heads", "\(heads) heads cannot share \(keyValueHeads) keys evenly")
    }
    guard headSize % 2 == 0 else {
      throw fields.error("head_dim", "\(headSize) is odd, and rotary pairs need an even size")
    }
    guard heads * headSize <= Limit.width else {
      throw fields.error(
        "head_dim", "\(heads) heads of \(headSize) exceed the limit of \(Limit.width)")
    }
    guard normEpsilon > 0 else { throw fields.error("rms_norm_eps", "0 divides by zero") }
    // Counted one layer at a time: 1024 layers' names need not be built to refuse them.
    var single = self
    single.layers = 1
    let count = single.parameterCount.multipliedReportingOverflow(by: layers)
    guard !count.overflow, count.partialValue <= Limit.parameters else {
      throw fields.error(
        "num_hidden_layers", "the model would exceed the limit of \(Limit.parameters) weights")
    }
    if let beyond = stopTokens.filter({ $0 >= vocabularySize }).min() {
      throw fields.error("eos_token_id", "\(beyond) is beyond the \(vocabularySize) tokens")
    }
  }
}

// Keys that change the forward pass.
extension ModelConfiguration {
  /// Keys of other models' forward passes, refused unless null, false or the neutral value.
  private static let foreign: [(key: String, neutral: Document?)] = [
    ("quantization_config", nil), ("auto_map", nil), ("num_experts", 0), ("num_local_experts", 0),
    ("n_routed_experts", 0), ("moe_intermediate_size", nil), ("clip_qkv", nil),
    ("attn_logit_softcapping", nil), ("final_logit_softcapping", nil), ("logit_scale", 1),
    ("logits_scaling", 1), ("residual_multiplier", 1), ("embedding_multiplier", 1),
    ("attention_multiplier", nil), ("query_pre_attn_scalar", nil), ("no_rope_layers", nil),
    ("no_rope_layer_interval", nil), ("use_qk_norm", nil), ("qk_layernorm", nil),
    ("parallel_attn", nil), ("partial_rotary_factor", 1), ("mlp_bias", nil),
    ("is_encoder_decoder", nil), ("add_cross_attention", nil), ("rope_interleaved", nil),
    ("rotary_pct", 1), ("attention_sinks", nil), ("num_nextn_predict_layers", 0),
    ("use_dual_chunk_attention", nil), ("dual_chunk_attention_config", nil),
  ]

  private static func refuseForeignKeys(
    _ fields: Fields, family: Family
  ) throws(DocumentError) {
    for (key, neutral) in foreign where fields.has(key) {
      guard let value = fields.document(key), !isOff(value, neutral: neutral) else { continue }
      throw fields.error(key, "not supported; expected none, null or false")
    }
    let activation = try fields.string("hidden_act", default: "silu")
    guard activation == "silu" else {
      throw fields.error("hidden_act", "\(activation) is not supported; expected silu")
    }
    // Llama and Qwen3 would put biases on the output product too; Qwen2 has its own, always.
    if family != .qwen2, try fields.bool("attention_bias", default: false) {
      throw fields.error("attention_bias", "true is not supported for \(family.rawValue)")
    }
    try refuseSlidingWindow(fields, family: family)
  }

  private static func isOff(_ value: Document, neutral: Document?) -> Bool {
    switch (value.value, neutral?.value) {
    case (.null, _), (.bool(false), _): true
    case (.number(let found), .integer(let off)?): found == Double(off)
    case (let found, let off?): found == off
    default: false
    }
  }

  /// Qwen names a window beside a switch that is off; elsewhere the window alone switches it on.
  private static func refuseSlidingWindow(
    _ fields: Fields, family: Family
  ) throws(DocumentError) {
    let hasSwitch = family != .llama
    if try fields.bool("use_sliding_window", default: false) {
      throw fields.error("use_sliding_window", "sliding windows are not supported")
    }
    if !hasSwitch, fields.has("sliding_window") {
      throw fields.error("sliding_window", "sliding windows are not supported")
    }
    guard fields.has("layer_types") else { return }
    let types = try fields.strings("layer_types", maximumCount: Limit.layers)
    if let other = types.first(where: { $0 != "full_attention" }) {
      throw fields.error("layer_types", "\(other) is not supported; expected full_attention")
    }
  }
}

// Rotary positions, in both spellings.
extension ModelConfiguration {
  private static func rope(
    _ fields: Fields, maximumPositions: Int
  ) throws(DocumentError) -> (theta: Double, scaling: RopeScaling) {
    let thetas = 1.0...1e12
    let outer = try fields.number("rope_theta", default: 10_000, in: thetas)
    var theta = outer
    var scaling: RopeScaling?
    for key in ["rope_parameters", "rope_scaling"] where fields.has(key) {
      let section = try fields.section(key)
      theta = try section.number("rope_theta", default: outer, in: thetas)
      guard !fields.has("rope_theta") || theta == outer else {
        throw fields.error("rope_theta", "\(outer) disagrees with \(theta) of \(key)")
      }
      let found = try ropeScaling(section, maximumPositions: maximumPositions)
      guard scaling == nil || scaling == found else {
        throw fields.error("rope_scaling", "disagrees with rope_parameters")
      }
      scaling = found
    }
    return (theta, scaling ?? .none)
  }

  private static func ropeScaling(
    _ section: Fields, maximumPositions: Int
  ) throws(DocumentError) -> RopeScaling {
    if section.has("full_attention") || section.has("sliding_attention") {
      throw section.error("full_attention", "one rope per kind of layer is not supported")
    }
    guard try section.number("partial_rotary_factor", default: 1, in: 0...1) == 1 else {
      throw section.error("partial_rotary_factor", "not supported; expected 1")
    }
    if section.has("attention_factor") {
      throw section.error("attention_factor", "not supported; expected none")
    }
    let legacy = try section.string("type", default: "default")
    let type = try section.string("rope_type", default: legacy)
    let factors = 1e-3...1e6
    switch type {
    case "default": return .none
    case "linear": return .linear(factor: try section.number("factor", in: factors))
    case "llama3":
      let low = try section.number("low_freq_factor", in: factors)
      let high = try section.number("high_freq_factor", in: factors)
      guard high > low else {
        throw section.error("high_freq_factor", "\(high) is not above low_freq_factor \(low)")
      }
      return .llama3(
        factor: try section.number("factor", in: factors), lowFrequencyFactor: low,
        highFrequencyFactor: high,
        originalPositions: try section.integer(
          "original_max_position_embeddings", default: maximumPositions, in: 1...Limit.positions))
    default:
      throw section.error(
        section.has("rope_type") ? "rope_type" : "type",
        "\(type) is not supported; expected default, linear or llama3")
    }
  }
}

// Writing.
extension ModelConfiguration.Family {
  /// What transformers calls the family in `model_type`.
  var modelType: String {
    switch self {
    case .llama: "llama"
    case .qwen2: "qwen2"
    case .qwen3: "qwen3"
    }
  }
}

extension ModelConfiguration {
  /// What `AutoModelForCausalLM.from_pretrained` opens.
  ///
  /// Rotary positions stand in both spellings, so that either version of transformers finds its
  /// own.
  public var configJSON: String {
    precondition(
      hasAttentionBias == (family == .qwen2) && hasHeadNorms == (family == .qwen3),
      "\(family.rawValue) cannot say attention bias \(hasAttentionBias), "
        + "head norms \(hasHeadNorms)")
    var members: [(String, Document)] = [
      ("architectures", .array([.string(family.rawValue)])),
      ("model_type", .string(family.modelType)),
      ("vocab_size", .integer(vocabularySize)),
      ("hidden_size", .integer(hiddenSize)),
      ("intermediate_size", .integer(feedForwardSize)),
      ("num_hidden_layers", .integer(layers)),
      ("num_attention_heads", .integer(heads)),
      ("num_key_value_heads", .integer(keyValueHeads)),
      ("head_dim", .integer(headSize)),
      ("hidden_act", "silu"),
      ("max_position_embeddings", .integer(maximumPositions)),
      ("rms_norm_eps", .number(normEpsilon)),
      ("rope_theta", .number(ropeTheta)),
      ("rope_scaling", ropeScaling == .none ? nil : .object(ropeMembers)),
      ("rope_parameters", .object([("rope_theta", .number(ropeTheta))] + ropeMembers)),
      ("tie_word_embeddings", .bool(isTied)),
    ]
    if family != .qwen2 { members.append(("attention_bias", false)) }
    members += [
      ("bos_token_id", nil), ("eos_token_id", stopTokenDocument), ("pad_token_id", nil),
      ("initializer_range", .number(initializerRange)),
      ("torch_dtype", "float32"),
    ]
    return JSON.write(.object(members), pretty: true) + "\n"
  }

  /// `eos_token_id`: null, an id, or a list of them.
  var stopTokenDocument: Document {
    let ids = stopTokens.sorted().map { Document.integer(Int($0)) }
    return ids.isEmpty ? nil : ids.count == 1 ? ids[0] : .array(ids)
  }

  private var ropeMembers: [(String, Document)] {
    switch ropeScaling {
    case .none: [("rope_type", "default")]
    case .linear(let factor): [("rope_type", "linear"), ("factor", .number(factor))]
    case .llama3(let factor, let low, let high, let original):
      [
        ("rope_type", "llama3"), ("factor", .number(factor)), ("low_freq_factor", .number(low)),
        ("high_freq_factor", .number(high)),
        ("original_max_position_embeddings", .integer(original)),
      ]
    }
  }
}
