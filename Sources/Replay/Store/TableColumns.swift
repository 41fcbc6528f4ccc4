// The columns of each table that a row's digest covers, in the digest's order.
//
// A column that a later migration added comes last and enters the digest only where it holds
// something else than its default. So rows written before it keep their digests, nothing is
// digested anew when a file is brought up to date, and a row that was damaged stays so. A byte that
// turns the default into a value, or back, changes what the digest is of and is found.

enum TableColumns {
  static let groups = """
    key, version, actor, exercise, numeric_class, prompt_tokens, samples, tokens, reward, strict,
    lenient, temperature, seed, ticket_ns, sampled_ns, judged_ns, received_ms, blob_digest, spread
    """
  static let trajectories = """
    key, sample, step, reward, parts, reason, finish, tokens, strict, lenient, is_trained,
    advantage, ratio_least, ratio_mean, ratio_greatest, kl, clipped_share, entropy, use
    """
  static let versions = "number, digest, state_digest"
  static let leases = "step, epoch, tickets, leased_ms, reused"
  static let commits = """
    step, epoch, outcome, version_digest, state_digest, checkpoint, tickets, committed_ms, reused,
    curriculum
    """
  static let run = "key, value"
  static let retired = "number, step, position, fate"
  static let uses = "step, position, number"
  static let drops = "key, reason, was_accepted, tokens, bytes, dropped_ms"
  static let evaluations = """
    version, is_finished, prompts, samples, reward, strict, lenient, pass_at_k, mean_length,
    is_delivered, closed_ms
    """
  static let sources = "position, number, blob_digest, version, spread"

  /// Every table by name; groups carry a blob besides, with a digest of its own.
  static let all: [(table: String, columns: String)] = [
    ("groups", groups), ("trajectories", trajectories), ("versions", versions),
    ("leases", leases), ("commits", commits), ("run", run), ("retired", retired), ("uses", uses),
    ("drops", drops), ("evaluations", evaluations), ("sources", sources),
  ]

  /// How many of a table's columns came with later migrations.
  private static let late = ["groups": 1, "trajectories": 1, "leases": 1, "commits": 2]

  /// What the digest of a row with these values is over.
  static func digested(_ table: String, _ values: [SQLValue]) -> ArraySlice<SQLValue> {
    var end = values.count
    let first = end - (late[table] ?? 0)
    while end > first, values[end - 1] == .null || values[end - 1] == .integer(0) { end -= 1 }
    return values[..<end]
  }
}
