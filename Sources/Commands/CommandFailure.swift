// The exit status of errors that rooms below Operations throw, by what they mean to a caller.

import HTTP
import Messaging
import Operations
import Policy
import Replay
import Safetensors

enum CommandFailure {
  static func report(_ error: any Error) -> (line: String, exitCode: ExitCode) {
    switch error {
    case let error as ModelFolderError: (error.description, .badInput)
    case let error as SafetensorsError: (String(describing: error), .badInput)
    case let error as MessagingError:
      (error.description, ExitCode(rawValue: error.exitStatus) ?? .unavailable)
    case let error as HTTPError:
      (error.description, ExitCode(rawValue: error.exitStatus) ?? .unavailable)
    case let error as LedgerError: (error.description, status(error))
    default: FailureReport.report(error)
    }
  }

  private static func status(_ error: LedgerError) -> ExitCode {
    switch error {
    case .missing: .noInput
    case .sqlite: error.isDamage ? .badInput : .storage
    case .foreign, .newer, .older, .damaged, .otherSettings: .badInput
    }
  }
}
