// What a disk gives the ledger at most: commits like the ledger's, of rows without meaning, in a
// database of their own.

import CSQLite

package final class CommitProbe {
  private let database: Database
  private let insert: Statement
  private let row: [SQLValue]

  /// Makes a database at `path`, where none is, with the ledger's durability; rows of `rowBytes`.
  package init(path: String, rowBytes: Int) throws(LedgerError) {
    database = try Database(path: path, mode: .readWrite)
    try LedgerStore.makeDurable(database)
    // The ledger folds its log between commits; here SQLite does, as often.
    try database.execute("PRAGMA wal_autocheckpoint = \(LedgerStore.Limits.foldedPages)")
    try database.execute("CREATE TABLE probe (bytes BLOB NOT NULL)")
    insert = try database.prepare("INSERT INTO probe VALUES (?)")
    row = [.blob((0..<rowBytes).map { UInt8(truncatingIfNeeded: $0 &* 151) })]
  }

  /// One FULL commit of `rows` rows; returns when they are on the disk.
  package func commit(rows: Int) throws(LedgerError) {
    try database.transaction { () throws(LedgerError) in
      for _ in 0..<rows { try insert.run(row) }
    }
  }
}
