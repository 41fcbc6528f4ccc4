// Every length and number that comes from another process has its maximum here. An encoder traps on
// a count above one (a caller's mistake) and shortens a sentence; a decoder refuses both.

public enum WireLimits {
  public static let protocolVersion = 3
  /// A batch lease of 65,536 tickets with its reports takes half of this.
  public static let maximumControlBytes = 1 << 20
  /// The groups of one batch.
  public static let maximumPayloadFrames = 65_536
  /// Above this, heartbeats would wait behind a chunk on a thin link.
  public static let maximumChunkBytes = 1 << 20
  /// Of one direction of a probe: as much as the largest chunk.
  public static let maximumProbeBytes = 1 << 20
  /// The same as a socket sees it: CURVE adds 33 bytes, and libzmq hangs up on a frame above its
  /// limit without a word.
  public static let maximumProbeFrameBytes = maximumProbeBytes + 1024
  /// A snapshot: 1 TiB is a model of 275 billion parameters in f32.
  public static let maximumBlobBytes = 1 << 40
  /// Ticket numbers, counters, milliseconds: sums of a few of them stay far inside 64 bits, and a
  /// JSON reader that keeps numbers as doubles still has them exactly.
  public static let maximumNumber = 1 << 48
  /// Version numbers and steps: a group carries them as 32-bit integers.
  public static let maximumVersion = Int(Int32.max)
  /// Names of runs, lineages, actors, exercises, files, encodings and parts of rewards.
  public static let maximumNameBytes = 256
  /// Endpoints, as long as the messaging room takes them.
  public static let maximumAddressBytes = 256
  /// What a refusal, a wait, a heartbeat or a verifier says; longer ones are cut at the sender.
  public static let maximumSentenceBytes = 1024
  /// Tickets of one request: more than an actor could sample before their lease ends.
  public static let maximumTickets = 4096
  /// Tickets an actor lists as held: those asked for, and those whose group is on its way.
  public static let maximumHeldTickets = 8192
  /// Parts of a fingerprint: programs, libraries and a name or two.
  public static let maximumParts = 64
  /// Times a run's settings may change: each is about 4 KiB of a control frame.
  public static let maximumSettingsSpans = 64
  /// Spans that go with one heartbeat, and the names they are of.
  public static let maximumSpans = 4096
  public static let maximumSpanNames = 256
  /// An errand is `forage bench link` for a few minutes at most.
  public static let maximumErrandRepeats = 100
  public static let maximumErrandMilliseconds = 60_000
  public static let maximumErrandParallel = 4
  public static let maximumErrandSizes = 16
  public static let maximumErrandBytes = 64 << 20
  /// What it found, so that a heartbeat which lists every ticket still has room for it.
  public static let maximumFindingBytes = 1 << 18
  /// Files a run is made of.
  public static let maximumFiles = 64
  /// Evaluations, pinned versions and drop reasons told with one lease.
  public static let maximumReports = 1024
  /// Actors told of with one lease.
  public static let maximumActors = 4096
  /// Trajectories of one step: 40 MiB of columns.
  public static let maximumTrajectories = 1 << 20
  /// The names of the parts a task's reward can have.
  public static let maximumRewardNames = 64
  /// Either way, of one completion: its square and the sums of a batch stay finite in Float32.
  public static let maximumReward: Float = 1e9
}
