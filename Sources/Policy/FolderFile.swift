// The small files of a model folder: read whole under a limit, written whole and durable.

import Glibc

/// One file of a model folder.
struct FolderFile {
  let path: String

  init(_ folder: String, _ name: String) {
    path = folder.hasSuffix("/") ? folder + name : folder + "/" + name
  }

  var exists: Bool { access(path, F_OK) == 0 }

  /// The file's bytes; throws when there are more than `maximumByteCount`.
  func read(maximumByteCount: Int) throws(ModelFolderError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw failure("open", errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure("stat", errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ModelFolderError(path: path, problem: "not a regular file")
    }
    let size = Int(status.st_size)
    guard size <= maximumByteCount else {
      throw ModelFolderError(
        path: path, problem: "\(size) bytes, expected at most \(maximumByteCount)")
    }
    var bytes = [UInt8](repeating: 0, count: size)
    var done = 0
    while done < size {
      let count = bytes.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress! + done, size - done)
      }
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw failure("read", errno) }
      guard count > 0 else {
        throw ModelFolderError(path: path, problem: "ended at byte \(done) of \(size)")
      }
      done += count
    }
    return bytes
  }

  /// Creates the file, writes it and fsyncs it; it must not exist.
  func write(_ bytes: [UInt8]) throws(ModelFolderError) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failure("create", errno) }
    defer { close(descriptor) }
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure("write", count < 0 ? errno : EIO) }
      done += count
    }
    guard fsync(descriptor) == 0 else { throw failure("fsync", errno) }
  }

  /// Makes the names in a folder durable, as fsyncing its files does not.
  static func syncFolder(_ folder: String) throws(ModelFolderError) {
    let file = FolderFile(folder, "")
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw file.failure("open", errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw file.failure("fsync", errno) }
  }

  private func failure(_ what: String, _ number: Int32) -> ModelFolderError {
    let hint =
      switch number {
      case ENOENT: "; check the path"
      case EEXIST: "; a model folder is written once, choose an empty one"
      case EACCES, EPERM: "; check the permissions"
      case ENOSPC, EDQUOT: "; free some space"
      default: ""
      }
    let said = String(cString: strerror(number))
    return ModelFolderError(
      path: path, problem: "\(what) failed: \(said) (errno \(number))\(hint)", number: number)
  }
}
