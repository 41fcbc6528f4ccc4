// What the settings of this start are against those recorded: a ledger does not go on under others
// without a word.

import Operations

extension ReplayService {
  /// Records the settings of a new run; of an older one, only those that differ and may. Throws,
  /// naming the keys, when others do.
  static func recordSettings(
    _ settings: RunSettings, in store: LedgerStore, _ folder: RunFolder, allowed: [String],
    _ log: Log
  ) throws {
    try checkLineage(of: folder, store, log)
    let step = try store.newestVersion()
    guard let recorded = try store.runRecord().newestSettings else {
      return try store.recordSettings(settings, from: step)
    }
    let changes = SettingsChange.between(recorded, settings)
    guard !changes.isEmpty else { return }
    try SettingsChange.check(changes, allowed: allowed, on: folder.path)
    for change in changes { log.warning("from step \(step) on: \(change)") }
    try store.recordSettings(settings, from: step)
  }

  /// What a new ledger is named. One that has its name needs no file, not even a readable one.
  static func newLineage(of folder: RunFolder) throws -> String {
    do {
      return try folder.lineage()
    } catch {
      guard let recorded = try? LedgerReader(path: folder.ledger).lineage, !recorded.isEmpty
      else { throw error }
      return recorded
    }
  }

  /// The ledger is the authority: a lineage file that was lost or altered is written anew.
  private static func checkLineage(
    of folder: RunFolder, _ store: LedgerStore, _ log: Log
  ) throws {
    let path = "\(folder.path)/lineage"
    let text = (try? Files.readText(path, maximumBytes: 256)) ?? ""
    let found = text.prefix { !$0.isNewline }
    guard found != store.lineage else { return }
    log.warning("\(path) says \"\(found)\"; it is written anew from the ledger: \(store.lineage)")
    try Files.writeDurably(path, store.lineage + "\n")
  }
}
