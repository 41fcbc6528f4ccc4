// JSON and YAML themselves, below everything else that reads text.

import Documents

extension FuzzTarget {
  static let json = FuzzTarget("json", .text) {
    try Corpus.wireExamples("request") + [
      Array(#"{"a":[1,-2.5,1e300,"\u00e9\n",null,true,{"é":{}}],"b":9223372036854775807}"#.utf8),
      Array("[[[[]]], \"\", 0.1, -0.0]".utf8),
    ]
  } attempt: { bytes in
    let document = try JSON.parse(bytes, source: "fuzz")
    try expectStable("a JSON text", [JSON.writeBytes(document)]) {
      [JSON.writeBytes(try JSON.parse($0[0], source: "fuzz"))]
    }
    guard try JSON.parse(JSON.writeBytes(document, pretty: true), source: "fuzz") == document else {
      throw FuzzFinding("a document is not the same after having been written prettily")
    }
    return true
  }

  static let yaml = FuzzTarget("yaml", .text) {
    try Corpus.names("\(Corpus.root)/Configs/tiny").map {
      try Corpus.read("\(Corpus.root)/Configs/tiny/\($0)")
    } + [
      Array("a: 1\nb:\n  - x\n  - {c: [1, 2], d: 'it''s'}\né: |\n  text\n  more\n".utf8),
      Array("- \"a\\u00e9\\n\"\n- >\n  folded\n  text\n- ~\n- .inf\n- 010\n".utf8),
    ]
  } attempt: { bytes in
    let document = try YAML.parse(bytes, source: "fuzz")
    let written = YAML.write(document)
    try expectStable("a YAML text", [Array(written.utf8)]) {
      [Array(YAML.write(try YAML.parse($0[0], source: "fuzz")).utf8)]
    }
    return true
  }
}
