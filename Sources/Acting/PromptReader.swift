// How a task's exercises become tokens: plain text after the begin token, or messages by a chat
// template. Head, actors and evaluations read prompts with this, so that all feed the same tokens.

import Experience
import Operations
import Policy
import Tasks

/// Makes tokens of exercises.
package struct PromptReader: Sendable {
  package let tokenizer: Tokenizer
  /// Nil for a task that asks in plain text.
  package let template: ChatTemplate?

  /// Throws where the task asks in chats and their template is not known, or is not this
  /// tokenizer's.
  package init(_ exercises: any Exercises, _ tokenizer: Tokenizer) throws(Failure) {
    self.tokenizer = tokenizer
    guard let name = exercises.chat else {
      template = nil
      return
    }
    let template: ChatTemplate
    if name == ownChat {
      do {
        template = try ChatTemplate(of: tokenizer)
      } catch {
        throw Self.failure(error.description)
      }
    } else if let named = ChatTemplate(rawValue: name) {
      template = named
    } else {
      throw Self.failure("\(name) is no chat template; known are \(ChatTemplate.names)")
    }
    for marker in template.markers where tokenizer.token(spelled: marker) == nil {
      throw Self.failure(
        "the model's tokenizer has no \(marker), which \(template.rawValue) writes")
    }
    self.template = template
  }

  private static func failure(_ happened: String) -> Failure {
    Failure(
      "lay out the chats of", on: "the task", happened: happened,
      remedy: "name in task.chat the template the model knows, or none for plain text",
      exitCode: .settings)
  }

  package func tokens(_ exercise: Exercise) -> [Int32] {
    if let template { return template.tokens(exercise.messages, tokenizer) }
    return (tokenizer.beginToken.map { [$0] } ?? []) + tokenizer.encode(exercise.prompt)
  }

  /// The token that ends the assistant's turn; nil for plain text.
  package var turnEnd: Int32? {
    template?.markers.first.flatMap { tokenizer.token(spelled: $0) }
  }

  /// What ends a completion.
  package func stopTokens(_ configuration: ModelConfiguration) -> Set<Int32> {
    configuration.stopTokens.union(tokenizer.stopTokens).union(turnEnd.map { [$0] } ?? [])
  }

  /// Without the exercises that leave no room for `newTokens`: head and actors leave out the same.
  package func fitting(
    _ exercises: any Exercises, positions: Int, newTokens: Int
  ) -> any Exercises {
    exercises.keeping { tokens($0).count + newTokens <= positions }
  }
}
