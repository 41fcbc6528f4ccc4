// SQLite's two handles as types with a `deinit`. A connection belongs to the thread that made it.

import CSQLite
import Operations

/// A value of a column.
package enum SQLValue: Equatable, Sendable {
  case null
  case integer(Int)
  case number(Double)
  case text(String)
  case blob([UInt8])
}

final class Database {
  enum Mode { case readWrite, readOnly }

  /// SQLite's codes of an fsync that failed, of a file and of a folder.
  private static let failedSyncs: Set<Int32> = [SQLITE_IOERR | 4 << 8, SQLITE_IOERR | 5 << 8]

  let path: String
  fileprivate let handle: OpaquePointer
  private let pages = UnsafeMutablePointer<Int32>.allocate(capacity: 1)

  /// A reader may hold a lock for the length of one short transaction.
  private static let busyMilliseconds: Int32 = 5000

  init(path: String, mode: Mode) throws(LedgerError) {
    let flags =
      mode == .readWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY
    var opened: OpaquePointer?
    let code = sqlite3_open_v2(path, &opened, flags | SQLITE_OPEN_NOMUTEX, nil)
    guard let opened else {
      throw .sqlite(action: "open", path: path, sql: "", code: code, message: "out of memory")
    }
    guard code == SQLITE_OK else {
      let message = String(cString: sqlite3_errmsg(opened))
      let extended = sqlite3_extended_errcode(opened)
      sqlite3_close_v2(opened)
      throw .sqlite(action: "open", path: path, sql: "", code: extended, message: message)
    }
    handle = opened
    self.path = path
    pages.pointee = 0
    sqlite3_extended_result_codes(handle, 1)
    sqlite3_busy_timeout(handle, Self.busyMilliseconds)
  }

  deinit {
    sqlite3_close_v2(handle)
    pages.deallocate()
  }

  /// Pages in the log as of the last commit, once `countLogPages` was called.
  var logPages: Int {
    get { Int(pages.pointee) }
    set { pages.pointee = Int32(newValue) }
  }

  func countLogPages() {
    sqlite3_wal_hook(
      handle,
      { pages, _, _, count in
        pages?.assumingMemoryBound(to: Int32.self).pointee = count
        return SQLITE_OK
      }, pages)
  }

  /// Ends the process for an fsync that failed: even closing the file would try another.
  func error(_ action: String, sql: String) -> LedgerError {
    let code = sqlite3_extended_errcode(handle)
    let message = String(cString: sqlite3_errmsg(handle))
    if Self.failedSyncs.contains(code) {
      Files.endAfterFailedSync(
        of: path, happened: "\(message) (SQLite \(code))", log: .standardError("replay"))
    }
    // SQLite calls ENOSPC of a write full, and nothing else that is as full: a quota, or a disk on
    // which a log's index has no room.
    if code & 0xff == SQLITE_IOERR,
      let number = [code == Self.failedWrite ? logErrno : 0, sqlite3_system_errno(handle)]
        .first(where: SystemError.isDiskFull)
    {
      return .sqlite(
        action: action, path: path, sql: sql, code: SQLITE_FULL,
        message: "\(message), \(SystemError.words(number))")
    }
    return .sqlite(action: action, path: path, sql: sql, code: code, message: message)
  }

  /// SQLITE_IOERR_WRITE, which is no plain number to Swift.
  private static let failedWrite = SQLITE_IOERR | 3 << 8

  /// Of the log's last call that failed; what SQLite itself keeps may be that of a later one, made
  /// as it rolls back.
  private var logErrno: Int32 {
    var file: UnsafeMutablePointer<sqlite3_file>?
    guard
      sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) == SQLITE_OK,
      let file, let control = file.pointee.pMethods?.pointee.xFileControl
    else { return 0 }
    var number: Int32 = 0
    _ = control(file, SQLITE_FCNTL_LAST_ERRNO, &number)
    return number
  }

  /// Calls without waiting for readers.
  func withoutWaiting<Result>(
    _ body: () throws(LedgerError) -> Result
  ) throws(LedgerError) -> Result {
    sqlite3_busy_timeout(handle, 0)
    defer { sqlite3_busy_timeout(handle, Self.busyMilliseconds) }
    return try body()
  }

  /// Runs statements that give no rows.
  func execute(_ sql: String) throws(LedgerError) {
    guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else {
      throw error("write to", sql: sql)
    }
  }

  func prepare(_ sql: String) throws(LedgerError) -> Statement { try Statement(self, sql) }

  /// The first column of the first row.
  func value(_ sql: String) throws(LedgerError) -> SQLValue {
    let statement = try prepare(sql)
    return try statement.step() ? statement.value(0) : .null
  }

  func integer(_ sql: String) throws(LedgerError) -> Int {
    if case .integer(let number) = try value(sql) { number } else { 0 }
  }

  /// All or nothing, with one fsync at its end.
  func transaction(_ body: () throws(LedgerError) -> Void) throws(LedgerError) {
    try execute("BEGIN IMMEDIATE")
    do throws(LedgerError) {
      try body()
      try execute("COMMIT")
    } catch {
      // SQLite has rolled back by itself after some errors; the first error is the one to tell.
      if sqlite3_get_autocommit(handle) == 0 { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
      throw error
    }
  }
}

final class Statement {
  private let database: Database
  private let sql: String
  private let handle: OpaquePointer

  fileprivate init(_ database: Database, _ sql: String) throws(LedgerError) {
    var prepared: OpaquePointer?
    guard
      sqlite3_prepare_v3(
        database.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, nil) == SQLITE_OK,
      let prepared
    else { throw database.error("read", sql: sql) }
    handle = prepared
    self.database = database
    self.sql = sql
  }

  deinit { sqlite3_finalize(handle) }

  /// Binds from the first parameter on, after forgetting what was bound and read before.
  func bind(_ values: [SQLValue]) throws(LedgerError) {
    reset()
    let count = Int(sqlite3_bind_parameter_count(handle))
    precondition(values.count == count, "\(values.count) values for \(count) parameters: \(sql)")
    for (index, value) in values.enumerated() {
      guard bind(value, at: Int32(index + 1)) == SQLITE_OK else {
        throw database.error("bind a value for", sql: sql)
      }
    }
  }

  private func bind(_ value: SQLValue, at position: Int32) -> Int32 {
    // SQLite copies the bytes before the call returns: its "transient" is the pointer -1.
    let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    switch value {
    case .null: return sqlite3_bind_null(handle, position)
    case .integer(let number): return sqlite3_bind_int64(handle, position, Int64(number))
    case .number(let number): return sqlite3_bind_double(handle, position, number)
    case .text(let text):
      // With its length: a NUL is a character like any other.
      return sqlite3_bind_text(handle, position, text, Int32(text.utf8.count), transient)
    case .blob(let bytes):
      return bytes.withUnsafeBytes {
        // A null pointer would bind NULL where an empty blob is meant.
        $0.isEmpty
          ? sqlite3_bind_zeroblob(handle, position, 0)
          : sqlite3_bind_blob64(handle, position, $0.baseAddress, UInt64($0.count), transient)
      }
    }
  }

  /// True when there is a row to read.
  func step() throws(LedgerError) -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    default:
      let error = database.error("step in", sql: sql)
      sqlite3_reset(handle)
      throw error
    }
  }

  /// Runs a statement that gives no rows.
  func run(_ values: [SQLValue]) throws(LedgerError) {
    try bind(values)
    _ = try step()
    reset()
  }

  /// Every row, through `read`.
  func rows<Row>(
    _ values: [SQLValue] = [], _ read: (Statement) throws(LedgerError) -> Row
  ) throws(LedgerError) -> [Row] {
    try bind(values)
    defer { reset() }
    var rows: [Row] = []
    while try step() { rows.append(try read(self)) }
    return rows
  }

  func reset() {
    sqlite3_reset(handle)
    sqlite3_clear_bindings(handle)
  }

  var columnCount: Int { Int(sqlite3_column_count(handle)) }

  func value(_ column: Int) -> SQLValue {
    switch sqlite3_column_type(handle, Int32(column)) {
    case SQLITE_INTEGER: .integer(integer(column))
    case SQLITE_FLOAT: .number(number(column))
    case SQLITE_TEXT: .text(text(column))
    case SQLITE_BLOB: .blob(blob(column))
    default: .null
    }
  }

  /// All columns of the row.
  func values() -> [SQLValue] { (0..<columnCount).map(value) }

  func isNull(_ column: Int) -> Bool {
    sqlite3_column_type(handle, Int32(column)) == SQLITE_NULL
  }
  func integer(_ column: Int) -> Int { Int(sqlite3_column_int64(handle, Int32(column))) }
  func number(_ column: Int) -> Double { sqlite3_column_double(handle, Int32(column)) }
  func text(_ column: Int) -> String {
    guard let start = sqlite3_column_text(handle, Int32(column)) else { return "" }
    let count = Int(sqlite3_column_bytes(handle, Int32(column)))
    return String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  }
  func blob(_ column: Int) -> [UInt8] {
    guard let start = sqlite3_column_blob(handle, Int32(column)) else { return [] }
    let count = Int(sqlite3_column_bytes(handle, Int32(column)))
    return [UInt8](UnsafeRawBufferPointer(start: start, count: count))
  }
}
