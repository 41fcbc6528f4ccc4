// Where a run's services are: ipc in a private folder for one host, tcp beyond it.
//
// Without keys whoever can connect can submit, so an address others can reach is refused unless
// there are keys or the settings name the risk.

import Glibc

/// The three addresses of a run.
public struct Endpoints: Sendable, Equatable {
  /// Tickets, groups, leases and commits.
  public let replay: String
  /// Chunks of weight snapshots.
  public let weights: String
  /// Announcements of new versions.
  public let announce: String

  public init(replay: String, weights: String, announce: String) {
    self.replay = replay
    self.weights = weights
    self.announce = announce
  }

  /// Where the head of a run binds: ipc when `listen` is "", tcp on that interface otherwise.
  public static func binding(_ network: NetworkSection, run: RunFolder) throws(Failure) -> Endpoints
  {
    if network.listen.isEmpty { return try local(in: run.socketsFolder()) }
    try network.checkListen()
    return tcp(host: network.listen, network)
  }

  /// Where a process on the head's own host connects to the same services.
  public static func connecting(
    _ network: NetworkSection, run: RunFolder
  ) throws(Failure) -> Endpoints {
    if network.listen.isEmpty { return try local(in: run.socketsFolder()) }
    let isWildcard = ["*", "0.0.0.0", "::", "[::]"].contains(network.listen)
    return tcp(host: isWildcard ? "127.0.0.1" : network.listen, network)
  }

  /// Where a process elsewhere connects, given the host it knows the head by.
  public static func tcp(host: String, _ network: NetworkSection) -> Endpoints {
    let bare =
      host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    let host = bare.contains(":") ? "[\(bare)]" : bare
    return Endpoints(
      replay: "tcp://\(host):\(network.replayPort)",
      weights: "tcp://\(host):\(network.weightsPort)",
      announce: "tcp://\(host):\(network.announcePort)")
  }

  private static func local(in folder: String) throws(Failure) -> Endpoints {
    let longest = "\(folder)/announce"
    guard longest.utf8.count <= RunFolder.maximumSocketPathBytes else {
      throw Failure(
        "make a socket", on: longest,
        happened: "its path has \(longest.utf8.count) bytes, and the system allows"
          + " \(RunFolder.maximumSocketPathBytes)",
        remedy: "set XDG_RUNTIME_DIR to a shorter folder", exitCode: .cannotCreate)
    }
    return Endpoints(
      replay: "ipc://\(folder)/replay", weights: "ipc://\(folder)/weights",
      announce: "ipc://\(folder)/announce")
  }

  /// The host of a `tcp://host:port`, without brackets; nil for anything else.
  public static func host(of endpoint: String) -> String? {
    guard endpoint.hasPrefix("tcp://"), let colon = endpoint.lastIndex(of: ":") else { return nil }
    let start = endpoint.index(endpoint.startIndex, offsetBy: 6)
    guard colon > start else { return nil }
    let host = endpoint[start..<colon]
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    return String(isBracketed ? host.dropFirst().dropLast() : host)
  }
}

extension NetworkSection {
  /// Whether only this host can reach the address: 127.0.0.0/8, ::1 and localhost.
  ///
  /// A name that is not an address is not resolved: what it means could change by tomorrow.
  public static func isLoopback(_ host: String) -> Bool {
    if host == "localhost" { return true }
    var four = in_addr()
    if inet_pton(AF_INET, host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
    let bare =
      host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    var six = in6_addr()
    guard inet_pton(AF_INET6, bare, &six) == 1 else { return false }
    let bytes = withUnsafeBytes(of: six) { Array($0) }
    return bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
  }

  /// Throws when `listen` is an address others can reach and there are neither keys nor the setting
  /// that names the risk.
  public func checkListen() throws(Failure) {
    guard !listen.isEmpty, !Self.isLoopback(listen), keys.isEmpty, !allowUnauthenticated else {
      return
    }
    throw Failure(
      "listen on", on: listen,
      happened: "others can reach this address, and without keys anybody who does can read and"
        + " change the run",
      remedy: "make keys (forage keys make) and give --keys DIR, or listen on 127.0.0.1 and forward"
        + " the ports over ssh, or accept the risk with --network.allowUnauthenticated=true",
      exitCode: .forbidden)
  }
}
