// The command line of forage-actor.

import Acting
import Operations
import Testing

struct ActorOptionsTests {
  @Test func `the address is enough`() throws {
    let options = try #require(try ActorOptions(arguments: ["tcp://head:45910"]))
    #expect(options.address == "tcp://head:45910")
    #expect(options.threads == 0 && options.giveUpSeconds == 600)
    #expect(options.name == ActorOptions.nameOfThisProcess)
  }

  @Test func `options stand before or after, with a space or an equals sign`() throws {
    let options = try #require(
      try ActorOptions(arguments: [
        "--name", "a", "ipc:///x", "--threads=3", "--give-up-seconds", "1.5",
      ]))
    #expect(
      options
        == ActorOptions(address: "ipc:///x", name: "a", threads: 3, giveUpSeconds: 1.5))
  }

  @Test func `help is asked for, not run`() throws {
    #expect(try ActorOptions(arguments: ["--help"]) == nil)
  }

  @Test(arguments: [
    [], ["head:45910"], ["tcp://a:1", "tcp://b:1"], ["tcp://a:1", "--threads", "many"],
    ["tcp://a:1", "--name="], ["tcp://a:1", "--thread", "2"], ["tcp://a:1", "--threads"],
  ])
  func `a wrong line is refused with what is wrong`(_ line: [String]) {
    #expect(throws: ArgumentError.self) { try ActorOptions(arguments: line) }
  }
}
