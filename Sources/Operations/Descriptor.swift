// Descriptors and the few calls on them that may be interrupted: every open closes on exec, every
// write goes on to its end, every poll knows its deadline.

import CSystem
import Glibc

/// System calls on descriptors, with EINTR and short counts dealt with.
public enum Descriptor {
  /// Opens with O_CLOEXEC added.
  public static func open(
    _ path: String, _ flags: Int32, mode: mode_t = 0o644, tried: String = "open",
    remedy: String = ""
  ) throws(Failure) -> Int32 {
    while true {
      let descriptor = forage_open(path, flags | O_CLOEXEC, mode)
      if descriptor >= 0 { return descriptor }
      if errno == EINTR { continue }
      let code = errno
      let exitCode: ExitCode =
        switch code {
        case ENOENT where flags & O_CREAT == 0: .noInput
        case EACCES, EPERM: .forbidden
        case EIO: .storage
        default: .cannotCreate
        }
      throw .system(tried, on: path, code: code, remedy: remedy, exitCode: exitCode)
    }
  }

  /// Writes all bytes; one write(2) unless the kernel takes fewer.
  public static func writeAll(
    _ descriptor: Int32, _ bytes: [UInt8], path: String
  ) throws(Failure) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        write(descriptor, $0.baseAddress! + done, bytes.count - done)
      }
      if count > 0 {
        done += count
      } else if count == 0 || errno != EINTR {
        throw .system(
          "write \(bytes.count - done) bytes to", on: path, code: count == 0 ? ENOSPC : errno,
          remedy: "check the free space (df -h)")
      }
    }
  }

  /// Reads `count` bytes, or fewer when the file ends first.
  public static func read(
    _ descriptor: Int32, count: Int, path: String
  ) throws(Failure) -> [UInt8] {
    var failed: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, done in
      while done < count {
        let got = Glibc.read(descriptor, buffer.baseAddress! + done, count - done)
        if got > 0 {
          done += got
        } else if got == 0 {
          return
        } else if errno != EINTR {
          failed = errno
          return
        }
      }
    }
    guard failed == 0 else {
      throw .system("read", on: path, code: failed, remedy: "check the disk (dmesg)")
    }
    return bytes
  }

  /// Waits until one of the descriptors can be read or has hung up; which, empty at the deadline.
  /// A descriptor that is not open counts as ready: whoever reads it meets the error.
  public static func waitReadable(_ descriptors: [Int32], deadline: Deadline) -> [Int32] {
    var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    while true {
      let count = poll(&entries, nfds_t(entries.count), deadline.pollMilliseconds)
      if count > 0 { return entries.filter { $0.revents != 0 }.map(\.fd) }
      if count < 0 {
        precondition(errno == EINTR || errno == EAGAIN, "poll failed with errno \(errno)")
      }
      if deadline.hasPassed { return [] }
    }
  }

  /// Marks a descriptor to be closed on exec, or not to be.
  public static func setCloseOnExec(_ descriptor: Int32, _ closes: Bool = true) -> Bool {
    forage_fcntl(descriptor, F_SETFD, closes ? FD_CLOEXEC : 0) == 0
  }
}
