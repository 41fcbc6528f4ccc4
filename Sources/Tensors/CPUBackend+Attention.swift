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
    checkSegments(segments, rowCount: q.count / width)
    let rows = segments.map(\.rows.upperBound).max() ?? 0
    check(out, rows * width, "attention out")
    for buffer in [k, v] { check(buffer, rows * shape.keyValueWidth, "attention k, v") }
    let batches = batch(segments.map { $0.rows.count * group })
    pool.run(batches.count * shape.keyValueHeads) { task, worker in
      let head = task % shape.keyValueHeads
      for index in batches[task / shape.keyValueHeads] {
        let segment = segments[index]
        let path = gatherPath(segment, k: k, v: v, head: head, shape: shape, worker: worker)
        for query in head * group..<(head + 1) * group {
          let at = segment.rows.lowerBound * width + query * shape.headSize
          kernels.attend(
            out.floats + at, q.floats + at, width, segment.rows.count, segment.startPosition, 1,
            path.keys, path.values, shape.headSize, shape.scale, path.rest)
        }
      }
    }
  }

  /// The keys of a path in panels and its values in rows, and scratch for 12 rows of scores.
  private func gatherPath(
    _ segment: Segment, k: Buffer, v: Buffer, head: Int, shape: AttentionShape, worker: Int
  ) -> (
    keys: UnsafeMutablePointer<Float>, values: UnsafeMutablePointer<Float>,
    rest: UnsafeMutablePointer<Float>
  ) {
    let headSize = shape.headSize
    let width = shape.keyValueWidth
    let padded = segment.paddedCount
    let keys = scratches[worker].floats(padded * headSize * 2 + padded * 12)
    let values = keys + padded * headSize
    var position = 0
    for range in segment.path {
      for row in range {
        let at = row * width + head * headSize
        scatterKey(keys, k.floats + at, position: position, headSize: headSize)
        (values + position * headSize).update(from: v.floats + at, count: headSize)
        position += 1
      }
    }
    return (keys, values, values + padded * headSize)
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
    let width = shape.heads * shape.headSize
    checkSegments(segments, rowCount: q.count / width)
    let rows = segments.map(\.rows.upperBound).max() ?? 0
    for buffer in [dq, dout] { check(buffer, rows * width, "attentionBackward dq, dout") }
    for buffer in [dk, dv, k, v] {
      check(buffer, rows * shape.keyValueWidth, "attentionBackward dk, dv, k, v")
    }
    // A task owns one key/value head of whole trees: every dk and dv has one writer.
    let trees = connectedSegments(segments)
    let batches = batch(trees.map { $0.reduce(0) { $0 + segments[$1].rows.count } })
    pool.run(batches.count * shape.keyValueHeads) { task, worker in
      for tree in batches[task / shape.keyValueHeads] {
        for index in trees[tree] {
          segmentBackward(
            dq: dq, dk: dk, dv: dv, dout: dout, q: q, k: k, v: v, segment: segments[index],
            head: task % shape.keyValueHeads, shape: shape, worker: worker)
        }
      }
    }
  }

  /// One segment and one key/value head: probabilities P again, then by tiles of 32 rows
  /// dP = dout v^T, dS = P (dP - sum P dP) scale, dv += P^T dout, dk += dS^T q, dq = dS k.
  private func segmentBackward(
    dq: Buffer, dk: Buffer, dv: Buffer, dout: Buffer, q: Buffer, k: Buffer, v: Buffer,
    segment: Segment, head: Int, shape: AttentionShape, worker: Int
  ) {
    let headSize = shape.headSize
    let width = shape.heads * headSize
    let group = shape.heads / shape.keyValueHeads
    let tile = 32
    let padded = segment.paddedCount
    let area = padded * headSize
    let keyPanels = scratches[worker].floats(area * 5 + padded * tile * 2)
    let valuePanels = keyPanels + area
    let keys = valuePanels + area
    let keySlopes = keys + area
    let valueSlopes = keySlopes + area
    let p = valueSlopes + area
    let ds = p + padded * tile
    gatherBoth(
      segment, k: k, v: v, head: head, shape: shape, keyPanels: keyPanels,
      valuePanels: valuePanels, keys: keys)
    keySlopes.update(repeating: 0, count: area * 2)
    for first in stride(from: 0, to: segment.rows.count, by: tile) {
      let rows = min(tile, segment.rows.count - first)
      let start = segment.startPosition + first
      let span = start + rows
      let row = (span + 31) / 32 * 32
      for query in head * group..<(head + 1) * group {
        let at = (segment.rows.lowerBound + first) * width + query * headSize
        kernels.probabilities(
          p, row, q.floats + at, width, rows, start, keyPanels, headSize, shape.scale)
        // dP by the product of dout and the values' panels, as scores are of q and the keys'.
        kernels.panels(ds, row, dout.floats + at, width, rows, valuePanels, row, headSize)
        kernels.softmaxBackward(ds, p, row, rows, start, shape.scale)
        kernels.product(
          valueSlopes, headSize, p, 1, row, dout.floats + at, width, span, headSize, rows, 1)
        kernels.product(
          keySlopes, headSize, ds, 1, row, q.floats + at, width, span, headSize, rows, 1)
        kernels.product(
          dq.floats + at, width, ds, row, 1, keys, headSize, rows, headSize, span, 0)
      }
    }
    var position = 0
    for range in segment.path {
      for row in range {
        let at = row * shape.keyValueWidth + head * headSize
        kernels.add(dk.floats + at, keySlopes + position * headSize, headSize)
        kernels.add(dv.floats + at, valueSlopes + position * headSize, headSize)
        position += 1
      }
    }
  }

  private func gatherBoth(
    _ segment: Segment, k: Buffer, v: Buffer, head: Int, shape: AttentionShape,
    keyPanels: UnsafeMutablePointer<Float>, valuePanels: UnsafeMutablePointer<Float>,
    keys: UnsafeMutablePointer<Float>
  ) {
    let headSize = shape.headSize
    var position = 0
    for range in segment.path {
      for row in range {
        let at = row * shape.keyValueWidth + head * headSize
        scatterKey(keyPanels, k.floats + at, position: position, headSize: headSize)
        scatterKey(valuePanels, v.floats + at, position: position, headSize: headSize)
        (keys + position * headSize).update(from: k.floats + at, count: headSize)
        position += 1
      }
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

extension Segment {
  /// Positions of the path, rounded up to whole panels.
  var paddedCount: Int { (pathCount + panelWidth - 1) / panelWidth * panelWidth }
}

extension AttentionShape {
  var keyValueWidth: Int { keyValueHeads * headSize }
  /// 1 / sqrt(headSize)
  var scale: Float { 1 / Float(headSize).squareRoot() }
}
