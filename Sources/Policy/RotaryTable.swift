// Rotary position embedding (Su and others, 2021, arXiv 2104.09864): cosines and sines by true
// position, computed in Double and rounded once, so that every path reads the same bits.

import Glibc

/// Angles of every position: `[positions, headSize / 2]`.
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
