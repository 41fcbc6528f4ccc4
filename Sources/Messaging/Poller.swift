// Waits on several sockets and file descriptors at once: what a socket thread's loop sleeps in.

import CZeroMQ
import Glibc

/// What a socket or descriptor is, or should be, ready for.
public struct Readiness: OptionSet, Sendable {
  public let rawValue: Int16

  public init(rawValue: Int16) { self.rawValue = rawValue }

  public static let readable = Readiness(rawValue: Int16(ZMQ_POLLIN))
  public static let writable = Readiness(rawValue: Int16(ZMQ_POLLOUT))
  /// Of a file descriptor only.
  public static let failed = Readiness(rawValue: Int16(ZMQ_POLLERR))
}

/// A list of things to wait for; belongs to one thread, like its sockets.
public final class Poller {
  /// A loop's own handful; every wait walks the list.
  public static let maximumItems = 64

  private var items: [zmq_pollitem_t] = []
  private var handles: [SocketHandle?] = []

  public init() {}

  /// Returns the index that `subscript` and `setInterest` take.
  @discardableResult
  public func add(_ socket: borrowing Socket, for interest: Readiness = .readable) -> Int {
    add(socket.handle, interest)
  }

  @discardableResult
  public func add(_ monitor: SocketMonitor, for interest: Readiness = .readable) -> Int {
    add(monitor.handle, interest)
  }

  @discardableResult
  public func add(_ client: DealerClient, for interest: Readiness = .readable) -> Int {
    add(client.socket.handle, interest)
  }

  @discardableResult
  public func add(_ authenticator: Authenticator) -> Int { add(authenticator.handle, .readable) }

  /// An eventfd, a pipe, a signal descriptor.
  @discardableResult
  public func add(fileDescriptor: Int32, for interest: Readiness = .readable) -> Int {
    append(
      zmq_pollitem_t(socket: nil, fd: fileDescriptor, events: interest.rawValue, revents: 0), nil)
  }

  private func add(_ handle: SocketHandle, _ interest: Readiness) -> Int {
    append(
      zmq_pollitem_t(socket: handle.open, fd: 0, events: interest.rawValue, revents: 0), handle)
  }

  private func append(_ item: zmq_pollitem_t, _ handle: SocketHandle?) -> Int {
    precondition(
      items.count < Self.maximumItems, "\(items.count + 1) items, at most \(Self.maximumItems)")
    items.append(item)
    handles.append(handle)
    return items.count - 1
  }

  /// Waits for one of several things to be ready, or for the timeout (0 looks only, negative waits
  /// without end). Returns how many are; 0 also after a signal.
  @discardableResult
  public func wait(timeoutMilliseconds: Int) throws(MessagingError) -> Int {
    for handle in handles { _ = handle?.open }
    let count = zmq_poll(&items, Int32(items.count), timeoutMilliseconds)
    if count >= 0 { return Int(count) }
    for index in items.indices { items[index].revents = 0 }
    if zmq_errno() == EINTR { return 0 }
    throw MessagingError("wait for \(items.count) sockets", "")
  }

  /// What the item was ready for when the last wait ended.
  public subscript(index: Int) -> Readiness { Readiness(rawValue: items[index].revents) }

  public func setInterest(_ interest: Readiness, at index: Int) {
    items[index].events = interest.rawValue
  }
}
