// The program as a person runs it, and folders that are gone with their owner.

import Documents
import Glibc
import Operations

/// Another library's models and numbers.
let fixtureFolder = Files.folder(of: Files.folder(of: #filePath)) + "/PolicyTests/Fixtures"

/// A folder that is gone with its owner.
final class TemporaryFolder {
  let path: String

  init() throws {
    var template = Array("/tmp/forage-commands-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else {
      throw Failure.system("make a folder", on: "/tmp")
    }
    path = String(cString: made)
  }

  deinit { try? Files.remove(path) }

  /// The path of a new file with this text.
  func write(_ name: String, _ text: String) throws -> String {
    try Files.writeDurably("\(path)/\(name)", text)
    return "\(path)/\(name)"
  }
}

/// What a program left behind.
struct Outcome {
  var status: ChildExit?
  var output: String
  var complaint: String

  var lines: [String] { output.split(separator: "\n").map(String.init) }

  func has(_ code: ExitCode) -> Bool { status == .exited(code.rawValue) }
}

/// `forage`, built beside the tests.
enum Forage {
  static func program(_ name: String = "forage") throws -> String {
    "\(Files.folder(of: try Files.realPath("/proc/self/exe")))/\(name)"
  }

  static func run(_ arguments: String..., seconds: Double = 60) throws -> Outcome {
    try run(arguments, seconds: seconds)
  }

  static func run(_ arguments: [String], seconds: Double = 60) throws -> Outcome {
    let folder = try TemporaryFolder()
    let (output, complaint) = ("\(folder.path)/output", "\(folder.path)/complaint")
    let child = try ChildProcess(
      program(), arguments, output: .append(output), error: .append(complaint))
    let status = child.wait(deadline: .after(seconds: seconds))
    return Outcome(
      status: status, output: try Files.readText(output),
      complaint: try Files.readText(complaint))
  }
}

extension Document {
  var number: Double? {
    switch value {
    case .integer(let number): Double(number)
    case .number(let number): number
    default: nil
    }
  }

  var elements: [Document] {
    if case .array(let elements) = value { elements } else { [] }
  }

  /// An array of numbers, each as the Float32 it was printed from.
  var floats: [Float] {
    var floats: [Float] = []
    for element in elements {
      if let number = element.number { floats.append(Float(number)) }
    }
    return floats
  }
}

func parse(_ line: String) throws -> Document {
  try JSON.parse(Array(line.utf8), source: "output")
}
