// A person's own verifier: a program in any language that reads one line for each completion and
// writes one line for each verdict, as `forage grade` does (GradeLines). This room starts nothing:
// whoever judges supplies the program behind `LineProgram`.
//
// A program that dies, is late, or writes what is no verdict has given none: the verdict is invalid
// and counted, its group is not trained on, and the next line goes to a fresh program.

import Documents
import Experience

/// A program that is spoken to in lines. One exchange at a time; calls may come from any thread.
public protocol LineProgram: Sendable {
  /// How long an answer may take at most.
  var seconds: Double { get }
  /// The answer to a line, without its newline; a failure in words where none came in time.
  func answer(_ line: [UInt8]) -> Result<[UInt8], LineProgramFailure>
  /// The last answer was none. What the program still says can be of any line: the next one goes to
  /// a fresh program.
  func reject()
}

/// Why a program gave no answer.
public struct LineProgramFailure: Error, Sendable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}

/// What a program is started with.
public struct LineProgramPlan: Equatable, Sendable {
  public static let maximumWords = 64

  /// The program, a path or a name in PATH, and its arguments; no shell reads them.
  public var words: [String]
  /// For one answer, the program's start included.
  public var seconds: Double
  /// Of one answer.
  public var maximumBytes: Int

  public init(words: [String], seconds: Double, maximumBytes: Int) {
    self.words = words
    self.seconds = seconds
    self.maximumBytes = maximumBytes
  }
}

/// Makes programs: an actor's way to start children, or a test's.
public typealias LineProgramMaker = @Sendable (LineProgramPlan) -> any LineProgram

/// Judges by what a program answers.
public struct CommandVerifier: Verifier {
  /// Parts of one verdict.
  static let maximumParts = 32
  /// A reward beyond it is a mistake of the program's.
  static let largestReward = 1e6
  /// UTF-8 bytes of a part's name: it heads a column of metrics.
  static let maximumNameBytes = 64

  private let program: any LineProgram

  public init(_ program: any LineProgram) { self.program = program }

  public var seconds: Double { program.seconds }

  public func find(_ submission: Submission) -> Finding {
    switch program.answer(JSON.writeBytes(submission.document)) {
    case .failure(let failure): return .invalid(failure.description)
    case .success(let line):
      do {
        return try finding(line)
      } catch {
        program.reject()
        return .invalid("the program's answer: \(error.problem)")
      }
    }
  }

  /// `{"reward": x}` or `{"parts": {...}}`, and `strict`, `lenient`, `reason`; more is refused, so
  /// that a misspelled key is no silent 0.
  private func finding(_ line: [UInt8]) throws(DocumentError) -> Finding {
    let document = try JSON.parse(line, source: "answer")
    let fields = try Fields(document, source: "answer")
    let range = -Self.largestReward...Self.largestReward
    var parts: [(name: String, value: Float)] = []
    if case .object(let members)? = fields.document("parts")?.value {
      guard members.count <= Self.maximumParts else {
        throw fields.error("parts", "\(members.count), expected at most \(Self.maximumParts)")
      }
      let section = try fields.section("parts")
      for member in members {
        parts.append((member.key, Float(try section.number(member.key, in: range))))
      }
      // What they come to may stand beside them.
      _ = fields.document("reward")
    } else {
      parts.append(("reward", Float(try fields.number("reward", in: range))))
    }
    guard !parts.contains(where: { $0.name == Verdict.invalidPart || $0.name.isEmpty }) else {
      throw fields.error("parts", "\"\(Verdict.invalidPart)\" and \"\" name no part")
    }
    if let long = parts.first(where: { $0.name.utf8.count > Self.maximumNameBytes }) {
      throw fields.error(
        "parts", "a name of \(long.name.utf8.count) bytes, at most \(Self.maximumNameBytes)")
    }
    let strict = try fields.bool("strict")
    let lenient = try fields.bool("lenient", default: strict)
    let reason = try fields.string("reason", default: "")
    if try !fields.bool("valid", default: true) { return .invalid(clipped(reason)) }
    _ = try fields.bool("completed_correct", default: false)
    try fields.finish()
    return Finding(parts: parts, reason: reason, isRight: strict, isLenientlyRight: lenient)
  }
}
