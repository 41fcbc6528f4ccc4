// Norms, rotations and attention, naively. A row of a path is found through the path's list of
// rows, a cached one through its slot: both end in the same loop.

import Glibc

extension ReferenceBackend {
  public func rmsNorm(
    _ out: Buffer, _ x: Buffer, weight: Buffer, at offset: Int, rows: Int, width: Int,
    epsilon: Float
  ) {
    for row in 0..<rows {
      let scale = normalizer(x, row: row, width: width, epsilon: epsilon)
      for i in 0..<width {
        out.values[row * width + i] = Float(
          Double(x.values[row * width + i]) * scale * Double(weight.values[offset + i]))
      }
    }
  }

  private func normalizer(_ x: Buffer, row: Int, width: Int, epsilon: Float) -> Double {
    var sum = 0.0
    for i in 0..<width {
      sum += Double(x.values[row * width + i]) * Double(x.values[row * width + i])
    }
    return 1 / (sum / Double(width) + Double(epsilon)).squareRoot()
  }

  public func rmsNormBackward(
    dx: Buffer, addToInput: Bool, dweight: Buffer, at dweightOffset: Int, dout: Buffer, x: Buffer,
    weight: Buffer, at offset: Int, rows: Int, width: Int, epsilon: Float
  ) {
    var sums = dweight.values[dweightOffset..<dweightOffset + width].map(Double.init)
    for row in 0..<rows {
      let s = normalizer(x, row: row, width: width, epsilon: epsilon)
      var dot = 0.0
      for i in 0..<width {
        let at = row * width + i
        let along = Double(dout.values[at]) * Double(x.values[at])
        dot += along * Double(weight.values[offset + i])
        sums[i] += along * s
      }
      for i in 0..<width {
        let at = row * width + i
        let direct = Double(dout.values[at]) * Double(weight.values[offset + i]) * s
        let slope = direct - Double(x.values[at]) * s * s * s * dot / Double(width)
        dx.values[at] = Float(slope + (addToInput ? Double(dx.values[at]) : 0))
      }
    }
    for i in 0..<width { dweight.values[dweightOffset + i] = Float(sums[i]) }
  }

  public func rope(
    _ x: Buffer, cosines: Buffer, sines: Buffer, positions: [Int32], rows: Int, heads: Int,
    headSize: Int, inverse: Bool
  ) {
    let half = headSize / 2
    for row in 0..<rows {
      for head in 0..<heads {
        for i in 0..<half {
          let angle = Int(positions[row]) * half + i
          let c = Double(cosines.values[angle])
          let s = Double(sines.values[angle]) * (inverse ? -1 : 1)
          let at = (row * heads + head) * headSize + i
          let (a, b) = (Double(x.values[at]), Double(x.values[at + half]))
          x.values[at] = Float(a * c - b * s)
          x.values[at + half] = Float(b * c + a * s)
        }
      }
    }
  }

  /// The softmax over positions of one query at `query`, of keys that begin at `places`.
  private func probabilities(
    _ q: [Float], at query: Int, _ keys: [Float], places: [Int], headSize: Int
  ) -> [Double] {
    var scores = places.map { place in
      var sum = 0.0
      for d in 0..<headSize { sum += Double(q[query + d]) * Double(keys[place + d]) }
      return sum / Double(headSize).squareRoot()
    }
    let top = scores.max()!
    scores = scores.map { exp($0 - top) }
    let sum = scores.reduce(0, +)
    return scores.map { $0 / sum }
  }

  private func attendOne(
    _ out: Buffer, q: Buffer, at query: Int, keys: [Float], values: [Float], places: [Int],
    headSize: Int
  ) {
    let p = probabilities(q.values, at: query, keys, places: places, headSize: headSize)
    for d in 0..<headSize {
      var sum = 0.0
      for (j, place) in places.enumerated() { sum += p[j] * Double(values[place + d]) }
      out.values[query + d] = Float(sum)
    }
  }

  public func attention(
    _ out: Buffer, q: Buffer, k: Buffer, v: Buffer, segments: [Segment], shape: AttentionShape
  ) {
    forEachQuery(segments, shape) { query, places in
      attendOne(
        out, q: q, at: query, keys: k.values, values: v.values, places: places,
        headSize: shape.headSize)
    }
  }

  /// Every row and head: where its query begins, and where its keys begin.
  private func forEachQuery(
    _ segments: [Segment], _ shape: AttentionShape, _ body: (_ query: Int, _ places: [Int]) -> Void
  ) {
    let group = shape.heads / shape.keyValueHeads
    for segment in segments {
      let path = segment.ancestors.flatMap { Array($0) } + Array(segment.rows)
      for (i, row) in segment.rows.enumerated() {
        let seen = path[0...segment.startPosition + i]
        for head in 0..<shape.heads {
          let places = seen.map { $0 * shape.keyValueWidth + head / group * shape.headSize }
          body((row * shape.heads + head) * shape.headSize, places)
        }
      }
    }
  }

  public func attentionBackward(
    dq: Buffer, dk: Buffer, dv: Buffer, dout: Buffer, q: Buffer, k: Buffer, v: Buffer,
    segments: [Segment], shape: AttentionShape
  ) {
    let headSize = shape.headSize
    var keySlopes = dk.values.map(Double.init)
    var valueSlopes = dv.values.map(Double.init)
    forEachQuery(segments, shape) { query, places in
      let p = probabilities(q.values, at: query, k.values, places: places, headSize: headSize)
      var slopes = [Double](repeating: 0, count: places.count)
      for (j, place) in places.enumerated() {
        for d in 0..<headSize {
          let slope = Double(dout.values[query + d])
          slopes[j] += slope * Double(v.values[place + d])
          valueSlopes[place + d] += p[j] * slope
        }
      }
      let mean = zip(p, slopes).reduce(0) { $0 + $1.0 * $1.1 }
      var own = [Double](repeating: 0, count: headSize)
      for (j, place) in places.enumerated() {
        let slope = p[j] * (slopes[j] - mean) / Double(headSize).squareRoot()
        for d in 0..<headSize {
          own[d] += slope * Double(k.values[place + d])
          keySlopes[place + d] += slope * Double(q.values[query + d])
        }
      }
      for d in 0..<headSize { dq.values[query + d] = Float(own[d]) }
    }
    dk.values = keySlopes.map(Float.init)
    dv.values = valueSlopes.map(Float.init)
  }

  public func makeCache(slots: Int, capacity: Int, shape: AttentionShape) -> Cache {
    ReferenceCache(slots: slots, capacity: capacity, shape: shape)
  }

  public func append(_ cache: Cache, k: Buffer, v: Buffer, rows: [CacheRow]) {
    let width = cache.shape.keyValueWidth
    for (i, row) in rows.enumerated() {
      let place = (row.slot * cache.capacity + row.position) * width
      for j in 0..<width {
        cache.keys[place + j] = k.values[i * width + j]
        cache.values[place + j] = v.values[i * width + j]
      }
    }
  }

  public func attend(_ out: Buffer, q: Buffer, _ cache: Cache, rows: [CacheRow]) {
    let shape = cache.shape
    let group = shape.heads / shape.keyValueHeads
    for (i, row) in rows.enumerated() {
      for head in 0..<shape.heads {
        let places = (0...row.position).map {
          (row.slot * cache.capacity + $0) * shape.keyValueWidth + head / group * shape.headSize
        }
        attendOne(
          out, q: q, at: (i * shape.heads + head) * shape.headSize, keys: cache.keys,
          values: cache.values, places: places, headSize: shape.headSize)
      }
    }
  }

  public func copy(_ cache: Cache, from source: Int, to destination: Int, count: Int) {
    let width = cache.shape.keyValueWidth
    for i in 0..<count * width {
      let from = source * cache.capacity * width + i
      let to = destination * cache.capacity * width + i
      cache.keys[to] = cache.keys[from]
      cache.values[to] = cache.values[from]
    }
  }
}
