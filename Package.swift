// swift-tools-version: 6.0
// The rooms of Forage and the arrows between them: the one list of who may import whom.
// Docs/ARCHITECTURE.md draws the same picture; the tidy test holds the sources to it.
import PackageDescription

/// A library room with the rooms it may import, and its test target beside it.
func room(_ name: String, _ imports: [String], resources: [Resource] = []) -> Target {
  .target(name: name, dependencies: imports.map { .init(stringLiteral: $0) }, resources: resources)
}

/// A system module: a module map and a one-line shim over a Debian package.
func system(_ name: String, package: String) -> Target {
  .systemLibrary(name: name, providers: [.apt([package])])
}

/// The tests of one room, which may also import what the room is made of.
func tests(_ name: String, _ imports: [String], exclude: [String] = []) -> Target {
  .testTarget(
    name: name + "Tests", dependencies: imports.map { .init(stringLiteral: $0) },
    exclude: exclude)
}

func program(_ name: String, _ imports: [String]) -> Target {
  .executableTarget(name: name, dependencies: imports.map { .init(stringLiteral: $0) })
}

/// libFuzzer's program, for Scripts/fuzz alone: everything in it is built with -sanitize=fuzzer.
let fuzzer: [Target] =
  Context.environment["FORAGE_FUZZER"] == nil
  ? []
  : [
    .executableTarget(
      name: "forage-fuzz", dependencies: ["FuzzHarness", "CAllocations"],
      path: "Tests/Fuzz/Program")
  ]

let package = Package(
  name: "Forage",
  products: [
    .executable(name: "forage", targets: ["forage"]),
    .executable(name: "forage-actor", targets: ["forage-actor"]),
    .executable(name: "forage-learner", targets: ["forage-learner"]),
    .executable(name: "forage-replay", targets: ["forage-replay"]),
  ],
  targets: [
    // C: system modules, and two small targets of our own.
    system("CZeroMQ", package: "libzmq3-dev"),
    system("CSQLite", package: "libsqlite3-dev"),
    system("COpenBLAS", package: "libopenblas-dev"),
    system("CPCRE2", package: "libpcre2-dev"),
    system("CSodium", package: "libsodium-dev"),
    system("CYAML", package: "libyaml-dev"),
    system("CJansson", package: "libjansson-dev"),
    system("CMicroHTTPD", package: "libmicrohttpd-dev"),
    .target(name: "CSystem"),
    .target(name: "CKernels", cSettings: [.unsafeFlags(["-O3", "-ffp-contract=off"])]),

    // Foundations: they know nothing of each other, but for Documents.
    room("Documents", ["CJansson", "CYAML"]),
    room("Experience", []),
    room("Digests", ["Experience", "CSodium"]),
    room("Safetensors", ["Documents"]),
    room("Tensors", ["COpenBLAS", "CKernels"]),
    room("Messaging", ["CZeroMQ", "CSodium"]),
    room("Patterns", ["CPCRE2"]),
    room("HTTP", ["CMicroHTTPD"]),
    room("Operations", ["Documents", "CSystem"]),

    // Domain.
    room("Tasks", ["Experience", "Documents", "Patterns"]),
    room("Policy", ["Experience", "Digests", "Documents", "Safetensors", "Tensors", "Patterns"]),
    room("Objectives", ["Experience"]),
    room("Wire", ["Experience", "Digests", "Documents", "Safetensors"]),

    // Roles: one room a process.
    room(
      "Acting",
      [
        "Experience", "Digests", "Documents", "Tasks", "Policy", "Wire", "Messaging", "Operations",
        "HTTP",
      ]),
    room(
      "Replay",
      ["Experience", "Digests", "Documents", "Wire", "Messaging", "Operations", "HTTP", "CSQLite"]),
    room(
      "Learning",
      [
        "Experience", "Digests", "Documents", "Safetensors", "Objectives", "Policy", "Wire",
        "Messaging", "Operations", "HTTP",
      ]),

    // Executables.
    program("forage-actor", ["Acting", "Operations"]),
    program("forage-replay", ["Replay", "Operations"]),
    program("forage-learner", ["Learning", "Operations"]),
    room(
      "Commands",
      [
        "Experience", "Digests", "Documents", "Safetensors", "Tensors", "Messaging", "Operations",
        "HTTP", "Tasks", "Policy", "Objectives", "Wire", "Acting", "Replay", "Learning", "CSystem",
      ],
      // `forage explain` tells what the page tells: a link to Docs/METRICS.md.
      resources: [.embedInCode("Explain/METRICS.md")]),
    program("forage", ["Commands"]),

    // Tests: one target a library.
    tests("Documents", ["Documents"]),
    tests("Experience", ["Experience", "Digests"]),
    tests("Safetensors", ["Safetensors", "Documents"], exclude: ["Fixtures"]),
    tests("Tensors", ["Tensors", "CKernels"]),
    tests("Messaging", ["Messaging", "CZeroMQ"]),
    tests("Patterns", ["Patterns"], exclude: ["Fixtures"]),
    tests("HTTP", ["HTTP"]),
    tests("Operations", ["Operations", "Documents"]),
    tests("Tasks", ["Tasks", "Experience", "Documents"]),
    tests(
      "Policy", ["Policy", "Experience", "Digests", "Documents", "Safetensors", "Tensors"],
      exclude: ["Fixtures"]),
    tests("Objectives", ["Objectives", "Experience"]),
    tests("Wire", ["Wire", "Experience", "Digests", "Documents", "Safetensors"]),
    tests(
      "Replay",
      [
        "Replay", "CSQLite", "SimulatedLedger", "Experience", "Digests", "Documents", "Wire",
        "Messaging", "Operations",
      ], exclude: ["Fixtures"]),
    tests(
      "Acting",
      [
        "Acting", "Learning", "Experience", "Digests", "Documents", "Tasks", "Policy", "Tensors",
        "Wire", "Messaging", "Operations",
      ]),
    tests(
      "Learning",
      [
        "Learning", "Experience", "Digests", "Documents", "Objectives", "Policy", "Tensors", "Wire",
        "Messaging", "Operations",
      ]),
    tests(
      "Commands",
      [
        "Commands", "Digests", "Documents", "Experience", "Learning", "Messaging", "Operations",
        "Policy", "Replay", "Safetensors", "Wire", "HTTP",
      ]),
    tests("Tidy", []),

    // Every decoder under hostile input; Scripts/fuzz builds the program that searches for more.
    .target(name: "CAllocations", path: "Tests/Fuzz/CAllocations"),
    .target(
      name: "FuzzHarness",
      dependencies: [
        "CAllocations", "Experience", "Digests", "Documents", "Safetensors", "Policy", "Operations",
        "Messaging", "Wire", "Acting", "Replay", "Learning",
      ], path: "Tests/Fuzz/Harness"),
    // What the two simulations of a ledger share.
    .target(
      name: "SimulatedLedger", dependencies: ["Replay", "Experience", "Wire"],
      path: "Tests/SimulatedLedger"),
    tests(
      "Simulation",
      [
        "Acting", "Replay", "SimulatedLedger", "Experience", "Digests", "Documents", "Safetensors",
        "Wire",
      ]),
    tests("Fuzz", ["FuzzHarness", "CAllocations"]),
  ] + fuzzer,
  swiftLanguageModes: [.v6]
)
