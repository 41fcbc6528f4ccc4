// All parameters of a model in one flat buffer, in the configuration's order: the optimizer, the
// norm of the gradient and the digest are then loops over one array, and a name is an offset.

import Experience
import Safetensors
import Tensors

/// Where each named parameter lies in the flat buffer.
struct ParameterLayout: Sendable {
  struct Entry: Sendable {
    let name: String
    let shape: [Int]
    let offset: Int
    let count: Int
  }

  let entries: [Entry]
  let count: Int
  private let index: [String: Int]

  init(_ configuration: ModelConfiguration) {
    var entries: [Entry] = []
    var index: [String: Int] = [:]
    var offset = 0
    for (name, shape) in configuration.parameterShapes {
      let count = shape.reduce(1, *)
      index[name] = entries.count
      entries.append(Entry(name: name, shape: shape, offset: offset, count: count))
      offset += count
    }
    self.entries = entries
    self.index = index
    self.count = offset
  }

  subscript(name: String) -> Entry? { index[name].map { entries[$0] } }

  func offset(_ name: String) -> Int {
    guard let entry = self[name] else { preconditionFailure("no parameter is named \(name)") }
    return entry.offset
  }

  /// Splits a flat buffer into tensors by name, each name after `prefix`.
  func tensors<B: Backend>(_ buffer: B.Buffer, on backend: B, prefix: String = "") -> [NamedTensor]
  {
    entries.map { tensor($0, of: buffer, on: backend, prefix: prefix) }
  }

  /// One of them.
  func tensor<B: Backend>(
    _ entry: Entry, of buffer: B.Buffer, on backend: B, prefix: String = ""
  ) -> NamedTensor {
    let byteCount = entry.count * MemoryLayout<Float>.size
    let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { bytes, initialized in
      let floats = UnsafeMutableRawBufferPointer(bytes).bindMemory(to: Float.self)
      backend.download(buffer, at: entry.offset, into: .init(rebasing: floats[..<entry.count]))
      initialized = byteCount
    }
    return NamedTensor(name: prefix + entry.name, type: .f32, shape: entry.shape, bytes: bytes)
  }

  /// Fills a flat buffer from tensors by name; every name must be there, with its shape.
  func fill<B: Backend>(
    _ buffer: B.Buffer, on backend: B, from tensors: [NamedTensor], prefix: String = "",
    source: String
  ) throws(ModelFolderError) {
    var byName: [String: NamedTensor] = [:]
    for tensor in tensors { byName[tensor.name] = tensor }
    for entry in entries {
      guard let tensor = byName.removeValue(forKey: prefix + entry.name) else {
        throw ModelFolderError(path: source, problem: "tensor \(prefix + entry.name) is missing")
      }
      guard tensor.shape == entry.shape else {
        throw ModelFolderError(
          path: source,
          problem: "tensor \(tensor.name) has shape \(tensor.shape), expected \(entry.shape)")
      }
      do {
        try tensor.floats().withUnsafeBufferPointer {
          backend.upload($0, to: buffer, at: entry.offset)
        }
      } catch {
        throw ModelFolderError(path: source, problem: "\(error)")
      }
    }
    if let unknown = byName.keys.filter({ $0.hasPrefix(prefix) }).min() {
      throw ModelFolderError(path: source, problem: "tensor \(unknown) is not part of this model")
    }
  }
}

/// The offsets and forward layouts of one decoder layer.
struct LayerParameters<B: Backend> {
  let inputNorm: Int
  let query: Int
  let key: Int
  let value: Int
  let output: Int
  /// nil where the family has none.
  let queryBias: Int?
  let keyBias: Int?
  let valueBias: Int?
  let queryNorm: Int?
  let keyNorm: Int?
  let postNorm: Int
  let gate: Int
  let up: Int
  let down: Int
  /// Forward layouts, laid out anew whenever the weights change.
  var packed: Packed?

  struct Packed {
    let query: B.Packed
    let key: B.Packed
    let value: B.Packed
    let output: B.Packed
    let gate: B.Packed
    let up: B.Packed
    let down: B.Packed
  }

  init(_ layout: ParameterLayout, layer: Int) {
    let base = "model.layers.\(layer)."
    inputNorm = layout.offset(base + "input_layernorm.weight")
    query = layout.offset(base + "self_attn.q_proj.weight")
    key = layout.offset(base + "self_attn.k_proj.weight")
    value = layout.offset(base + "self_attn.v_proj.weight")
    output = layout.offset(base + "self_attn.o_proj.weight")
    queryBias = layout[base + "self_attn.q_proj.bias"]?.offset
    keyBias = layout[base + "self_attn.k_proj.bias"]?.offset
    valueBias = layout[base + "self_attn.v_proj.bias"]?.offset
    queryNorm = layout[base + "self_attn.q_norm.weight"]?.offset
    keyNorm = layout[base + "self_attn.k_norm.weight"]?.offset
    postNorm = layout.offset(base + "post_attention_layernorm.weight")
    gate = layout.offset(base + "mlp.gate_proj.weight")
    up = layout.offset(base + "mlp.up_proj.weight")
    down = layout.offset(base + "mlp.down_proj.weight")
  }

  mutating func pack(_ weights: B.Buffer, on backend: B, _ shape: ModelConfiguration) {
    let (hidden, feed) = (shape.hiddenSize, shape.feedForwardSize)
    let queryWidth = shape.heads * shape.headSize
    let keyWidth = shape.keyValueHeads * shape.headSize
    func lay(_ offset: Int, _ outputs: Int, _ inputs: Int, _ old: B.Packed?) -> B.Packed {
      backend.pack(weights, at: offset, outputs: outputs, inputs: inputs, reusing: old)
    }
    packed = Packed(
      query: lay(query, queryWidth, hidden, packed?.query),
      key: lay(key, keyWidth, hidden, packed?.key),
      value: lay(value, keyWidth, hidden, packed?.value),
      output: lay(output, hidden, queryWidth, packed?.output),
      gate: lay(gate, feed, hidden, packed?.gate),
      up: lay(up, feed, hidden, packed?.up),
      down: lay(down, hidden, feed, packed?.down))
  }
}
