// Under what a run's steps were taken: its settings and the fingerprint of its learner, each with
// the step it counts from. Kept in the ledger, where editing a file beside it hides nothing.
//
// Rows of the table `run` with the keys "settings@<step>" and "fingerprint@<step>", as JSON. One
// that comes before the step was committed takes the place of the other: nothing was trained under
// it.

import Documents
import Experience
import Operations
import Wire

public struct RunRecord: Sendable {
  /// In order of step.
  public var settings: [(step: Int, settings: RunSettings)] = []
  public var fingerprints: [(step: Int, fingerprint: Fingerprint)] = []

  /// A resolved settings file is some 4 KiB.
  static let maximumTextBytes = 1 << 20

  init() {}

  init(_ database: Database) throws(LedgerError) {
    let names = LedgerRows(database: database) { sql throws(LedgerError) in
      try database.prepare(sql)
    }
    let rows = try database.prepare("SELECT \(TableColumns.run), row_digest FROM run").rows {
      row throws(LedgerError) in
      _ = try names.checked("run", row)
      return (row.text(0), row.text(1))
    }
    for (key, text) in rows {
      let parts = key.split(separator: "@")
      guard parts.count == 2, let step = Int(parts[1]) else { continue }
      do {
        let document = try JSON.parse(
          Array(text.utf8), source: database.path, maximumByteCount: Self.maximumTextBytes)
        switch parts[0] {
        case "settings":
          settings.append((step, try RunSettings(document, source: "the ledger's settings")))
        case "fingerprint":
          fingerprints.append((step, try Fingerprint(document, source: "the ledger")))
        default: break
        }
      } catch {
        throw .damaged(path: database.path, problem: "\(key) of the run cannot be read: \(error)")
      }
    }
    settings.sort { $0.step < $1.step }
    fingerprints.sort { $0.step < $1.step }
  }

  /// What counts now.
  public var newestSettings: RunSettings? { settings.last?.settings }
  public var newestFingerprint: Fingerprint? { fingerprints.last?.fingerprint }

  /// What counted when this step was taken.
  public func settings(at step: Int) -> RunSettings? {
    (settings.last { $0.step <= step } ?? settings.first)?.settings
  }

  public func fingerprint(at step: Int) -> Fingerprint? {
    (fingerprints.last { $0.step <= step } ?? fingerprints.first)?.fingerprint
  }

  var spans: [SettingsSpan] {
    settings.suffix(WireLimits.maximumSettingsSpans).map {
      SettingsSpan(step: $0.step, settings: $0.settings.resolved)
    }
  }
}

extension LedgerStore {
  package func runRecord() throws(LedgerError) -> RunRecord { try RunRecord(database) }

  /// The number of the newest committed version.
  func newestVersion() throws(LedgerError) -> Int {
    try database.integer("SELECT coalesce(max(number), 0) FROM versions")
  }

  /// These settings count from a step on.
  package func recordSettings(_ settings: RunSettings, from step: Int) throws(LedgerError) {
    try database.transaction { () throws(LedgerError) in
      try set("settings@\(step)", JSON.write(settings.resolved))
    }
  }

  /// Within a transaction: this fingerprint counts from a step on.
  func setFingerprint(_ fingerprint: Fingerprint, from step: Int) throws(LedgerError) {
    try set("fingerprint@\(step)", JSON.write(fingerprint.document))
  }
}

extension LedgerReader {
  public func runRecord() throws(LedgerError) -> RunRecord { try RunRecord(database) }
}

extension LedgerReader {
  /// Nil for a version that no step has made.
  public func digest(ofVersion number: Int) throws(LedgerError) -> Digest? {
    try rows.digests()[number]
  }
}
