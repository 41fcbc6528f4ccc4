// Key files and lists of keys: what is read, what is refused and with which words.

import Glibc
import Messaging
import Testing

@Suite struct KeyFileTests {
  private let pair: KeyPair
  private let text: String

  init() throws {
    pair = try KeyPair.random()
    let file = KeyFile(
      name: "actor-7", role: .actor, publicKey: pair.publicKey, secretKey: pair.secretKey,
      server: try KeyPair.random().publicKey)
    text = String(decoding: file.encoded(comment: "a test's", withSecret: true), as: UTF8.self)
  }

  private func read(_ text: String) throws(MessagingError) -> KeyFile {
    try KeyFile(decoding: Array(text.utf8), source: "x.key")
  }

  private func problem(_ text: String) -> String {
    do throws(MessagingError) {
      _ = try read(text)
      return "nothing"
    } catch {
      return error.description
    }
  }

  @Test func `what is written reads back, with comments and what copying adds`() throws {
    let copies = [
      text, "# first\n\n" + text, text.replacing("\n", with: "\r\n"), String(text.dropLast()),
    ]
    for text in copies {
      let file = try read(text)
      #expect(file.name == "actor-7")
      #expect(file.role == .actor)
      #expect(file.publicKey == pair.publicKey)
      #expect(file.secretKey != nil)
      #expect(file.server != nil)
    }
  }

  @Test func `a file that is not one is refused, and no line of it is quoted`() throws {
    let secret = try #require(text.split(separator: "\n").first { $0.hasPrefix("secret: ") })
    let other = try KeyPair.random().publicKey.text
    let cases = [
      ("", "no line \"forage-key"),
      (text.replacing("forage-key: 1", with: "forage-key: 2"), "format"),
      (text + "name: b\n", "line 8 gives name a second time"),
      (text + "x: y\n", "line 8 is of no kind"),
      (text + "nonsense\n", "line 8 is not"),
      (text.replacing("role: actor", with: "role: king"), "role"),
      (text.replacing("actor-7", with: "../etc"), "name is not"),
      (text.replacing("\(pair.publicKey)", with: other), "not of one pair"),
      (text.replacing("public: ", with: "public: x"), "public is not a key"),
      (text.replacing("secret: ", with: "secret: x"), "secret is not a key"),
      // A secret under a wrong head must not be told.
      (text.replacing("secret: ", with: "secrets: "), "line 6 is of no kind"),
      (text.replacing("secret: ", with: ""), "line 6 is not"),
    ]
    for (text, words) in cases {
      let problem = problem(text)
      #expect(problem.contains(words), "\(problem)")
      #expect(!problem.contains(secret.dropFirst(8)), "a secret in an error")
    }
  }

  @Test func `a secret that others may read is refused with what to type`() throws {
    let head = try Head()
    let path = head.folder.secretPath("actor-7")
    _ = try KeyFile.load(path)
    try head.write("actor-7.key", text, mode: 0o640)
    let error = #expect(throws: MessagingError.self) { try KeyFile.load(path) }
    let words = "its mode 0640 lets others at it; chmod 600 \(path)"
    #expect(error?.description.contains(words) == true)
    #expect(error?.exitStatus == 77)
    let missing = #expect(throws: MessagingError.self) { try KeyFile.load("/nowhere/x.key") }
    #expect(missing?.exitStatus == 66)
    let tooMuch = String(repeating: "#", count: KeyFile.maximumBytes + 1)
    try head.write("actor-7.key", tooMuch, mode: 0o600)
    let long = #expect(throws: MessagingError.self) { try KeyFile.load(path) }
    #expect(long?.description.contains("the limit is 4096") == true)
  }

  @Test func `a key of another role or without a secret cannot be used`() throws {
    let head = try Head()
    let wrong = #expect(throws: MessagingError.self) { try head.client("looker") }
    let words = "the key of looker, whose role is looker; actor is needed"
    #expect(wrong?.description.contains(words) == true)
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("secret: ") }
    let bare = try read(lines.joined(separator: "\n"))
    #expect(throws: MessagingError.self) { try ClientKeys(bare, source: "x.pub", as: .actor) }
  }

  @Test func `a secret key prints nothing of itself`() throws {
    let secret = try #require(text.split(separator: "\n").first { $0.hasPrefix("secret: ") })
    var dumped = ""
    dump(pair, to: &dumped)
    for text in ["\(pair)", "\(pair.secretKey)", String(reflecting: pair), dumped] {
      #expect(!text.contains(secret.dropFirst(8)))
    }
    #expect("\(pair.secretKey)" == "(a secret key)")
  }

  @Test func `a list binds each key to one role and one name`() throws {
    let (a, b) = (try KeyPair.random().publicKey, try KeyPair.random().publicKey)
    let list = try AllowList(
      decoding: Array("# who\n\nactor \(a) far\nlooker \(b) me\n".utf8), source: "allowed")
    #expect(list[a] == AllowList.Entry(key: a, role: .actor, name: "far"))
    #expect(list[b]?.role == .looker)
    #expect(list[pair.publicKey] == nil)
    for (text, words) in [
      ("actor \(a) far\nlearner \(a) x\n", "line 2: the key of x is there already, as far"),
      ("actor \(a) far\nactor \(b) far\n", "line 2: far is there already, with another key"),
      ("king \(a) far\n", "line 1 is not"), ("actor \(a)\n", "line 1 is not"),
      ("actor \(a.text.dropLast()) far\n", "line 1 is not"),
      ("actor \(a) far more\n", "line 1 is not"),
    ] {
      let error = #expect(throws: MessagingError.self) {
        try AllowList(decoding: Array(text.utf8), source: "allowed")
      }
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
  }

  @Test func `a list that others may write lets nobody in`() throws {
    let head = try Head()
    try head.write("allowed", "", mode: 0o666)
    chmod(head.folder.allowList, 0o666)
    let error = #expect(throws: MessagingError.self) {
      try Protection.keys(head.folder).security(in: MessagingContext(), admitting: [.actor])
    }
    #expect(error?.description.contains("lets others write to it; chmod 600") == true)
  }
}
