// A settings file and what was typed over it: lines that begin with "--" are overrides.

import Documents
import Operations

extension FuzzTarget {
  static let settings = FuzzTarget("settings", .text) {
    try ["arithmetic.yaml", "tiny/grpo.yaml", "tiny/gspo.yaml"].map {
      try Corpus.read("\(Corpus.root)/Configs/\($0)")
        + "\n--run.steps=7\n--learner.learningRate=1e-5\n--learner={lagMax: 1}\n".utf8
    }
  } attempt: { bytes in
    var file: [UInt8] = []
    var overrides: [String] = []
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      // Each override goes through the whole tree: a command line has few.
      if overrides.count < 16, line.starts(with: "--".utf8),
        line.dropFirst(2).first != UInt8(ascii: "-")
      {
        overrides.append(String(decoding: line.dropFirst(2), as: UTF8.self))
      } else {
        file += line + [UInt8(ascii: "\n")]
      }
    }
    let settings = try RunSettings(
      document: YAML.parse(file, source: "fuzz"), source: "fuzz", overrides: overrides)
    try expectStable("a settings file", [Array(settings.yaml.utf8)]) {
      let document = try YAML.parse($0[0], source: "fuzz")
      return [Array(try RunSettings(document: document, source: "fuzz").yaml.utf8)]
    }
    return true
  }.with { $0.cost = 4 }
}
