// What is said in a chat: a noun of models, which lay chats out as tokens, and of tasks, whose
// lines may be chats.

/// One message of a chat.
public struct ChatMessage: Equatable, Sendable {
  public static let roles = ["system", "user", "assistant"]
  public static let maximumCount = 1024

  /// "system", "user" or "assistant".
  public var role: String
  public var content: String

  public init(role: String, content: String) {
    self.role = role
    self.content = content
  }

  /// Why these are no chat that can be laid out; nil where they are one.
  public static func problem(of messages: [ChatMessage]) -> String? {
    if messages.isEmpty { return "there are no messages" }
    for (index, message) in messages.enumerated() {
      if !roles.contains(message.role) {
        return "role \(message.role) is none of \(roles.joined(separator: ", "))"
      }
      if message.role == "system", index > 0 { return "a system message stands first or nowhere" }
    }
    return nil
  }
}
