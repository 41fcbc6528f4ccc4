// A run that goes on: the settings it may go on with, held against those it was begun with, and the
// build it is computed under. Everything is said, and refused, before a process is started.

import Documents
import Learning
import Operations
import Replay

/// What the processes of a resumed run are allowed.
struct ResumeAllowance {
  /// Settings by dotted key.
  var changes: [String] = []
  var otherBuild = false

  var replayArguments: [String] {
    changes.isEmpty ? [] : ["--allow-change", changes.joined(separator: ",")]
  }

  var learnerArguments: [String] { otherBuild ? ["--allow-other-build"] : [] }
}

enum Resume {
  /// Before anybody reads the ledger, unless a replay of an earlier session still writes it: it
  /// has looked for itself.
  static func auditLog(_ run: RunFolder) throws {
    guard Files.exists(run.ledger), let lock = try? RunLock(run: run, role: "replay") else {
      return
    }
    defer { withExtendedLifetime(lock) {} }
    do {
      try LedgerStore.auditLog(path: run.ledger)
    } catch {
      throw Failure(
        "go on with", on: run.path, happened: "\(error)",
        remedy: "without a copy the log can be moved away, and every commit in it is lost then",
        exitCode: .badInput)
    }
  }

  /// Whether the ledger is of an older release, or its making was cut short.
  static func needsUpgrade(_ run: RunFolder) throws -> Bool {
    guard Files.exists(run.ledger) else { return false }
    return try LedgerStore.isOlder(path: run.ledger)
  }

  /// Brings the ledger up to date before anybody reads it: replay, which does so too, is started
  /// when settings and build have been held against it.
  static func upgrade(_ run: RunFolder, say: (String) -> Void) throws {
    let lock = try RunLock(run: run, role: "replay")
    defer { withExtendedLifetime(lock) {} }
    try LedgerStore.upgrade(path: run.ledger)
    say("\(run.ledger) is brought up to date")
  }

  /// The settings to go on with, written to the run's folder when they are new.
  static func settings(
    _ run: RunFolder, overrides: [String], _ allowance: ResumeAllowance, say: (String) -> Void
  ) throws -> RunSettings {
    try checkLedger(run)
    let record = Files.exists(run.ledger) ? try LedgerReader(path: run.ledger).runRecord() : nil
    let parts = try RunParts(
      try load(run, overrides: overrides), source: run.settings, run: run)
    let settings = try RunSettings(document: parts.resolved, source: run.settings)
    let begun = try record?.newestSettings ?? RunSettings.load(path: run.settings)
    let changes = SettingsChange.between(begun, settings)
    try SettingsChange.check(changes, allowed: allowance.changes, on: run.path)
    for change in changes {
      say("changed: \(change)" + (change.kind == .free ? ", on which no number depends" : ""))
    }
    if let record, !record.fingerprints.isEmpty {
      try BuildCheck.check(
        record, steps: nil, isAllowed: allowance.otherBuild, on: run.path,
        say: { line in
          if !line.hasPrefix("fingerprint: as") { say(line) }
        })
    }
    if !changes.isEmpty || !overrides.isEmpty {
      try Files.writeDurably(run.settings, YAML.write(settings.resolved))
    }
    return settings
  }

  /// Without its ledger a run could only begin again, over what it has come to.
  private static func checkLedger(_ run: RunFolder) throws {
    let isThere = Files.exists(run.ledger)
    if isThere, try LedgerReader(path: run.ledger).digest(ofVersion: 0) != nil { return }
    let names = try Checkpoints(folder: run.checkpoints).names()
    guard let newest = names.first, newest != Checkpoints.name(step: 0) else { return }
    throw Failure(
      "go on with", on: run.path,
      happened: "\(run.ledger) is \(isThere ? "empty" : "gone"), and checkpoint \(newest) has been "
        + "trained from it",
      remedy: "restore the ledger; the model of that checkpoint is whole without it",
      exitCode: .noInput)
  }

  /// A file that is damaged cannot be told from one that was edited badly: what to do is the same.
  private static func load(_ run: RunFolder, overrides: [String]) throws -> RunSettings {
    do {
      return try RunSettings.load(path: run.settings, overrides: overrides)
    } catch let error as DocumentError {
      throw Failure(
        "read", on: run.settings, happened: error.description,
        remedy: "mend it, or write it anew as the ledger has it: forage run --resume "
          + "\(run.path) --restore-settings", exitCode: .settings)
    }
  }

  /// Writes settings.yaml anew from the ledger.
  static func restore(_ path: String, say: (String) -> Void) throws {
    let run = RunFolder(path)
    guard let settings = try LedgerReader(path: run.ledger).runRecord().newestSettings else {
      throw Failure(
        "restore the settings of", on: path, happened: "its ledger has recorded none",
        remedy: "restore settings.yaml from a copy", exitCode: .noInput)
    }
    try Files.writeDurably(run.settings, YAML.write(settings.resolved))
    say("\(run.settings) is written anew from the ledger")
  }
}
