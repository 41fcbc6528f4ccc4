// What protects a socket: nothing, where nobody else can reach it, or CURVE.

/// The keys one end of a connection needs: its own pair, and whom it expects to answer.
public struct ClientKeys: Sendable {
  public let name: String
  public let role: KeyRole
  public let pair: KeyPair
  public let server: PublicKey

  public init(name: String, role: KeyRole, pair: KeyPair, server: PublicKey) {
    self.name = name
    self.role = role
    self.pair = pair
    self.server = server
  }

  /// What a key file holds, which must be one of a client with the role it is used in.
  public init(_ file: KeyFile, source: String, as role: KeyRole) throws(MessagingError) {
    guard file.role == role else {
      throw KeyText.fault(
        source, .content,
        "it is the key of \(file.name), whose role is \(file.role.rawValue); "
          + "\(role.rawValue) is needed here",
        "name another file, or make one: forage keys make NAME --role \(role.rawValue)")
    }
    guard let secret = file.secretKey else {
      throw KeyText.fault(
        source, .content, "it holds no secret, so it can only be allowed, not used",
        "name the file that ends in .key")
    }
    guard let server = file.server else {
      throw KeyText.fault(
        source, .content, "it does not say whose server it is for",
        "add the line of the head's server.pub: server: 40-CHARACTERS")
    }
    self.init(
      name: file.name, role: file.role,
      pair: KeyPair(publicKey: file.publicKey, secretKey: secret), server: server)
  }

  public static func load(_ path: String, as role: KeyRole) throws(MessagingError) -> ClientKeys {
    try ClientKeys(try KeyFile.load(path), source: path, as: role)
  }
}

/// What protects a socket.
public enum SocketSecurity {
  /// Nothing: so a bind is refused wherever another host could reach it.
  case none
  /// Nothing, and binds to routable addresses too: whoever reaches the port can read and write the
  /// run. The settings name this risk where they offer it.
  case noneOnAnyNetwork
  /// CURVE, the side that binds. That there is an authenticator is part of the type: without one
  /// libzmq would let any key in.
  case server(Authenticator)
  /// CURVE, the side that connects.
  case client(ClientKeys)

  /// Of a client that may have keys.
  public init(_ keys: ClientKeys?) { self = keys.map { .client($0) } ?? .none }

  /// The one at the door; nil where there are no keys.
  public var authenticator: Authenticator? {
    if case .server(let authenticator) = self { authenticator } else { nil }
  }

  var isBare: Bool { if case .none = self { true } else { false } }
}

/// The same before there is a thread and a context to have an authenticator on.
public enum Protection: Sendable, Equatable {
  case none
  case noneOnAnyNetwork
  case keys(KeyFolder)

  /// As settings say it: a folder of keys, "" for none.
  public init(keys folder: String, allowsUnauthenticated: Bool) {
    self =
      if !folder.isEmpty {
        .keys(KeyFolder(folder))
      } else {
        allowsUnauthenticated ? .noneOnAnyNetwork : .none
      }
  }

  /// Starts the authenticator where there are keys; `roles` may come in.
  public func security(
    in context: MessagingContext, admitting roles: Set<KeyRole>
  ) throws(MessagingError) -> SocketSecurity {
    switch self {
    case .none: .none
    case .noneOnAnyNetwork: .noneOnAnyNetwork
    case .keys(let folder): .server(try Authenticator(folder, admitting: roles, in: context))
    }
  }
}
