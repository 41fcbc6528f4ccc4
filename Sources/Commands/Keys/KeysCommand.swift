// forage keys: who may take part in a run beyond this host.
//
// The head's folder holds the pairs of its own processes and the list of the allowed; another host
// needs one file, NAME.key, which also says whose server to expect. Copying that file is all there
// is to do; whoever would rather not send a secret makes the pair there and brings NAME.pub.

import Documents
import Messaging
import Operations

enum KeysCommand: Command {
  static let usage = Usage(
    "forage keys",
    "Makes and manages the keys of a run beyond one host. ACTION is make (a pair, and the head's "
      + "own pairs before the first), list, allow (lets the key of a .pub file in), withdraw (a "
      + "name of the list) or check (the folder, and whether a stranger would be refused).",
    positionals: [
      .init("ACTION", "make, list, allow, withdraw or check"),
      .init("NAME|FILE", "make, withdraw: a name; allow: a .pub file", isRequired: false),
    ],
    options: [
      .value("keys", "DIR", "the folder of keys (~/.config/forage/keys)"),
      .value("role", "ROLE", "make: actor (the default), learner or looker, who asks for status"),
      .value("server", "FILE", "make: the head's server.pub, for a pair not made at the head"),
    ],
    example: "forage keys make actor-7 --role actor")

  private enum Action: String, CaseIterable {
    case make, list, allow, withdraw, check
  }

  static func run(_ arguments: Arguments) throws -> ExitCode {
    guard let action = Action(rawValue: arguments.required(0)) else {
      let known = Action.allCases.map(\.rawValue)
      let near = Spelling.nearest(to: arguments.required(0), among: known)
      throw ArgumentError(
        program: usage.program,
        fact: .badValue(
          "ACTION", text: arguments.required(0),
          expected: known.joined(separator: ", ")
            + (near.map { "; did you mean \($0)?" } ?? "")))
    }
    for option in ["role", "server"] where action != .make && arguments.value(option) != nil {
      throw ArgumentError(
        program: usage.program, fact: .unexpectedPositional("--\(option), an option of make,"))
    }
    let path = arguments.value("keys") ?? KeyStore.defaultFolder
    let name = arguments.positional(1)
    if [.list, .check].contains(action), let name {
      throw ArgumentError(program: usage.program, fact: .unexpectedPositional(name))
    }
    func needed() throws(ArgumentError) -> String {
      guard let name else {
        throw ArgumentError(
          program: usage.program,
          fact: .missingPositional(action == .allow ? "FILE" : "NAME"))
      }
      return name
    }
    switch action {
    case .make: try make(arguments, name, at: path)
    case .list: try list(KeyStore(opening: path))
    case .allow: try allow(try needed(), KeyStore(opening: path))
    case .withdraw: try withdraw(try needed(), KeyStore(opening: path))
    case .check: try check(KeyStore(opening: path))
    }
    return .success
  }

  // MARK: Actions

  private static func make(_ arguments: Arguments, _ name: String?, at path: String) throws {
    var role = KeyRole.actor
    if let text = arguments.value("role") {
      guard let named = KeyRole(rawValue: text), named != .server else {
        throw arguments.bad("role", text, "actor, learner or looker")
      }
      role = named
    }
    if let name, !KeyFile.isName(name) {
      throw ArgumentError(
        program: usage.program,
        fact: .badValue(
          "NAME", text: name,
          expected: "1 to \(KeyFile.maximumNameBytes) letters, digits, dots, hyphens, underscores"))
    }
    if let file = arguments.value("server") {
      guard let name else {
        throw ArgumentError(program: usage.program, fact: .missingPositional("NAME"))
      }
      let server = try KeyFile.load(file)
      guard server.role == .server else {
        throw arguments.bad("server", file, "the head's server.pub, not a key of \(server.name)")
      }
      let store = try KeyStore(making: path)
      try store.make(name, role, server: server.publicKey)
      say("made \(store.folder.secretPath(name)) (secret, stays here) and \(name).pub")
      say("next:  copy \(store.folder.publicPath(name)) to the head, and there")
      say("       forage keys allow \(name).pub")
      return
    }
    let store = try KeyStore(making: path)
    let made = try store.makeOwn()
    if !made.isEmpty {
      say("made the head's own pairs in \(path): \(made.joined(separator: ", "))")
    }
    guard let name else {
      if made.isEmpty { say("the head's own pairs are in \(path) already") }
      say("next:  forage run CONFIG --listen ADDRESS --keys \(path)")
      return
    }
    let server = try store.folder.server().publicKey
    try store.make(name, role, server: server)
    try store.allow(try KeyFile.load(store.folder.publicPath(name)))
    say("made \(store.folder.secretPath(name)), let in as \(role.rawValue)")
    say("next:  forage run CONFIG --listen ADDRESS --keys \(path)")
    guard role == .actor else { return }
    say("       copy \(store.folder.secretPath(name)) to the other host, and there")
    say("       forage-actor tcp://HEAD:45910 --keys \(name).key")
  }

  private static func list(_ store: KeyStore) throws {
    let allowed = try store.allowed()
    var rows = allowed.entries.map { entry in
      [entry.name, entry.role.rawValue, entry.key.text, store.holding(entry.name)]
    }
    if let server = try? KeyFile.load(store.folder.publicPath("server")) {
      rows.insert(["server", "server", server.publicKey.text, store.holding("server")], at: 0)
    }
    let columns: [(name: String, side: TextTable.Side)] = [
      ("name", .left), ("role", .left), ("public key", .left), ("in this folder", .left),
    ]
    for line in TextTable(columns, rows).lines() { say(line) }
  }

  private static func allow(_ path: String, _ store: KeyStore) throws {
    let file = try KeyFile.load(path)
    try store.allow(file)
    say("let in: \(file.name) as \(file.role.rawValue)")
    say("a run that serves with \(store.folder.path) takes it within a second")
  }

  private static func withdraw(_ name: String, _ store: KeyStore) throws {
    try store.withdraw(name)
    say("withdrawn: \(name)")
    say("a run that serves with \(store.folder.path) refuses what it asks from now on")
  }

  private static func check(_ store: KeyStore) throws {
    let count = try store.check()
    say("\(store.folder.path): \(count) keys are let in; every file is whole, secrets are private")
    say("a stranger who dials in is refused, a known key is let in")
  }

  private static func say(_ line: String) { Terminal.write(line + "\n") }
}
