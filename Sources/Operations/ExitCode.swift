// Every status a Forage process ends with, by name, so that a supervisor and a person can tell
// "start it again" from "somebody must change something".
//
// 64 to 78 follow BSD's sysexits where one fits; our own begin at 80, below the 126 and up that
// shells use.

/// The exit status of a process.
public enum ExitCode: Int32, Sendable, CaseIterable {
  /// It did what was asked, or stopped cleanly on SIGTERM or Ctrl-C after a checkpoint.
  case success = 0
  /// It failed in a way no other code names.
  case failure = 1
  /// The command line is wrong.
  case usage = 2
  /// A file or a message has the wrong content: truncated, corrupt, of another run.
  case badInput = 65
  /// A file or folder that was named is not there.
  case noInput = 66
  /// A peer did not answer by the deadline.
  case unavailable = 69
  /// A fault in Forage itself.
  case `internal` = 70
  /// A file or folder could not be made.
  case cannotCreate = 73
  /// Storage failed: an fsync, a write, a read. Never retried within the process.
  case storage = 74
  /// Refused for permissions or for an address that needs keys.
  case forbidden = 77
  /// The settings are wrong, or can never progress.
  case settings = 78
  /// No progress for the time the settings allow.
  case stalled = 80
  /// A supervised process died too often without progress between.
  case gaveUp = 81
  /// An address to bind is taken.
  case portTaken = 82
  /// A newer learner took over: this one's epoch is closed.
  case fenced = 83
  /// Another process holds the lock of this run and role.
  case locked = 84
  /// A peer refused the hello: another run, model, task, protocol or numeric class.
  case refused = 85
  /// The keys of the two ends do not fit: unknown, missing, or another server's.
  case keysRefused = 86
  /// Three steps in a row had a loss or gradient that is not finite.
  case notFinite = 87
  /// A check found something that is not as it was recorded.
  case differs = 88
  /// A run was computed under another build, library or arithmetic than the one here.
  case otherBuild = 89
  /// The hours a run was given are over: a checkpoint is written, and it can be resumed.
  case timeOver = 90
  /// What was looked at before the first step promises nothing: nothing was trained.
  case unpromising = 91
  /// Stopped by a second Ctrl-C or SIGTERM, without a checkpoint.
  case interrupted = 130

  /// Whether starting the same process again may help, with nothing changed by a person.
  public var mayHelpToRestart: Bool {
    switch self {
    case .failure, .unavailable, .internal, .storage, .stalled, .portTaken: true
    case .success, .usage, .badInput, .noInput, .cannotCreate, .forbidden, .settings, .gaveUp,
      .fenced, .locked, .refused, .keysRefused, .notFinite, .differs, .otherBuild,
      .timeOver, .unpromising, .interrupted:
      false
    }
  }

  /// What it means, in a few words.
  public var meaning: String {
    switch self {
    case .success: "success"
    case .failure: "failure"
    case .usage: "wrong command line"
    case .badInput: "wrong content in a file or message"
    case .noInput: "a named file is missing"
    case .unavailable: "a peer did not answer"
    case .internal: "a fault in forage"
    case .cannotCreate: "a file could not be made"
    case .storage: "storage failed"
    case .forbidden: "not permitted"
    case .settings: "wrong settings"
    case .stalled: "no progress"
    case .gaveUp: "a process died too often"
    case .portTaken: "an address is taken"
    case .fenced: "a newer learner took over"
    case .locked: "another process holds the lock"
    case .refused: "a peer refused the hello"
    case .keysRefused: "the keys do not fit"
    case .notFinite: "the loss stopped being finite"
    case .differs: "not as recorded"
    case .otherBuild: "another build"
    case .timeOver: "the hours given are over"
    case .unpromising: "the preflight refused"
    case .interrupted: "interrupted"
    }
  }
}
