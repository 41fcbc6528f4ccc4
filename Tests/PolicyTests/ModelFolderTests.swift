import Documents
import Policy
import Safetensors
import Tensors
import Testing

private func folder(_ family: String) throws -> ModelFolder {
  try ModelFolder(path: Fixtures.path(family))
}

private func configuration(_ json: String) throws -> ModelConfiguration {
  try ModelConfiguration(configJSON: Array(json.utf8), source: "config.json")
}

@Suite struct `A model's configuration` {
  @Test(arguments: Fixtures.families)
  func `is written as it is read`(_ family: String) throws {
    let read = try folder(family).configuration
    #expect(try configuration(read.configJSON) == read)
  }

  @Test func `is the same in both spellings`() throws {
    // Llama 3.2 as transformers 4 wrote it, and the same for transformers 5.
    let sizes = """
      "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
      "attention_bias": false, "mlp_bias": false, "pretraining_tp": 1, "use_cache": true,
      "vocab_size": 128256, "hidden_size": 2048, "intermediate_size": 8192, "head_dim": 64,
      "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8,
      "max_position_embeddings": 131072, "rms_norm_eps": 1e-05, "tie_word_embeddings": true,
      "eos_token_id": [128001, 128008, 128009], "initializer_range": 0.02
      """
    let scaling = """
      "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
      "original_max_position_embeddings": 8192, "rope_type": "llama3"
      """
    let old = try configuration(
      "{\(sizes), \"rope_theta\": 500000.0, \"rope_scaling\": {\(scaling)}, "
        + "\"torch_dtype\": \"bfloat16\"}")
    let new = try configuration(
      "{\(sizes), \"rope_parameters\": {\"rope_theta\": 500000.0, \(scaling)}, "
        + "\"dtype\": \"bfloat16\"}")
    #expect(old == new)
    #expect(old.ropeTheta == 500_000)
    #expect(
      old.ropeScaling
        == .llama3(
          factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 8192))
    #expect(old.stopTokens == [128_001, 128_008, 128_009])
    // The published count of Llama 3.2 1B.
    #expect(old.parameterCount == 1_235_814_400)
  }

  @Test func `knows what a published file leaves out`() throws {
    // Qwen2.5-0.5B: no head_dim, a window that is switched off, theta beside no scaling.
    let qwen = try configuration(
      """
      {"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
       "eos_token_id": 151643, "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02,
       "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 24,
       "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24,
       "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
       "sliding_window": 32768, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
       "transformers_version": "4.40.1", "use_cache": true, "use_mrope": false,
       "use_sliding_window": false, "vocab_size": 151936}
      """)
    #expect(qwen.headSize == 64 && qwen.hasAttentionBias && !qwen.hasHeadNorms)
    #expect(qwen.ropeScaling == .none && qwen.ropeTheta == 1_000_000)
    // The published count of Qwen2.5 0.5B.
    #expect(qwen.parameterCount == 494_032_768)
  }

  private static let small: [(String, Document)] = [
    ("architectures", ["LlamaForCausalLM"]), ("vocab_size", 40), ("hidden_size", 32),
    ("intermediate_size", 48), ("num_hidden_layers", 2), ("num_attention_heads", 4),
  ]

  @Test(arguments: [
    ("architectures", #"["MixtralForCausalLM"]"#), ("architectures", "[]"),
    ("hidden_act", #""gelu""#), ("attention_bias", "true"), ("mlp_bias", "true"),
    ("quantization_config", #"{"bits": 4}"#), ("num_local_experts", "8"),
    ("sliding_window", "4096"), ("use_sliding_window", "true"),
    ("layer_types", #"["full_attention", "sliding_attention"]"#),
    ("auto_map", #"{"AutoModel": "code.Model"}"#), ("partial_rotary_factor", "0.5"),
    ("logits_scaling", "8.0"), ("rope_interleaved", "true"), ("num_experts", "8"),
    ("rope_scaling", #"{"type": "yarn", "factor": 4.0}"#),
    ("rope_scaling", #"{"rope_type": "dynamic", "factor": 2.0}"#),
    ("rope_scaling", #"{"type": "linear"}"#),
    ("rope_parameters", #"{"full_attention": {"rope_type": "default"}}"#),
    ("vocab_size", "0"), ("vocab_size", "4611686018427387904"), ("vocab_size", "40.5"),
    ("hidden_size", "33"), ("head_dim", "7"), ("num_key_value_heads", "3"),
    ("num_hidden_layers", "1000000"), ("rms_norm_eps", "0"), ("rms_norm_eps", "-1e-5"),
    ("eos_token_id", "40"), ("eos_token_id", "-1"), ("eos_token_id", #"[1, "2"]"#),
    ("max_position_embeddings", "99999999999"), ("hidden_size", "null"),
  ]) func `is refused by the key at fault`(_ key: String, _ value: String) throws {
    let changed = try JSON.parse(Array(value.utf8), source: "value")
    let members = Self.small.filter { $0.0 != key } + [(key, changed)]
    #expect {
      _ = try configuration(JSON.write(.object(members)))
    } throws: { error in
      "\(error)".hasPrefix("config.json") && "\(error)".contains(key)
    }
  }

  @Test func `passes over what is switched off`() throws {
    let off: [(String, Document)] = [
      ("quantization_config", nil), ("sliding_window", nil), ("mlp_bias", false),
      ("num_experts", 0), ("partial_rotary_factor", .number(1)),
      ("attention_dropout", .number(0.1)),
      ("some_later_key", ["anything"]),
    ]
    #expect(
      try configuration(JSON.write(.object(Self.small + off)))
        == configuration(JSON.write(.object(Self.small))))
  }

  @Test(arguments: Fixtures.families)
  func `is read or refused, whatever is done to its file`(_ family: String) throws {
    let bytes = Fixtures.bytes(Fixtures.path(family + "/config.json"))
    let document = try JSON.parse(bytes, source: family)
    var chance = Chance(seed: 5)
    var readCount = 0
    for round in 0..<1500 {
      let changed =
        round % 3 == 0
        ? Mutation.change(bytes, &chance)
        : JSON.writeBytes(Mutation.change(document, &chance))
      guard let read = try? ModelConfiguration(configJSON: changed, source: "changed") else {
        continue
      }
      readCount += 1
      #expect(read.parameterCount > 0)
      #expect(try configuration(read.configJSON) == read)
    }
    #expect(readCount > 75 && readCount < 1425, "\(readCount) of 1500 were read")
  }
}

@Suite struct `A model folder` {
  @Test(arguments: Fixtures.families)
  func `gives every weight as transformers wrote it`(_ family: String) throws {
    let folder = try folder(family)
    let file = try SafetensorsBlob(path: Fixtures.path(family + "/model.safetensors"))
    let weights = try folder.weights()
    #expect(weights.map(\.name) == folder.configuration.parameterShapes.map(\.name))
    #expect(Set(weights.map(\.name)) == Set(file.tensors.map(\.name)))
    for weight in weights { #expect(weight == file[weight.name]) }
  }

  @Test(arguments: Fixtures.families)
  func `is written as it is read`(_ family: String) throws {
    let folder = try folder(family)
    let weights = try folder.weights()
    let tokenizer = Tokenizer.characters(Array("0123456789+="))
    try Fixtures.withFolder { path in
      try ModelFolder.write(
        to: path, configuration: folder.configuration, weights: weights, tokenizer: tokenizer)
      let again = try ModelFolder(path: path)
      #expect(again.configuration == folder.configuration)
      #expect(try again.weights() == weights)
      #expect(try again.tokenizer().json == tokenizer.json)
      // A model folder is never written over.
      #expect(throws: ModelFolderError.self) {
        try ModelFolder.write(
          to: path, configuration: folder.configuration, weights: weights, tokenizer: tokenizer)
      }
    }
  }

  @Test(arguments: ["tied", "shards", "bf16", "f16"])
  func `is read straight into a model with the bits of its weights`(_ form: String) throws {
    try withModel { path, weights in
      switch form {
      case "shards": try write(shards(weights), path)
      case "bf16", "f16":
        let halves = try weights.map { weight in
          form == "bf16"
            ? NamedTensor(
              name: weight.name, shape: weight.shape, roundingToBF16: try weight.floats())
            : NamedTensor(
              name: weight.name, type: .f16, shape: weight.shape,
              bytes: (0..<weight.bytes.count / 4).flatMap { index in
                // Every pattern of an F16 but infinities and NaNs, signs included.
                let bits = UInt16(truncatingIfNeeded: index &* 2654) & 0xfbff
                return [UInt8(bits & 0xff), UInt8(bits >> 8)]
              })
        }
        try SafetensorsBlob(tensors: halves).write(path: path + "/model.safetensors")
      default: try SafetensorsBlob(tensors: weights).write(path: path + "/model.safetensors")
      }
      let folder = try ModelFolder(path: path)
      let model = Transformer(configuration: folder.configuration, backend: ReferenceBackend())
      try folder.load(into: model)
      let read = try folder.weights()
      #expect(model.copyWeights() == read)
      #expect(model.digest() == Transformer<ReferenceBackend>.digest(read))
    }
  }

  @Test func `keeps the small files it came with`() throws {
    let weights = try folder("llama").weights()
    let kept = [
      "tokenizer_config.json": #"{"chat_template": "{{ messages }}", "eos_token": "<eos>"}"#,
      "special_tokens_map.json": #"{"eos_token": "<eos>"}"#,
      "chat_template.jinja": "{{ messages }}\n",
      "generation_config.json": #"{"temperature": 0.6, "eos_token_id": [2, 3]}"#,
    ]
    try withModel { path, _ in
      for (name, text) in kept { Fixtures.write(Array(text.utf8), path + "/" + name) }
      let tokenizer = Tokenizer.characters(Array("0123456789+="))
      Fixtures.write(tokenizer.json, path + "/tokenizer.json")
      var folder = try ModelFolder(path: path)
      for round in 0..<2 {
        try Fixtures.withFolder { copy in
          try ModelFolder.write(
            to: copy, configuration: folder.configuration, weights: weights,
            tokenizer: folder.tokenizer())
          for (name, text) in kept {
            #expect(Fixtures.bytes(copy + "/" + name) == Array(text.utf8), "\(name) \(round)")
          }
          #expect(try ModelFolder(path: copy).configuration == folder.configuration)
        }
        // And what was read of it, where a run stops at other tokens.
        if round == 0 { continue }
        var configuration = folder.configuration
        configuration.stopTokens = [5]
        try Fixtures.withFolder { copy in
          try ModelFolder.write(
            to: copy, configuration: configuration, weights: weights,
            tokenizer: folder.tokenizer())
          folder = try ModelFolder(path: copy)
          #expect(folder.configuration.stopTokens == [5])
          let text = String(
            decoding: Fixtures.bytes(copy + "/generation_config.json"), as: UTF8.self)
          #expect(text.contains("0.6"))
        }
      }
    }
  }

  @Test func `takes its stop tokens from generation_config.json`() throws {
    try withModel { path, _ in
      func stopTokens(_ generation: String) throws -> Set<Int32> {
        Fixtures.write(Array(generation.utf8), path + "/generation_config.json")
        return try ModelFolder(path: path).configuration.stopTokens
      }
      let several = try stopTokens(#"{"eos_token_id": [5, 7]}"#)
      #expect(several == [5, 7])
      let none = try stopTokens(#"{"temperature": 0.6}"#)
      #expect(none == [2])
      #expect(throws: DocumentError.self) { _ = try stopTokens(#"{"eos_token_id": 40}"#) }
    }
  }

  @Test func `reads shards as one file`() throws {
    try withModel { path, weights in
      try write(shards(weights), path)
      #expect(try ModelFolder(path: path).weights() == weights)
    }
  }

  @Test func `widens half precision exactly`() throws {
    try withModel { path, weights in
      let rounded = try weights.map { weight in
        NamedTensor(
          name: weight.name, shape: weight.shape, roundingToBF16: try weight.floats())
      }
      try SafetensorsBlob(tensors: rounded).write(path: path + "/model.safetensors")
      for (read, half) in zip(try ModelFolder(path: path).weights(), rounded) {
        #expect(read.type == .f32)
        // Equal as numbers, and BF16 in F32 is its 16 bits above 16 zeros.
        let numbers = try read.floats()
        let halves = try half.floats()
        #expect(numbers == halves)
        #expect(numbers.allSatisfy { $0.bitPattern & 0xffff == 0 })
      }
    }
  }

  @Test func `passes over the head of a tied model and old rotary tables`() throws {
    try withModel { path, weights in
      let extra = [
        NamedTensor(
          name: "lm_head.weight", shape: [40, 32], floats: .init(repeating: 1, count: 1280)),
        NamedTensor(
          name: "model.layers.0.self_attn.rotary_emb.inv_freq", shape: [2], floats: [1, 0.1]),
      ]
      try SafetensorsBlob(tensors: weights + extra).write(path: path + "/model.safetensors")
      #expect(try ModelFolder(path: path).weights() == weights)
    }
  }

  @Test(arguments: [
    "missing", "unknown", "misshapen", "integers", "truncated", "no weights", "outside",
    "wrong shard", "twice", "missing shard",
  ]) func `names file and tensor of what is wrong`(_ fault: String) throws {
    try withModel { path, weights in
      let norm = "model.norm.weight"
      var expected = [norm, "model.safetensors"]
      var changed = weights
      let last = changed.firstIndex { $0.name == norm }!
      switch fault {
      case "missing":
        changed.remove(at: last)
        expected = [norm, "[32]", path]
      case "unknown":
        changed[last].name = "model.norm.bias"
        changed.append(weights[last])
        expected = ["model.norm.bias", "model.safetensors"]
      case "misshapen":
        changed[last] = NamedTensor(name: norm, shape: [4, 8], floats: try weights[last].floats())
        expected += ["[4, 8]", "[32]"]
      case "integers":
        changed[last] = NamedTensor(
          name: norm, shape: [32], integers: .init(repeating: 1, count: 32))
        expected += ["I32", "F32"]
      default: break
      }
      switch fault {
      case "truncated":
        let bytes = SafetensorsBlob(tensors: weights).serialized()
        Fixtures.write(Array(bytes.dropLast(4)), path + "/model.safetensors")
        expected = ["model.safetensors"]
      case "no weights": expected = ["neither model.safetensors nor", path]
      case "outside", "wrong shard", "twice", "missing shard":
        expected = try write(shards(weights), path, fault: fault)
      default: try SafetensorsBlob(tensors: changed).write(path: path + "/model.safetensors")
      }
      #expect {
        _ = try ModelFolder(path: path).weights()
      } throws: { error in
        expected.allSatisfy { "\(error)".contains($0) }
      }
    }
  }

  @Test func `refuses a tokenizer with more ids than the model has rows`() throws {
    try withModel { path, _ in
      let letters = (0..<60).map { Character(Unicode.Scalar(0x400 + $0)!) }
      Fixtures.write(Tokenizer.characters(letters).json, path + "/tokenizer.json")
      #expect {
        _ = try ModelFolder(path: path).tokenizer()
      } throws: { error in
        "\(error)".contains("64") && "\(error)".contains("40")
      }
    }
  }

  /// A folder with the config.json of the llama fixture, and its weights.
  private func withModel(_ body: (String, [NamedTensor]) throws -> Void) throws {
    let weights = try folder("llama").weights()
    try Fixtures.withFolder { path in
      Fixtures.write(
        Fixtures.bytes(Fixtures.path("llama/config.json")), path + "/config.json")
      try body(path, weights)
    }
  }

  private func shards(_ weights: [NamedTensor]) -> [[NamedTensor]] {
    [Array(weights[..<5]), Array(weights[5...])]
  }

  /// Writes shards and their index; returns what an error must name.
  @discardableResult
  private func write(
    _ shards: [[NamedTensor]], _ path: String, fault: String = ""
  ) throws -> [String] {
    let names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    let indexName = "model.safetensors.index.json"
    var map: [(String, Document)] = []
    for (name, tensors) in zip(names, shards) {
      let extra = fault == "twice" && name == names[1] ? [shards[0][0]] : []
      if !(fault == "missing shard" && name == names[1]) {
        try SafetensorsBlob(tensors: tensors + extra).write(path: path + "/" + name)
      }
      map += tensors.map { ($0.name, .string(name)) }
    }
    var expected: [String] = []
    switch fault {
    case "outside":
      map[3].1 = "../model.safetensors"
      expected = [indexName, map[3].0]
    case "wrong shard":
      map[3].1 = .string(names[1])
      expected = [indexName, map[3].0]
    case "twice": expected = [names[0], names[1], shards[0][0].name]
    case "missing shard": expected = [names[1]]
    default: break
    }
    let index: Document = .object([("metadata", .object([])), ("weight_map", .object(map))])
    Fixtures.write(JSON.writeBytes(index), path + "/" + indexName)
    return expected
  }
}
