// SIGTERM, Ctrl-C and a lost terminal as a descriptor to poll.
//
// A dispatch source lost 5 SIGTERMs in 20 (OpenBLAS starts a thread before `main` that takes them);
// a handler that writes an eventfd lost none, whichever thread it ran on. SIGPIPE is ignored with
// it: a peer or a pager that left is an error of the write, not the end of the process.

import CSystem
import Glibc

/// Turns stop signals into a readable descriptor. One at a time in a process.
public final class SignalWatch: Sendable {
  private let event: EventFD

  /// Installs the handlers; SIGPIPE is ignored from here on.
  public init() throws(Failure) {
    event = try EventFD()
    guard forage_signals_watch(event.fileDescriptor) == 0, forage_ignore_sigpipe() == 0 else {
      throw .system("watch", on: "SIGTERM and SIGINT", exitCode: .internal)
    }
  }

  /// Gives the signals their default actions back.
  deinit { _ = forage_signals_unwatch() }

  /// Readable once a stop signal came, until `drain`.
  public var fileDescriptor: Int32 { event.fileDescriptor }

  /// Whether a stop signal has come. It stays true.
  public var isStopping: Bool { forage_signals_count() > 0 }

  /// Stop signals so far: a second Ctrl-C means "now".
  public var count: Int { Int(forage_signals_count()) }

  /// The last one in words, "SIGTERM"; nil before the first.
  public var lastSignal: String? {
    let signal = forage_signals_last()
    return signal == 0 ? nil : Signals.name(signal)
  }

  /// For a poller that goes on working after it took notice.
  public func drain() { event.drain() }
}

/// Signals in words.
public enum Signals {
  public static func name(_ signal: Int32) -> String {
    switch signal {
    case SIGHUP: "SIGHUP"
    case SIGINT: "SIGINT"
    case SIGQUIT: "SIGQUIT"
    case SIGILL: "SIGILL"
    case SIGTRAP: "SIGTRAP"
    case SIGABRT: "SIGABRT"
    case SIGBUS: "SIGBUS"
    case SIGFPE: "SIGFPE"
    case SIGKILL: "SIGKILL"
    case SIGSEGV: "SIGSEGV"
    case SIGPIPE: "SIGPIPE"
    case SIGALRM: "SIGALRM"
    case SIGTERM: "SIGTERM"
    case SIGXCPU: "SIGXCPU"
    case SIGXFSZ: "SIGXFSZ"
    case SIGUSR1: "SIGUSR1"
    case SIGUSR2: "SIGUSR2"
    default: "signal \(signal)"
    }
  }
}
