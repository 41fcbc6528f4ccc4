// Norms, rotations and elementwise kernels, cut into stretches of a fixed size.

import CKernels
import Glibc

extension CPUBackend {
  /// Elements a task takes: about 10 microseconds.
  private static let grain = 32_768

  public func rmsNorm(
    _ out: Buffer, _ x: Buffer, weight: Buffer, at offset: Int, rows: Int, width: Int,
    epsilon: Float
  ) {
    check(out, rows * width, "rmsNorm out")
    check(x, rows * width, "rmsNorm x")
    check(weight, offset + width, "rmsNorm weight")
    split(rows, grain: Self.grain / max(width, 1)) { range, _ in
      let first = range.lowerBound * width
      kernels.rmsNorm(
        out.floats + first, x.floats + first, weight.floats + offset, range.count, width, epsilon)
    }
  }

  public func rmsNormBackward(
    dx: Buffer, addToInput: Bool, dweight: Buffer, at dweightOffset: Int, dout: Buffer, x: Buffer,
    weight: Buffer, at offset: Int, rows: Int, width: Int, epsilon: Float
  ) {
    check(dx, rows * width, "rmsNormBackward dx")
    check(dout, rows * width, "rmsNormBackward dout")
    check(x, rows * width, "rmsNormBackward x")
    check(weight, offset + width, "rmsNormBackward weight")
    check(dweight, dweightOffset + width, "rmsNormBackward dweight")
    // Each stretch of rows sums its own dweight; the sums are added in order.
    let stretches = max(1, min(64, rows * width / Self.grain))
    let sums = partials.floats(stretches * width)
    pool.run(stretches) { task, _ in
      let (first, end) = (rows * task / stretches, rows * (task + 1) / stretches)
      let sum = sums + task * width
      sum.update(repeating: 0, count: width)
      kernels.rmsNormBackward(
        dx.floats + first * width, sum, dout.floats + first * width, x.floats + first * width,
        weight.floats + offset, end - first, width, epsilon, addToInput ? 1 : 0)
    }
    for task in 0..<stretches {
      kernels.add(dweight.floats + dweightOffset, sums + task * width, width)
    }
  }

  public func rope(
    _ x: Buffer, cosines: Buffer, sines: Buffer, positions: [Int32], rows: Int, heads: Int,
    headSize: Int, inverse: Bool
  ) {
    let width = heads * headSize
    let limit = min(cosines.count, sines.count) / max(headSize / 2, 1)
    precondition(headSize % 2 == 0, "rope of an odd head size, \(headSize)")
    precondition(positions.count == rows, "rope of \(rows) rows at \(positions.count) positions")
    check(x, rows * width, "rope x")
    for position in positions {
      precondition(
        position >= 0 && position < limit, "rope at position \(position) of a table of \(limit)")
    }
    positions.withUnsafeBufferPointer { positions in
      split(rows, grain: Self.grain / max(width, 1)) { range, _ in
        kernels.rope(
          x.floats + range.lowerBound * width, cosines.floats, sines.floats,
          positions.baseAddress! + range.lowerBound, range.count, heads, headSize,
          inverse ? 1 : 0)
      }
    }
  }

  public func swiglu(_ out: Buffer, gate: Buffer, up: Buffer, count: Int) {
    for buffer in [out, gate, up] { check(buffer, count, "swiglu") }
    split(count, grain: Self.grain / 4, multiple: 16) { range, _ in
      let first = range.lowerBound
      kernels.swiglu(out.floats + first, gate.floats + first, up.floats + first, range.count)
    }
  }

  public func swigluBackward(
    dgate: Buffer, dup: Buffer, dout: Buffer, gate: Buffer, up: Buffer, count: Int
  ) {
    for buffer in [dgate, dup, dout, gate, up] { check(buffer, count, "swigluBackward") }
    split(count, grain: Self.grain / 4, multiple: 16) { range, _ in
      let first = range.lowerBound
      kernels.swigluBackward(
        dgate.floats + first, dup.floats + first, dout.floats + first, gate.floats + first,
        up.floats + first, range.count)
    }
  }

  public func add(_ x: Buffer, _ y: Buffer, count: Int) {
    check(x, count, "add x")
    check(y, count, "add y")
    split(count, grain: Self.grain, multiple: 16) { range, _ in
      kernels.add(x.floats + range.lowerBound, y.floats + range.lowerBound, range.count)
    }
  }

  public func roundToBF16(_ out: Buffer, _ x: Buffer, count: Int) {
    check(out, count, "roundToBF16 out")
    check(x, count, "roundToBF16 x")
    split(count, grain: Self.grain, multiple: 16) { range, _ in
      // Integers in a plain loop, which the compiler makes vectors of: memory is what bounds it.
      let from = UnsafeMutableRawPointer(x.floats).assumingMemoryBound(to: UInt32.self)
      let to = UnsafeMutableRawPointer(out.floats).assumingMemoryBound(to: UInt32.self)
      for index in range {
        let bits = from[index]
        let rounded = (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) & 0xFFFF_0000
        // Rounding could carry the fraction of a NaN into its sign.
        let isNaN = bits & 0x7FFF_FFFF > 0x7F80_0000
        to[index] = isNaN ? bits & 0xFFFF_0000 | 0x40_0000 : rounded
      }
    }
  }

  public func sumOfSquares(_ x: Buffer, count: Int) -> Double {
    check(x, count, "sumOfSquares")
    let stretches = max(1, min(1024, count / Self.grain))
    return withUnsafeTemporaryAllocation(of: Double.self, capacity: stretches) { sums in
      pool.run(stretches) { task, _ in
        let (first, end) = (count * task / stretches, count * (task + 1) / stretches)
        sums[task] = kernels.sumOfSquares(x.floats + first, end - first)
      }
      return sums.reduce(0, +)
    }
  }

  public func adamW(
    parameters: Buffer, gradients: Buffer, first: Buffer, second: Buffer, count: Int,
    gradientScale: Float, _ settings: AdamW
  ) {
    for buffer in [parameters, gradients, first, second] { check(buffer, count, "adamW") }
    precondition(settings.step >= 1, "AdamW counts its steps from 1, not \(settings.step)")
    let (rate, root) = settings.corrections
    let keep = 1 - settings.learningRate * settings.weightDecay
    split(count, grain: Self.grain, multiple: 16) { range, _ in
      let start = range.lowerBound
      kernels.adamW(
        parameters.floats + start, gradients.floats + start, first.floats + start,
        second.floats + start, range.count, gradientScale, settings.beta1, settings.beta2,
        settings.epsilon, rate, root, keep)
    }
  }
}

extension AdamW {
  /// learningRate / (1 - beta1^step) and 1 / sqrt(1 - beta2^step), formed in Double.
  var corrections: (rate: Float, root: Float) {
    let first = 1 - pow(Double(beta1), Double(step))
    let second = 1 - pow(Double(beta2), Double(step))
    return (Float(Double(learningRate) / first), Float(1 / second.squareRoot()))
  }
}
