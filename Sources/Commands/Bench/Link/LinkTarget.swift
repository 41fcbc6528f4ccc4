// Whom a link is measured to, found by asking: the far end of this benchmark, which speaks first
// and in words, or a service of a live run, which speaks ZeroMQ.

import Messaging
import Operations

struct LinkTarget {
  /// As named by the person.
  let address: String
  /// "replay", "weights", "bench".
  let service: String
  let transports: [LinkTransport]
  /// Of the newest version served there; nil where none is.
  var versionBytes: Int?

  /// One for an address, two for a run of this host: its replay and its weights.
  static func find(_ place: String, keys path: String?) throws -> [LinkTarget] {
    guard place.contains("://") else { return try ofRun(place, keys: path) }
    let keys = try path.map(clientKeys)
    guard place.hasPrefix("tcp://") else { return [try live(place, keys: keys)] }
    guard let address = LinkAddress(place), address.port > 0 else {
      throw ArgumentError(
        program: BenchCommand.usage.program,
        fact: .badValue("ADDRESS", text: place, expected: "tcp://HOST:PORT"))
    }
    // libzmq tries again for ever and says nothing; the system says at once what is wrong.
    let stream = try TCPStream.connect(to: address, seconds: RawLane.connectSeconds)
    guard let greeting = try LinkGreeting(reading: stream) else {
      return [try live(place, keys: keys)]
    }
    return [try farEnd(address, greeting, keys: keys)]
  }

  /// Whatever the key's role: each may measure.
  private static func clientKeys(_ path: String) throws -> ClientKeys {
    let file = try KeyFile.load(path)
    return try ClientKeys(file, source: path, as: file.role)
  }

  private static func ofRun(_ place: String, keys path: String?) throws -> [LinkTarget] {
    let run = try RunFolder.open(place)
    let network = try RunSettings.load(path: run.settings).network
    let endpoints = try Endpoints.connecting(network, run: run)
    // An actor's key opens both doors, a looker's only replay's.
    let keys =
      try path.map(clientKeys)
      ?? (network.keys.isEmpty ? nil : try KeyFolder(network.keys).client(.actor))
    return try [endpoints.replay, endpoints.weights].map { try live($0, keys: keys) }
  }

  private static func live(_ endpoint: String, keys: ClientKeys?) throws -> LinkTarget {
    let lane: MessageLane
    do {
      lane = try MessageLane(endpoint, keys: keys)
    } catch let error as MessagingError {
      guard case .timedOut = error.reason else { throw error }
      throw Failure(
        "measure the link to", on: endpoint, happened: "nobody answers there",
        remedy: "check that the run is live (forage status), or start the other end with forage "
          + "bench link --listen", exitCode: .unavailable)
    }
    return LinkTarget(
      address: endpoint, service: lane.service,
      transports: [
        LinkTransport(name: keys == nil ? "zeromq" : "curve") {
          try MessageLane(endpoint, keys: keys)
        }
      ],
      versionBytes: try lane.versionBytes())
  }

  private static func farEnd(
    _ address: LinkAddress, _ greeting: LinkGreeting, keys: ClientKeys?
  ) throws -> LinkTarget {
    guard greeting.hasKeys == (keys != nil) else {
      throw Failure(
        "measure the link to", on: address.text,
        happened: greeting.hasKeys
          ? "the far end has keys, and this side has none"
          : "this side has keys, and the far end has none",
        remedy: greeting.hasKeys
          ? "give --keys NAME.key" : "leave --keys out here, or give --keys DIR there",
        exitCode: .keysRefused)
    }
    let curveKeys = try keys ?? introduce(to: address, greeting)
    let open = address.endpoint(port: greeting.messagePort)
    let locked = address.endpoint(port: greeting.curvePort)
    // A key that does not fit is found now and not after half of the measurement.
    _ = try MessageLane(locked, keys: curveKeys)
    return LinkTarget(
      address: address.text, service: "bench",
      transports: [
        LinkTransport(name: "tcp") { RawLane(address) },
        LinkTransport(name: "zeromq") { try MessageLane(open, keys: nil) },
        LinkTransport(name: "curve") { try MessageLane(locked, keys: curveKeys) },
      ])
  }

  /// Makes a pair that lasts as long as the measurement, and has its public half let in.
  private static func introduce(
    to address: LinkAddress, _ greeting: LinkGreeting
  ) throws -> ClientKeys {
    let pair = try KeyPair.random()
    let stream = try TCPStream.connect(to: address, seconds: RawLane.connectSeconds)
    _ = try LinkGreeting(reading: stream)
    try stream.writeLine("key \(pair.publicKey.text)")
    guard try stream.readLine() == ["ok"] else {
      throw Failure(
        "measure the link to", on: address.text, happened: "the far end took no key",
        remedy: "run the same release of Forage on both sides", exitCode: .keysRefused)
    }
    return ClientKeys(name: "bench", role: .actor, pair: pair, server: greeting.server)
  }
}
