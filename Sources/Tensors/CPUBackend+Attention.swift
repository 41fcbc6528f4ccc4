// Attention over the paths of a token tree and over a cache: both lay keys out in the same panels
// and call the same kernel, so they agree bit for bit.

import CKernels
import Glibc

extension CPUBackend {
  /// Rows times heads a task takes at least: about 20 microseconds of short sequences.
  private static let grain = 64

  public func attention(
    _ out: Buffer, q: Buffer, k: Buffer, v: Buffer, segments: [Segment], shape: AttentionShape
  ) {
    let width = shape.heads * shape.headSize
    let group = shape.heads / shape.keyValueHeads
    let tree = SegmentPaths(segments, limit: q.count / width)
    check(out, tree.rowCount * width, "attention out")
    for buffer in [k, v] { check(buffer, tree.rowCount * shape.keyValueWidth, "attention k, v") }
    let batches = batch(tree.paths.map { $0.rowCount * group })
    // Plain values: a reference counted inside the loop waits for the stores before it.
    let kernels = kernels
    let (out, q, k, v) = (out.floats, q.floats, k.floats, v.floats)
    tree.withPaths { paths, rows in
      pool.run(batches.count * shape.keyValueHeads) { task, worker in
        let head = task % shape.keyValueHeads
        for index in batches[task / shape.keyValueHeads] {
          let path = paths[index]
          let area = path.paddedCount * shape.headSize
          let keys = scratches[worker].floats(area * 2 + path.paddedCount * 12)
          let values = keys + area
          withRows(rows + path.offset, path.count, k, head: head, shape: shape) {
            kernels.layPanels(keys, $0, path.count, shape.headSize)
          }
          withRows(rows + path.offset, path.count, v, head: head, shape: shape) {
            kernels.layRows(values, $0, path.count, shape.headSize)
          }
          for query in head * group..<(head + 1) * group {
            let at = path.firstRow * width + query * shape.headSize
            kernels.attend(
              out + at, q + at, width, path.rowCount, path.startPosition, 1, keys, values,
              shape.headSize, shape.scale, values + area)
          }
        }
      }
    }
  }

  /// Stretches of items whose costs add up to about the grain.
  private func batch(_ costs: [Int]) -> [Range<Int>] {
    var batches: [Range<Int>] = []
    var start = 0
    var sum = 0
    for (index, cost) in costs.enumerated() {
      sum += cost
      if sum >= Self.grain {
        batches.append(start..<index + 1)
        (start, sum) = (index + 1, 0)
      }
    }
    if start < costs.count { batches.append(start..<costs.count) }
    return batches
  }

  public func attentionBackward(
    dq: Buffer, dk: Buffer, dv: Buffer, dout: Buffer, q: Buffer, k: Buffer, v: Buffer,
    segments: [Segment], shape: AttentionShape
  ) {
    let tree = SegmentPaths(segments, limit: q.count / (shape.heads * shape.headSize))
    let elements = tree.rowCount * shape.headSize
    for buffer in [dq, dout] { check(buffer, elements * shape.heads, "attentionBackward dq, dout") }
    for buffer in [dk, dv, k, v] {
      check(buffer, elements * shape.keyValueHeads, "attentionBackward dk, dv, k, v")
    }
    // A task owns one key/value head of whole trees: every dk and dv has one writer.
    let groups = connectedSegments(segments)
    let batches = batch(groups.map { $0.reduce(0) { $0 + segments[$1].rows.count } })
    let arrays = AttentionArrays(
      dq: dq.floats, dk: dk.floats, dv: dv.floats, dout: dout.floats, q: q.floats, k: k.floats,
      v: v.floats)
    tree.withPaths { paths, rows in
      pool.run(batches.count * shape.keyValueHeads) { task, worker in
        for group in batches[task / shape.keyValueHeads] {
          for index in groups[group] {
            pathBackward(
              arrays, paths[index], rows + paths[index].offset,
              head: task % shape.keyValueHeads, shape: shape, worker: worker)
          }
        }
      }
    }
  }

  /// One segment and one key/value head: probabilities P again, then by tiles of 32 rows
  /// dP = dout v^T, dS = P (dP - sum P dP) scale, dv += P^T dout, dk += dS^T q, dq = dS k.
  private func pathBackward(
    _ arrays: AttentionArrays, _ path: SegmentPaths.Path, _ rows: UnsafePointer<Int>, head: Int,
    shape: AttentionShape, worker: Int
  ) {
    let kernels = kernels
    let headSize = shape.headSize
    let width = shape.heads * headSize
    let group = shape.heads / shape.keyValueHeads
    let tile = 32
    let padded = path.paddedCount
    let area = padded * headSize
    let keyPanels = scratches[worker].floats(area * 5 + padded * tile * 2)
    let valuePanels = keyPanels + area
    let keys = valuePanels + area
    let keySlopes = keys + area
    let valueSlopes = keySlopes + area
    let p = valueSlopes + area
    let ds = p + padded * tile
    withRows(rows, path.count, arrays.k, head: head, shape: shape) {
      kernels.layPanels(keyPanels, $0, path.count, headSize)
      kernels.layRows(keys, $0, path.count, headSize)
    }
    withRows(rows, path.count, arrays.v, head: head, shape: shape) {
      kernels.layPanels(valuePanels, $0, path.count, headSize)
    }
    keySlopes.update(repeating: 0, count: area * 2)
    for first in stride(from: 0, to: path.rowCount, by: tile) {
      let count = min(tile, path.rowCount - first)
      let start = path.startPosition + first
      let span = start + count
      let row = (span + 31) / 32 * 32
      for query in head * group..<(head + 1) * group {
        let at = (path.firstRow + first) * width + query * headSize
        kernels.probabilities(
          p, row, arrays.q + at, width, count, start, keyPanels, headSize, shape.scale)
        // dP by the product of dout and the values' panels, as scores are of q and the keys'.
        kernels.panels(ds, row, arrays.dout + at, width, count, valuePanels, span, headSize)
        kernels.softmaxBackward(ds, p, row, count, start, shape.scale)
        kernels.product(
          valueSlopes, headSize, p, 1, row, arrays.dout + at, width, span, headSize, count, 1)
        kernels.product(
          keySlopes, headSize, ds, 1, row, arrays.q + at, width, span, headSize, count, 1)
        kernels.product(
          arrays.dq + at, width, ds, row, 1, keys, headSize, count, headSize, span, 0)
      }
    }
    withRows(rows, path.count, arrays.dk, head: head, shape: shape) {
      kernels.addRows($0, keySlopes, path.count, headSize)
    }
    withRows(rows, path.count, arrays.dv, head: head, shape: shape) {
      kernels.addRows($0, valueSlopes, path.count, headSize)
    }
  }

  public func makeCache(slots: Int, capacity: Int, shape: AttentionShape) -> Cache {
    CPUCache(slots: slots, capacity: capacity, shape: shape)
  }

  public func append(_ cache: Cache, k: Buffer, v: Buffer, rows: [CacheRow]) {
    let shape = cache.shape
    let headSize = shape.headSize
    let width = shape.keyValueWidth
    checkRows(rows, cache, "append")
    for buffer in [k, v] { check(buffer, rows.count * width, "append k, v") }
    rows.withUnsafeBufferPointer { rows in
      split(rows.count, grain: 16_384 / max(width, 1)) { range, _ in
        for i in range {
          let (slot, position) = (rows[i].slot, rows[i].position)
          for head in 0..<shape.keyValueHeads {
            let at = i * width + head * headSize
            scatterKey(
              cache.keys(slot: slot, head: head), k.floats + at, position: position,
              headSize: headSize)
            (cache.values(slot: slot, head: head) + position * headSize)
              .update(from: v.floats + at, count: headSize)
          }
        }
      }
    }
  }

  public func attend(_ out: Buffer, q: Buffer, _ cache: Cache, rows: [CacheRow]) {
    let shape = cache.shape
    let width = shape.heads * shape.headSize
    let group = shape.heads / shape.keyValueHeads
    checkRows(rows, cache, "attend")
    for buffer in [out, q] { check(buffer, rows.count * width, "attend out, q") }
    let longest = (rows.map(\.position).max() ?? 0) + 1
    let scratchCount = (longest + 31) / 32 * 32 * 12
    let grain = max(1, Self.grain * 32 / (shape.heads * (longest + 16)))
    rows.withUnsafeBufferPointer { rows in
      split(rows.count, grain: grain) { range, worker in
        let scratch = scratches[worker].floats(scratchCount)
        for i in range {
          for head in 0..<shape.keyValueHeads {
            let at = i * width + head * group * shape.headSize
            kernels.attend(
              out.floats + at, q.floats + at, shape.headSize, group, rows[i].position, 0,
              cache.keys(slot: rows[i].slot, head: head),
              cache.values(slot: rows[i].slot, head: head), shape.headSize, shape.scale, scratch)
          }
        }
      }
    }
  }

  public func copy(_ cache: Cache, from source: Int, to destination: Int, count: Int) {
    let shape = cache.shape
    for slot in [source, destination] {
      precondition(
        slot >= 0 && slot < cache.slots, "copy of slot \(slot) of a cache of \(cache.slots)")
    }
    precondition(
      count >= 0 && count <= cache.capacity,
      "copy of \(count) positions in a cache of \(cache.capacity)")
    if source == destination { return }
    // Whole panels: what lies beyond `count` is masked until it is overwritten.
    let keyCount = (count + panelWidth - 1) / panelWidth * panelWidth * shape.headSize
    for head in 0..<shape.keyValueHeads {
      cache.keys(slot: destination, head: head)
        .update(from: cache.keys(slot: source, head: head), count: keyCount)
      cache.values(slot: destination, head: head)
        .update(from: cache.values(slot: source, head: head), count: count * shape.headSize)
    }
  }

  private func checkRows(_ rows: [CacheRow], _ cache: Cache, _ what: StaticString) {
    for row in rows {
      precondition(
        row.slot >= 0 && row.slot < cache.slots,
        "\(what) at slot \(row.slot) of a cache of \(cache.slots)")
      precondition(
        row.position >= 0 && row.position < cache.capacity,
        "\(what) at position \(row.position) of a cache of \(cache.capacity)")
    }
  }
}

/// Where attention's backward reads and writes.
private struct AttentionArrays {
  var dq, dk, dv: UnsafeMutablePointer<Float>
  var dout, q, k, v: UnsafeMutablePointer<Float>
}

extension AttentionShape {
  var keyValueWidth: Int { keyValueHeads * headSize }
  /// 1 / sqrt(headSize)
  var scale: Float { 1 / Float(headSize).squareRoot() }
}

/// Where one head of each row of a path lies, in order of position.
private func withRows(
  _ rows: UnsafePointer<Int>, _ count: Int, _ base: UnsafeMutablePointer<Float>, head: Int,
  shape: AttentionShape, _ body: (UnsafePointer<UnsafeMutablePointer<Float>>) -> Void
) {
  let width = shape.keyValueWidth
  let first = base + head * shape.headSize
  withUnsafeTemporaryAllocation(
    of: UnsafeMutablePointer<Float>.self, capacity: max(count, 1)
  ) { places in
    for i in 0..<count { places.initializeElement(at: i, to: first + rows[i] * width) }
    body(UnsafePointer(places.baseAddress!))
  }
}
