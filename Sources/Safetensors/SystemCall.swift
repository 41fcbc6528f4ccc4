// The one place where this room calls the kernel: interrupted calls are repeated, short ones
// continued, failed ones become errors that name the file.

import Glibc

enum SystemCall {
  /// What one read or write moves at most; Linux itself stops short of 2 GiB.
  private static let longestTransferBytes = 1 << 30

  static func open(
    _ path: String, _ flags: Int32, doing what: String
  ) throws(SafetensorsError) -> Int32 {
    while true {
      let descriptor = Glibc.open(path, flags, 0o644)
      if descriptor >= 0 { return descriptor }
      if errno != EINTR { throw failure(what, path, errno) }
    }
  }

  /// Bytes of a regular file; throws for anything else.
  static func size(_ descriptor: Int32, path: String) throws(SafetensorsError) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure("stat", path, errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw SafetensorsError(source: path, problem: "not a regular file")
    }
    return Int(status.st_size)
  }

  static func read(
    _ descriptor: Int32, path: String, at offset: Int,
    into destination: UnsafeMutableRawBufferPointer
  ) throws(SafetensorsError) {
    var done = 0
    while done < destination.count {
      let rest = UnsafeMutableRawBufferPointer(rebasing: destination[done...])
      let count = pread(
        descriptor, rest.baseAddress, min(rest.count, longestTransferBytes), off_t(offset + done))
      if count < 0, errno == EINTR { continue }
      if count < 0 { throw failure("read", path, errno) }
      guard count > 0 else {
        throw SafetensorsError(
          source: path, problem: "ended at byte \(offset + done) while it was read; who changes it?"
        )
      }
      done += count
    }
  }

  static func write(
    _ descriptor: Int32, path: String, _ bytes: UnsafeRawBufferPointer
  ) throws(SafetensorsError) {
    var done = 0
    while done < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let count = Glibc.write(descriptor, rest.baseAddress, min(rest.count, longestTransferBytes))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure("write", path, count < 0 ? errno : EIO) }
      done += count
    }
  }

  static func failure(_ what: String, _ path: String, _ number: Int32) -> SafetensorsError {
    let hint =
      switch number {
      case ENOENT: "; check the path"
      case EEXIST: "; files are not overwritten, choose another name"
      case EACCES, EPERM: "; check the permissions"
      case ENOSPC, EDQUOT: "; free some space"
      default: ""
      }
    let said = String(cString: strerror(number))
    return SafetensorsError(
      source: path, problem: "\(what) failed: \(said) (errno \(number))\(hint)", number: number)
  }
}
