// Key files and the list of the allowed: texts that decide who gets in. A seed begins with what it
// is: "allow" before a list, anything else before a key. (The pair is the one in libzmq's manual.)

import Messaging

extension FuzzTarget {
  private static let publicKey = #"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"#
  private static let secretKey = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"

  static let keys = FuzzTarget("keys", .text) {
    [
      """
      # a key
      forage-key: 1
      name: actor-7
      role: actor
      public: \(publicKey)
      secret: \(secretKey)

      """,
      "forage-key: 1\nname: a.b_c\nrole: learner\npublic: \(publicKey)\nserver: \(publicKey)\n",
      "# allow\nactor \(publicKey) actor-7\nlearner rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7 l\n",
    ].map { Array($0.utf8) }
  } attempt: { bytes in
    if bytes.starts(with: "# allow".utf8) {
      let list = try AllowList(decoding: bytes, source: "fuzz")
      try expectStable("a list of keys", [text(list)]) {
        [text(try AllowList(decoding: $0[0], source: "fuzz"))]
      }
      return true
    }
    let file = try KeyFile(decoding: bytes, source: "fuzz")
    try expectStable("a key file", [file.encoded(comment: "", withSecret: true)]) {
      [try KeyFile(decoding: $0[0], source: "fuzz").encoded(comment: "", withSecret: true)]
    }
    return true
  }

  private static func text(_ list: AllowList) -> [UInt8] {
    Array(list.entries.map { list.line($0) + "\n" }.joined().utf8)
  }
}
