// What can be practiced. A task is one file that makes exercises by address and judges completions
// of them; everything else of a run knows tasks by this protocol alone.

import Documents
import Experience

/// Where an exercise comes from: the three never overlap.
public enum Split: String, Sendable, CaseIterable {
  case train, validation
  case heldOut = "held-out"
}

/// One problem with a checkable answer.
public struct Exercise: Equatable, Sendable {
  /// Names it within its task ("47+85").
  public var name: String
  /// The text the policy continues; of a chat, its last question.
  public var prompt: String
  /// The chat the policy answers, where the task asks in chats; else empty.
  public var messages: [ChatMessage]
  /// The right answer, as the verifier reads it.
  public var answer: String
  /// A worked completion, for supervised learning; nil where the task has none.
  public var demonstration: String?

  public init(
    name: String, prompt: String, messages: [ChatMessage] = [], answer: String,
    demonstration: String? = nil
  ) {
    self.name = name
    self.prompt = prompt
    self.messages = messages
    self.answer = answer
    self.demonstration = demonstration
  }
}

/// What can be practiced: exercises by address, and a verifier.
public protocol Exercises: Sendable {
  /// The characters its prompts and demonstrations are made of, for a character-level vocabulary;
  /// nil for a task of free text.
  var alphabet: [Character]? { get }
  /// Words such a vocabulary holds whole, besides the characters: a tag that cost seven characters
  /// would be most of a short completion. They are ordinary text: decoding must show them.
  var tags: [String] { get }
  /// How many exercises the split has; nil when it is drawn without end.
  func count(in split: Split) -> Int?
  /// The exercise at an address: a pure function of the task's settings, seed, split and index.
  ///
  /// The index is within `count(in:)`; two indices of a counted split are two exercises.
  func exercise(seed: UInt64, split: Split, index: Int) -> Exercise
  /// The exercise of a training ticket at a level of the task's curriculum; a task without one has
  /// the one level.
  func practice(seed: UInt64, ticket: Int, level: Int) -> Exercise
  var levelCount: Int { get }
  /// Whether its verifier reads `tokenCount` for more than where the reward falls.
  var needsTokenCount: Bool { get }
  /// How long a verdict may take at most, where a person's program gives it; else 0.
  var verdictSeconds: Double { get }
  /// The name of the chat template its exercises' messages are laid out by, or `ownChat` for the
  /// model's; nil where it asks in plain text.
  var chat: String? { get }
  /// The same task without the exercises that do not fit; a made task's all do, or none.
  func keeping(_ fits: (Exercise) -> Bool) -> any Exercises
  /// Judges a completion's text. `tokenCount` gives where the reward falls: its last token.
  func judge(_ exercise: Exercise, completion: String, tokenCount: Int, isTruncated: Bool)
    -> Verdict
}

extension Exercises {
  public var tags: [String] { [] }
  public var needsTokenCount: Bool { false }
  public var verdictSeconds: Double { 0 }
  public var chat: String? { nil }
  public var levelCount: Int { 1 }
  public func practice(seed: UInt64, ticket: Int, level: Int) -> Exercise {
    exercise(seed: seed, split: .train, index: ticket)
  }
  public func keeping(_ fits: (Exercise) -> Bool) -> any Exercises { self }

  /// Judges a completion that comes with its prompt and answer, from wherever.
  public func judge(_ submission: Submission) -> Verdict {
    judge(
      Exercise(name: "", prompt: submission.prompt, answer: submission.answer),
      completion: submission.completion, tokenCount: submission.tokenCount,
      isTruncated: submission.isTruncated)
  }
}
