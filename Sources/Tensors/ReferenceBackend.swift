// The naive twin of every kernel: plain loops that accumulate in Double. Never deleted: whatever a
// faster backend does is held to this one, forward and backward.

import Glibc

/// Float32 values in an array.
public final class ReferenceBuffer {
  var values: [Float]
  init(_ values: [Float]) { self.values = values }
}

/// A copy of a weight `[outputs, inputs]`.
public final class ReferencePacked {
  let values: [Float]
  let outputs: Int
  let inputs: Int
  init(values: [Float], outputs: Int, inputs: Int) {
    self.values = values
    self.outputs = outputs
    self.inputs = inputs
  }
}

/// Keys and values `[slot, position, keyValueHeads * headSize]`.
public final class ReferenceCache {
  var keys: [Float]
  var values: [Float]
  let slots: Int
  let capacity: Int
  let shape: AttentionShape
  init(slots: Int, capacity: Int, shape: AttentionShape) {
    keys = .init(repeating: 0, count: slots * capacity * shape.keyValueWidth)
    values = keys
    self.slots = slots
    self.capacity = capacity
    self.shape = shape
  }
}

/// Sendable by the CPU backend's rule: one thread at a time calls it and its buffers.
public final class ReferenceBackend: Backend, @unchecked Sendable {
  public typealias Buffer = ReferenceBuffer
  public typealias Packed = ReferencePacked
  public typealias Cache = ReferenceCache

  public let name = "reference"

  public init() {}

  public func makeBuffer(count: Int) -> Buffer {
    ReferenceBuffer(.init(repeating: 0, count: count))
  }
  public func count(_ buffer: Buffer) -> Int { buffer.values.count }

  public func upload(_ values: UnsafeBufferPointer<Float>, to buffer: Buffer, at offset: Int) {
    for i in 0..<values.count { buffer.values[offset + i] = values[i] }
  }

  public func download(
    _ buffer: Buffer, at offset: Int, into values: UnsafeMutableBufferPointer<Float>
  ) {
    for i in 0..<values.count { values[i] = buffer.values[offset + i] }
  }

  public func zero(_ buffer: Buffer) {
    for i in buffer.values.indices { buffer.values[i] = 0 }
  }

  public func pack(
    _ weight: Buffer, at offset: Int, outputs: Int, inputs: Int, reusing: Packed?
  ) -> Packed {
    ReferencePacked(
      values: Array(weight.values[offset..<offset + outputs * inputs]), outputs: outputs,
      inputs: inputs)
  }

  public func linear(
    _ out: Buffer, _ x: Buffer, _ w: Packed, bias: (buffer: Buffer, offset: Int)?, rows: Int
  ) {
    for m in 0..<rows {
      for n in 0..<w.outputs {
        var sum = 0.0
        for k in 0..<w.inputs {
          sum += Double(x.values[m * w.inputs + k]) * Double(w.values[n * w.inputs + k])
        }
        if let bias { sum += Double(bias.buffer.values[bias.offset + n]) }
        out.values[m * w.outputs + n] = Float(sum)
      }
    }
  }

  public func linearBackward(
    dx: Buffer?, addToInput: Bool, dw: Buffer, dwOffset: Int, db: (buffer: Buffer, offset: Int)?,
    dout: Buffer, x: Buffer, w: Buffer, wOffset: Int, rows: Int, outputs: Int, inputs: Int
  ) {
    if let dx {
      for m in 0..<rows {
        for k in 0..<inputs {
          var sum = addToInput ? Double(dx.values[m * inputs + k]) : 0
          for n in 0..<outputs {
            sum += Double(dout.values[m * outputs + n]) * Double(w.values[wOffset + n * inputs + k])
          }
          dx.values[m * inputs + k] = Float(sum)
        }
      }
    }
    for n in 0..<outputs {
      for k in 0..<inputs {
        var sum = Double(dw.values[dwOffset + n * inputs + k])
        for m in 0..<rows {
          sum += Double(dout.values[m * outputs + n]) * Double(x.values[m * inputs + k])
        }
        dw.values[dwOffset + n * inputs + k] = Float(sum)
      }
      guard let db else { continue }
      var sum = Double(db.buffer.values[db.offset + n])
      for m in 0..<rows { sum += Double(dout.values[m * outputs + n]) }
      db.buffer.values[db.offset + n] = Float(sum)
    }
  }

  public func embed(
    _ out: Buffer, table: Buffer, at offset: Int, tokens: [Int32], width: Int
  ) {
    for (m, token) in tokens.enumerated() {
      for i in 0..<width {
        out.values[m * width + i] = table.values[offset + Int(token) * width + i]
      }
    }
  }

  public func embedBackward(
    _ dtable: Buffer, at offset: Int, dout: Buffer, tokens: [Int32], width: Int
  ) {
    for (m, token) in tokens.enumerated() {
      for i in 0..<width {
        dtable.values[offset + Int(token) * width + i] += dout.values[m * width + i]
      }
    }
  }

  public func swiglu(_ out: Buffer, gate: Buffer, up: Buffer, count: Int) {
    for i in 0..<count {
      let g = Double(gate.values[i])
      out.values[i] = Float(g / (1 + exp(-g)) * Double(up.values[i]))
    }
  }

  public func swigluBackward(
    dgate: Buffer, dup: Buffer, dout: Buffer, gate: Buffer, up: Buffer, count: Int
  ) {
    for i in 0..<count {
      let (g, u, d) = (
        Double(gate.values[i]), Double(up.values[i]), Double(dout.values[i])
      )
      let s = 1 / (1 + exp(-g))
      dup.values[i] = Float(d * g * s)
      dgate.values[i] = Float(d * u * s * (1 + g * (1 - s)))
    }
  }

  public func add(_ x: Buffer, _ y: Buffer, count: Int) {
    for i in 0..<count { x.values[i] += y.values[i] }
  }

  public func gather(_ out: Buffer, _ x: Buffer, rows: [Int32], width: Int) {
    for (i, row) in rows.enumerated() {
      for j in 0..<width { out.values[i * width + j] = x.values[Int(row) * width + j] }
    }
  }

  public func scatterAdd(_ dx: Buffer, _ dout: Buffer, rows: [Int32], width: Int) {
    for (i, row) in rows.enumerated() {
      for j in 0..<width { dx.values[Int(row) * width + j] += dout.values[i * width + j] }
    }
  }

  public func roundToBF16(_ out: Buffer, _ x: Buffer, count: Int) {
    for i in 0..<count {
      let value = x.values[i]
      guard value.isFinite, value != 0 else {
        out.values[i] = value
        continue
      }
      // Seven bits behind the first one: a unit in the last place is 2^(exponent - 7).
      let exponent = max(value.exponent, Float.leastNormalMagnitude.exponent)
      let unit = Double(sign: .plus, exponent: Int(exponent) - 7, significand: 1)
      let rounded = (Double(value) / unit).rounded(.toNearestOrEven) * unit
      // Half a unit beyond the largest BF16 lies above every Float.
      out.values[i] = Float(rounded)
    }
  }

  public func sumOfSquares(_ x: Buffer, count: Int) -> Double {
    x.values[0..<count].reduce(0) { $0 + Double($1) * Double($1) }
  }

  public func adamW(
    parameters: Buffer, gradients: Buffer, first: Buffer, second: Buffer, count: Int,
    gradientScale: Float, _ settings: AdamW
  ) {
    let (b1, b2) = (Double(settings.beta1), Double(settings.beta2))
    let rate = Double(settings.learningRate)
    for i in 0..<count {
      let g = Double(gradients.values[i]) * Double(gradientScale)
      let m = b1 * Double(first.values[i]) + (1 - b1) * g
      let v = b2 * Double(second.values[i]) + (1 - b2) * g * g
      let corrected = m / (1 - pow(b1, Double(settings.step)))
      let spread = (v / (1 - pow(b2, Double(settings.step)))).squareRoot()
      let decayed = Double(parameters.values[i]) * (1 - rate * Double(settings.weightDecay))
      first.values[i] = Float(m)
      second.values[i] = Float(v)
      parameters.values[i] = Float(
        decayed - rate * corrected / (spread + Double(settings.epsilon)))
    }
  }
}
