// forage export: a run's metrics in the forms other programs read.

import Documents
import Operations

enum ExportCommand: Command {
  static let usage = Usage(
    "forage export", "Writes a run's metrics as CSV or as TensorBoard's event files.",
    positionals: [Usage.Positional("DIR", "the run's folder; the run may go on meanwhile")],
    options: [
      .value("csv", "FILE", "a row a step and a row an evaluation, a column a key"),
      .value("tensorboard", "FOLDER", "one event file, in a folder of the run's name within it"),
    ],
    example: "forage export runs/arithmetic-001 --tensorboard /tmp/boards")

  static func run(_ arguments: Arguments) throws -> ExitCode {
    let run = try RunFolder.open(arguments.required(0))
    let (table, board) = (arguments.value("csv"), arguments.value("tensorboard"))
    guard table != nil || board != nil else {
      throw ArgumentError(
        program: usage.program, fact: .missingPositional("--csv FILE or --tensorboard FOLDER"))
    }
    let metrics = try RunMetrics(run)
    guard !metrics.steps.isEmpty else {
      throw Failure(
        "export", on: run.metrics, happened: "it has no step yet",
        remedy: "wait for the first: forage status \(run.path)", exitCode: .noInput)
    }
    if let table {
      try Files.writeDurably(table, MetricsTable(metrics).csv)
      Terminal.write("\(table)\n")
    }
    if let board {
      let folder = "\(board)/\(run.name)"
      try Files.makeFolder(folder)
      // One name, so that exporting again replaces what was there instead of doubling it.
      let path = "\(folder)/events.out.tfevents.0.forage"
      try Files.writeDurably(path, EventFile(metrics).bytes)
      Terminal.write("\(path)\n")
    }
    return .success
  }
}

/// Every key a column, in the order in which keys first appear.
package struct MetricsTable {
  package let csv: String

  init(_ metrics: RunMetrics) { self.init(records: metrics.steps + metrics.evaluations) }

  package init(records: [Document]) {
    var columns = ["step", "evaluation"]
    var known = Set(columns)
    for record in records {
      for key in Self.keys(record) where known.insert(key).inserted { columns.append(key) }
    }
    var lines = [columns.map(Self.field).joined(separator: ",")]
    for record in records {
      lines.append(columns.map { Self.cell(record[$0]) }.joined(separator: ","))
    }
    csv = lines.joined(separator: "\n") + "\n"
  }

  private static func keys(_ record: Document) -> [String] {
    guard case .object(let members) = record.value else { return [] }
    return members.map(\.key)
  }

  /// Empty where there is no value.
  private static func cell(_ document: Document?) -> String {
    switch document?.value {
    case nil, .null: ""
    case .string(let text): field(text)
    default: JSON.write(document!)
    }
  }

  /// RFC 4180: quoted where a separator, a quote or a line end stands in it.
  private static func field(_ text: String) -> String {
    guard text.contains(where: { ",\"\n\r".contains($0) }) else { return text }
    let parts = text.split(separator: "\"", omittingEmptySubsequences: false)
    return "\"" + parts.joined(separator: "\"\"") + "\""
  }
}
