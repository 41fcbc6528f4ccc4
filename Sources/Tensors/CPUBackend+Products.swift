// Weights, products, and the moving of rows.

import CKernels
import Glibc

extension CPUBackend {
  /// Multiply-adds below which a loop is not worth waking a thread: about 10 microseconds.
  private static let serialWork = 1 << 20

  public func pack(
    _ weight: Buffer, at offset: Int, outputs: Int, inputs: Int, reusing: Packed?
  ) -> Packed {
    check(weight, offset + outputs * inputs, "pack")
    let fits = reusing.map { $0.outputs == outputs && $0.inputs == inputs } ?? false
    let packed = fits ? reusing! : CPUPacked(outputs: outputs, inputs: inputs)
    let source = weight.floats + offset
    split(packed.panels, grain: max(1, 65_536 / (panelWidth * max(inputs, 1)))) { panels, _ in
      kernels.pack(
        packed.storage.floats, source, inputs, panels.lowerBound, panels.upperBound, outputs,
        inputs)
    }
    return packed
  }

  public func linear(
    _ out: Buffer, _ x: Buffer, _ w: Packed, bias: (buffer: Buffer, offset: Int)?, rows: Int
  ) {
    check(out, rows * w.outputs, "linear out")
    check(x, rows * w.inputs, "linear x")
    if let bias { check(bias.buffer, bias.offset + w.outputs, "linear bias") }
    linear(
      out.floats, x.floats, w, bias: bias.map { UnsafePointer($0.buffer.floats + $0.offset) },
      rows: rows)
  }

  /// Rows of tasks are whole tiles of 12; few rows are split by panels instead.
  func linear(
    _ out: UnsafeMutablePointer<Float>, _ x: UnsafePointer<Float>, _ w: Packed,
    bias: UnsafePointer<Float>?, rows: Int
  ) {
    if rows == 0 { return }
    let work = rows * w.outputs * w.inputs
    let blocks = max(1, rows / 144)
    let wanted = max(8, 4 * threads)
    let panelTasks = work < Self.serialWork ? 1 : max(1, min(w.panels, wanted / blocks))
    pool.run(blocks * panelTasks) { task, _ in
      let (block, part) = (task / panelTasks, task % panelTasks)
      let tiles = (rows + 11) / 12
      let first = tiles * block / blocks * 12
      let end = min(tiles * (block + 1) / blocks * 12, rows)
      kernels.linear(
        out, x, w.storage.floats, bias, first, end, w.panels * part / panelTasks,
        w.panels * (part + 1) / panelTasks, w.outputs, w.inputs)
    }
  }

  public func linearBackward(
    dx: Buffer?, addToInput: Bool, dw: Buffer, dwOffset: Int, db: (buffer: Buffer, offset: Int)?,
    dout: Buffer, x: Buffer, w: Buffer, wOffset: Int, rows: Int, outputs: Int, inputs: Int
  ) {
    check(dout, rows * outputs, "linearBackward dout")
    check(x, rows * inputs, "linearBackward x")
    check(w, wOffset + outputs * inputs, "linearBackward w")
    check(dw, dwOffset + outputs * inputs, "linearBackward dw")
    if let dx {
      check(dx, rows * inputs, "linearBackward dx")
      inputSlopes(
        dx.floats, dout: dout.floats, w: w.floats + wOffset, rows: rows, outputs: outputs,
        inputs: inputs, addToInput: addToInput)
    }
    weightSlopes(
      dw.floats + dwOffset, dout: dout.floats, x: x.floats, rows: rows, outputs: outputs,
      inputs: inputs)
    if let db {
      check(db.buffer, db.offset + outputs, "linearBackward db")
      let (to, from) = (db.buffer.floats + db.offset, dout.floats)
      split(outputs, grain: 64, multiple: 16) { columns, _ in
        for row in 0..<rows {
          let line = from + row * outputs
          kernels.add(to + columns.lowerBound, line + columns.lowerBound, columns.count)
        }
      }
    }
  }

  /// dx[m, k] (+)= sum over n of dout[m, n] w[n, k]
  func inputSlopes(
    _ dx: UnsafeMutablePointer<Float>, dout: UnsafePointer<Float>, w: UnsafePointer<Float>,
    rows: Int, outputs: Int, inputs: Int, addToInput: Bool
  ) {
    // Up to 288 rows share one laying out of w.
    split(rows, grain: max(24, min(288, rows / (4 * threads))), multiple: 12) { range, _ in
      let first = range.lowerBound
      kernels.product(
        dx + first * inputs, inputs, dout + first * outputs, outputs, 1, w, inputs, range.count,
        inputs, outputs, addToInput ? 1 : 0)
    }
  }

  /// dw[n, k] += sum over m of dout[m, n] x[m, k]
  func weightSlopes(
    _ dw: UnsafeMutablePointer<Float>, dout: UnsafePointer<Float>, x: UnsafePointer<Float>,
    rows: Int, outputs: Int, inputs: Int
  ) {
    split(outputs, grain: max(24, min(192, outputs / (2 * threads))), multiple: 12) { range, _ in
      let first = range.lowerBound
      kernels.product(
        dw + first * inputs, inputs, dout + first, 1, outputs, x, inputs, range.count, inputs,
        rows, 1)
    }
  }

  public func embed(
    _ out: Buffer, table: Buffer, at offset: Int, tokens: [Int32], width: Int
  ) {
    check(out, tokens.count * width, "embed out")
    moveRows(tokens, limit: (table.count - offset) / max(width, 1), "embed") { i, row in
      (out.floats + i * width).update(from: table.floats + offset + row * width, count: width)
    }
  }

  public func embedBackward(
    _ dtable: Buffer, at offset: Int, dout: Buffer, tokens: [Int32], width: Int
  ) {
    check(dout, tokens.count * width, "embedBackward dout")
    moveRows(tokens, limit: (dtable.count - offset) / max(width, 1), "embedBackward") { i, row in
      kernels.add(dtable.floats + offset + row * width, dout.floats + i * width, width)
    }
  }

  public func gather(_ out: Buffer, _ x: Buffer, rows: [Int32], width: Int) {
    check(out, rows.count * width, "gather out")
    moveRows(rows, limit: x.count / max(width, 1), "gather") { i, row in
      (out.floats + i * width).update(from: x.floats + row * width, count: width)
    }
  }

  public func scatterAdd(_ dx: Buffer, _ dout: Buffer, rows: [Int32], width: Int) {
    check(dout, rows.count * width, "scatterAdd dout")
    moveRows(rows, limit: dx.count / max(width, 1), "scatterAdd") { i, row in
      kernels.add(dx.floats + row * width, dout.floats + i * width, width)
    }
  }

  /// In order of i on one thread: bytes moved once, and sums that must keep their order.
  private func moveRows(
    _ rows: [Int32], limit: Int, _ what: StaticString, _ body: (Int, Int) -> Void
  ) {
    for (i, row) in rows.enumerated() {
      precondition(row >= 0 && row < limit, "\(what) of row \(row) among \(limit)")
      body(i, Int(row))
    }
  }
}
