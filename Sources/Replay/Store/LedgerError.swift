// What can be wrong with a ledger file, and what to do about it.

import CSQLite

public enum LedgerError: Error, Sendable, CustomStringConvertible {
  /// SQLite refused; `code` is its extended result code.
  case sqlite(action: String, path: String, sql: String, code: Int32, message: String)
  case foreign(path: String, problem: String)
  case newer(path: String, version: Int, known: Int)
  /// Only the process that writes a ledger brings it up to date.
  case older(path: String, version: Int, known: Int)
  case damaged(path: String, problem: String)
  case missing(path: String)
  /// The ledger was begun under other settings than those given.
  case otherSettings(path: String, recorded: String, given: String)

  /// The disk has no room: nothing was written, and the service may go on when there is.
  public var isDiskFull: Bool {
    guard case .sqlite(_, _, _, let code, _) = self else { return false }
    return code & 0xff == SQLITE_FULL
  }

  /// The file is not what a ledger is, or not any more.
  public var isDamage: Bool {
    switch self {
    case .foreign, .damaged: true
    case .sqlite(_, _, _, let code, _):
      code & 0xff == SQLITE_CORRUPT || code & 0xff == SQLITE_NOTADB
    case .newer, .older, .missing, .otherSettings: false
    }
  }

  public var description: String {
    switch self {
    case .sqlite(let action, let path, let sql, let code, let message):
      let statement = sql.isEmpty ? "" : " [\(sql)]"
      return "\(action) \(path) failed: \(message) (SQLite \(code))\(statement); \(advice(code))"
    case .foreign(let path, let problem):
      return "\(path) is not a ledger of Forage: \(problem); name another run folder"
    case .newer(let path, let version, let known):
      return "\(path) has ledger format \(version) and this program reads up to \(known): "
        + "use the newer program"
    case .older(let path, let version, let known):
      return "\(path) has ledger format \(version) and this program reads \(known): "
        + "forage run --resume with its folder brings it up to date"
    case .damaged(let path, let problem):
      return "\(path) is damaged: \(problem); restore it from a copy"
    case .missing(let path):
      return "\(path) does not exist: has this run been started?"
    case .otherSettings(let path, let recorded, let given):
      return "\(path) was begun under settings \(recorded) and these are \(given): "
        + "resume with the run folder's own settings.yaml"
    }
  }

  private func advice(_ code: Int32) -> String {
    switch code & 0xff {
    case SQLITE_FULL: "free some disk space"
    case SQLITE_IOERR:
      "the disk did not take or give the bytes: check it, and start again (what was acknowledged "
        + "is safe)"
    case SQLITE_BUSY, SQLITE_LOCKED: "another process is writing it: one replay serves a run"
    case SQLITE_CORRUPT, SQLITE_NOTADB: "restore the file from a copy"
    case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_READONLY: "check that the folder can be written"
    default: "see sqlite.org/rescode.html"
    }
  }
}
