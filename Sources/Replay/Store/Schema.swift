// The tables of a ledger, as numbered migrations: a file's `user_version` counts those applied.
//
// A migration that has been in a release is never edited: a new one is added, and a file of each
// older format stands in ReplayTests/Fixtures.

import CSQLite
import Experience

enum Schema {
  /// "Forg": what `file` and SQLite's own tools show of a ledger.
  static let applicationID = 0x466F_7267

  struct Migration: Sendable {
    var sql: String
    /// Tables whose rows get a digest, with the columns it covers: what SQL cannot compute.
    var digested: [(table: String, key: String, columns: String)] = []
  }

  static let migrations = [Migration(sql: first), second, third]

  private static let first = """
    CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

    CREATE TABLE versions (
      number INTEGER PRIMARY KEY, digest BLOB NOT NULL, state_digest BLOB, row_digest BLOB NOT NULL
    ) STRICT;

    -- key: a training ticket's number; -(1 + version * 2^20 + number) of an evaluation ticket.
    -- reward, strict, lenient and tokens are sums over the samples; times are nanoseconds of the
    -- actor's own clock, received_ms is Unix time. The blob is the group as it was submitted.
    CREATE TABLE groups (
      key INTEGER PRIMARY KEY, version INTEGER NOT NULL, actor TEXT NOT NULL,
      exercise TEXT NOT NULL, numeric_class TEXT NOT NULL, prompt_tokens INTEGER NOT NULL,
      samples INTEGER NOT NULL, tokens INTEGER NOT NULL, reward REAL NOT NULL,
      strict INTEGER NOT NULL, lenient INTEGER NOT NULL, temperature REAL NOT NULL,
      seed INTEGER NOT NULL, ticket_ns INTEGER NOT NULL, sampled_ns INTEGER NOT NULL,
      judged_ns INTEGER NOT NULL, received_ms INTEGER NOT NULL, blob_digest BLOB NOT NULL,
      row_digest BLOB NOT NULL, blob BLOB NOT NULL
    ) STRICT;

    -- Which step trained a ticket, where it stood in the batch, and how it ended.
    CREATE TABLE retired (
      number INTEGER PRIMARY KEY, step INTEGER NOT NULL, position INTEGER NOT NULL,
      fate TEXT NOT NULL
    ) STRICT;
    CREATE INDEX retired_by_step ON retired (step, position);

    -- One row a completion: of a training group once its step is committed, of an evaluation group
    -- at once (step is NULL). parts is JSON.
    CREATE TABLE trajectories (
      key INTEGER NOT NULL, sample INTEGER NOT NULL, step INTEGER, reward REAL, parts TEXT,
      reason TEXT, finish TEXT, tokens INTEGER, strict INTEGER, lenient INTEGER,
      is_trained INTEGER, advantage REAL, ratio_least REAL, ratio_mean REAL, ratio_greatest REAL,
      kl REAL, clipped_share REAL, entropy REAL, row_digest BLOB NOT NULL,
      PRIMARY KEY (key, sample)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX trajectories_by_step ON trajectories (step, reward);
    CREATE INDEX trajectories_by_reward ON trajectories (reward);
    CREATE INDEX trajectories_by_ratio ON trajectories (ratio_greatest);

    -- tickets is JSON, in the order of training.
    CREATE TABLE leases (
      step INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, tickets TEXT NOT NULL,
      leased_ms INTEGER NOT NULL, row_digest BLOB NOT NULL
    ) STRICT;

    CREATE TABLE commits (
      step INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, outcome TEXT NOT NULL,
      version_digest BLOB NOT NULL, state_digest BLOB NOT NULL, checkpoint TEXT,
      tickets TEXT NOT NULL, committed_ms INTEGER NOT NULL, row_digest BLOB NOT NULL
    ) STRICT;

    -- Groups sampled in vain; was_accepted 0 when turned away on arrival.
    CREATE TABLE drops (
      id INTEGER PRIMARY KEY, key INTEGER NOT NULL, reason TEXT NOT NULL,
      was_accepted INTEGER NOT NULL, tokens INTEGER NOT NULL, bytes INTEGER NOT NULL,
      dropped_ms INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE evaluations (
      version INTEGER PRIMARY KEY, is_finished INTEGER NOT NULL, prompts INTEGER, samples INTEGER,
      reward REAL, strict REAL, lenient REAL, pass_at_k REAL, mean_length REAL,
      is_delivered INTEGER NOT NULL DEFAULT 0, closed_ms INTEGER NOT NULL
    ) STRICT;
    """

  /// Groups trained on more than once, sources of offline runs, and a digest in every row.
  private static let second = Migration(
    sql: """
      -- The standard deviation of the group's rewards; NULL of a group of format 1.
      ALTER TABLE groups ADD COLUMN spread REAL;
      -- Tickets of earlier steps that the batch carries once more; NULL where there are none.
      ALTER TABLE leases ADD COLUMN reused TEXT;
      ALTER TABLE commits ADD COLUMN reused TEXT;

      -- Which steps trained a retired group once more.
      CREATE TABLE uses (
        step INTEGER NOT NULL, position INTEGER NOT NULL, number INTEGER NOT NULL,
        row_digest BLOB NOT NULL, PRIMARY KEY (step, position)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX uses_by_number ON uses (number, step);

      -- What an offline run learns from: position in the source's order, ticket there.
      CREATE TABLE sources (
        position INTEGER PRIMARY KEY, number INTEGER NOT NULL, blob_digest BLOB NOT NULL,
        version INTEGER NOT NULL, spread REAL NOT NULL, row_digest BLOB NOT NULL
      ) STRICT;

      -- use: 0 the first time a group is trained, then 1, 2, ...
      CREATE TABLE trajectories_by_use (
        key INTEGER NOT NULL, sample INTEGER NOT NULL, step INTEGER, reward REAL, parts TEXT,
        reason TEXT, finish TEXT, tokens INTEGER, strict INTEGER, lenient INTEGER,
        is_trained INTEGER, advantage REAL, ratio_least REAL, ratio_mean REAL,
        ratio_greatest REAL, kl REAL, clipped_share REAL, entropy REAL, use INTEGER NOT NULL,
        row_digest BLOB NOT NULL, PRIMARY KEY (key, sample, use)
      ) STRICT, WITHOUT ROWID;
      INSERT INTO trajectories_by_use SELECT key, sample, step, reward, parts, reason, finish,
        tokens, strict, lenient, is_trained, advantage, ratio_least, ratio_mean, ratio_greatest,
        kl, clipped_share, entropy, 0, row_digest FROM trajectories;
      DROP TABLE trajectories;
      ALTER TABLE trajectories_by_use RENAME TO trajectories;
      CREATE INDEX trajectories_by_step ON trajectories (step, reward);
      CREATE INDEX trajectories_by_reward ON trajectories (reward);
      CREATE INDEX trajectories_by_ratio ON trajectories (ratio_greatest);

      ALTER TABLE run ADD COLUMN row_digest BLOB;
      ALTER TABLE retired ADD COLUMN row_digest BLOB;
      ALTER TABLE drops ADD COLUMN row_digest BLOB;
      ALTER TABLE evaluations ADD COLUMN row_digest BLOB;
      """,
    digested: [
      ("run", "key", "key, value"), ("retired", "number", "number, step, position, fate"),
      ("drops", "id", "key, reason, was_accepted, tokens, bytes, dropped_ms"),
      (
        "evaluations", "version",
        """
        version, is_finished, prompts, samples, reward, strict, lenient, pass_at_k, mean_length,
        is_delivered, closed_ms
        """
      ),
    ])

  /// Curricula.
  private static let third = Migration(
    sql: """
      -- How the pool of exercises stands after the step, as JSON; NULL without a curriculum.
      ALTER TABLE commits ADD COLUMN curriculum TEXT;
      """)

  /// Refuses a file of another program or of a newer one; 0 is an empty file.
  static func checkedVersion(of database: Database) throws(LedgerError) -> Int {
    let application = try database.integer("PRAGMA application_id")
    let version = try database.integer("PRAGMA user_version")
    if application == 0 && version == 0 {
      let tables = try database.integer("SELECT count(*) FROM sqlite_schema")
      if tables > 0 {
        throw .foreign(path: database.path, problem: "it holds \(tables) tables of another program")
      }
      return 0
    }
    if application != applicationID {
      throw .foreign(path: database.path, problem: "its application id is \(application)")
    }
    if version > migrations.count {
      throw .newer(path: database.path, version: version, known: migrations.count)
    }
    return version
  }

  /// Applies what a file lacks, all of it in one transaction: a file is of one format or of
  /// another, and a new one is of the newest or empty.
  static func migrate(_ database: Database) throws(LedgerError) {
    let version = try checkedVersion(of: database)
    guard version < migrations.count else { return }
    try database.transaction { () throws(LedgerError) in
      for (index, migration) in migrations.enumerated() where index >= version {
        try database.execute(migration.sql)
        for entry in migration.digested {
          try digest(entry.table, key: entry.key, entry.columns, in: database)
        }
        try database.execute("PRAGMA application_id = \(applicationID)")
        try database.execute("PRAGMA user_version = \(index + 1)")
      }
    }
  }
}

extension Schema {
  private static func digest(
    _ table: String, key: String, _ columns: String, in database: Database
  ) throws(LedgerError) {
    let rows = try database.prepare("SELECT \(key), \(columns) FROM \(table)").rows {
      $0.values()
    }
    let update = try database.prepare("UPDATE \(table) SET row_digest = ? WHERE \(key) = ?")
    for row in rows {
      try update.run([.blob(RowDigest.of(table, Array(row.dropFirst()))), row[0]])
    }
  }
}

/// A ticket as the integer that is its group's row number.
package enum RowKey {
  /// The settings' largest evaluation has 1,000,000 prompts: 20 bits.
  private static let promptBits = 20
  package static let maximumPrompts = 1 << promptBits

  static func integer(_ key: TicketKey) -> Int {
    switch key.purpose {
    case .train: key.number
    case .evaluate(let version): -(1 + version << promptBits + key.number)
    }
  }

  /// The lowest and the highest row of an evaluation's groups: what a statement is told.
  static func range(ofEvaluation version: Int) -> [SQLValue] {
    let first = integer(TicketKey(purpose: .evaluate(version: version), number: 0))
    return [.integer(first - maximumPrompts + 1), .integer(first)]
  }

  static func ticket(_ integer: Int) -> TicketKey {
    if integer >= 0 { return TicketKey(purpose: .train, number: integer) }
    let packed = -integer - 1
    return TicketKey(
      purpose: .evaluate(version: packed >> promptBits), number: packed & (1 << promptBits - 1))
  }
}
