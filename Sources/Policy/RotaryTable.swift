// Rotary position embedding (Su and others, 2021, arXiv 2104.09864): cosines and sines by true
// position, computed in Double and rounded once, so that every path reads the same bits.
//
// A model may have 131,072 positions where a run uses 200. So the tables hold the first positions
// only, as many as any pass has asked for; an angle depends on nothing but its own position, so
// that growing them changes no bit.

import Glibc
import Tensors

/// Angles of the first positions: `[positions, headSize / 2]`.
struct RotaryTable {
  let cosines: [Float]
  let sines: [Float]

  init(_ configuration: ModelConfiguration, positions: Int) {
    let frequencies = Self.frequencies(configuration)
    var cosines: [Float] = []
    var sines: [Float] = []
    cosines.reserveCapacity(positions * frequencies.count)
    sines.reserveCapacity(positions * frequencies.count)
    for position in 0..<positions {
      for frequency in frequencies {
        let angle = Double(position) * frequency
        cosines.append(Float(cos(angle)))
        sines.append(Float(sin(angle)))
      }
    }
    self.cosines = cosines
    self.sines = sines
  }

  /// Radians a position, one for each pair of a head.
  static func frequencies(_ configuration: ModelConfiguration) -> [Double] {
    let half = configuration.headSize / 2
    let plain = (0..<half).map {
      pow(configuration.ropeTheta, -2 * Double($0) / Double(configuration.headSize))
    }
    switch configuration.ropeScaling {
    case .none: return plain
    case .linear(let factor): return plain.map { $0 / factor }
    case .llama3(let factor, let low, let high, let original):
      // Long waves are slowed by the factor, short ones kept, those between blended smoothly.
      return plain.map { frequency in
        let wavelength = 2 * Double.pi / frequency
        if wavelength < Double(original) / high { return frequency }
        if wavelength > Double(original) / low { return frequency / factor }
        let smooth = (Double(original) / wavelength - low) / (high - low)
        return (1 - smooth) * frequency / factor + smooth * frequency
      }
    }
  }
}

/// The tables on a backend. One thread uses them at a time.
final class RotaryBuffers<B: Backend> {
  /// Fewer are not worth a second building.
  private static var fewestPositions: Int { 256 }

  private let configuration: ModelConfiguration
  private let backend: B
  private(set) var cosines: B.Buffer
  private(set) var sines: B.Buffer
  /// Positions the tables hold.
  private(set) var positions = 0

  init(_ configuration: ModelConfiguration, backend: B) {
    self.configuration = configuration
    self.backend = backend
    cosines = backend.makeBuffer(count: 0)
    sines = backend.makeBuffer(count: 0)
  }

  /// Grows the tables to hold positions below `count`, at least to twice their size.
  func require(_ count: Int) {
    if count <= positions { return }
    precondition(
      count <= configuration.maximumPositions,
      "position \(count - 1) is beyond the model's \(configuration.maximumPositions)")
    positions = min(
      configuration.maximumPositions, max(count, 2 * positions, Self.fewestPositions))
    let table = RotaryTable(configuration, positions: positions)
    cosines = backend.makeBuffer(count: table.cosines.count)
    sines = backend.makeBuffer(count: table.sines.count)
    table.cosines.withUnsafeBufferPointer { backend.upload($0, to: cosines, at: 0) }
    table.sines.withUnsafeBufferPointer { backend.upload($0, to: sines, at: 0) }
  }
}
