// forage dashboard: the report, live, in a browser; finished runs too, several over each other, and
// completions with their tokens colored.

import Glibc
import HTTP
import Operations

enum DashboardCommand: Command {
  static let usage = Usage(
    "forage dashboard",
    "Shows runs in a browser: the report while it is being written, finished runs, several over "
      + "each other, and completions token by token.",
    positionals: [
      Usage.Positional(
        "DIR", "a run's folder, or one that holds runs; runs without", isRequired: false)
    ],
    options: [
      .value("listen", "ADDRESS", "where; 127.0.0.1:8765 without"),
      .flag(
        "allow-anyone",
        "listen where others reach it: whoever does reads every prompt and completion"),
    ],
    example: "forage dashboard runs")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let site = try DashboardSite([arguments.positional(0) ?? "runs"])
    let address = try HTTPAddress(arguments.value("listen") ?? "127.0.0.1:8765")
    guard address.isLoopback || arguments.flag("allow-anyone") else {
      throw HTTPError(
        operation: "listen on", address: "\(address)",
        reason: .routable(
          risk: "the dashboard asks nobody who they are",
          remedy: "listen on 127.0.0.1 and reach it through ssh -L, or say --allow-anyone"))
    }
    let signals = try SignalWatch()
    var limits = HTTPLimits()
    limits.bodyBytes = 1024
    let server = try HTTPServer(address, limits: limits) { site.answer($0) }
    Terminal.write("dashboard: http://\(server.address)/\nCtrl-C ends it.\n")
    while !signals.isStopping {
      _ = Descriptor.waitReadable([signals.fileDescriptor], deadline: .after(seconds: 1))
    }
    server.stop()
    return .success
  }
}
