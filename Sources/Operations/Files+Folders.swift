// Folders: making, listing, measuring, and the paths between.

import Glibc

extension Files {
  /// Entries one listing may have: a run's folders hold some hundreds.
  public static let maximumEntries = 1_000_000

  public static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  public static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Bytes of a file; nil when it cannot be looked at.
  public static func byteCount(_ path: String) -> Int? {
    var status = stat()
    return stat(path, &status) == 0 ? Int(status.st_size) : nil
  }

  /// Makes a folder and those above it; one that is already there is fine.
  public static func makeFolder(_ path: String, mode: mode_t = 0o755) throws(Failure) {
    if mkdir(path, mode) == 0 { return }
    let code = errno
    if code == EEXIST, isFolder(path) { return }
    let parent = folder(of: path)
    if code == ENOENT, parent != path {
      try makeFolder(parent)
      if mkdir(path, mode) == 0 || errno == EEXIST && isFolder(path) { return }
    }
    throw .system(
      "make the folder", on: path, code: code == ENOENT ? errno : code,
      remedy: "check that the folder above can be written", exitCode: .cannotCreate)
  }

  /// Makes a folder that only its owner can enter, or checks that the one there is such: ours, of
  /// mode 0700, and no symbolic link. Whoever could write in it could pose as a peer.
  public static func makePrivateFolder(_ path: String) throws(Failure) {
    if mkdir(path, 0o700) == 0 { return }
    guard errno == EEXIST else {
      throw .system(
        "make the private folder", on: path, remedy: "check that the folder above can be written",
        exitCode: .cannotCreate)
    }
    var status = stat()
    guard lstat(path, &status) == 0 else {
      throw .system("look at the private folder", on: path, exitCode: .forbidden)
    }
    let problem: String? =
      if status.st_mode & S_IFMT != S_IFDIR {
        "it is not a folder"
      } else if status.st_uid != geteuid() {
        "it belongs to user \(status.st_uid), not to \(geteuid())"
      } else if status.st_mode & 0o777 != 0o700 {
        "its mode is 0\(String(status.st_mode & 0o777, radix: 8)), not 0700"
      } else {
        nil
      }
    guard let problem else { return }
    throw Failure(
      "use the private folder", on: path, happened: problem,
      remedy: "remove it, or find out who made it", exitCode: .forbidden)
  }

  /// Names in a folder, in order of their bytes, without "." and "..".
  public static func list(_ path: String) throws(Failure) -> [String] {
    guard let stream = opendir(path) else {
      throw .system(
        "list the folder", on: path, remedy: "check the path", exitCode: .noInput)
    }
    defer { closedir(stream) }
    var names: [String] = []
    errno = 0
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name == "." || name == ".." { continue }
      names.append(name)
      guard names.count <= maximumEntries else {
        throw Failure(
          "list the folder", on: path, happened: "it holds more than \(maximumEntries) entries",
          remedy: "check that this is the folder you meant", exitCode: .badInput)
      }
    }
    guard errno == 0 else { throw .system("list the folder", on: path) }
    return names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
  }

  /// Removes a file, or a folder with all it holds; symbolic links are removed, not followed.
  public static func remove(_ path: String) throws(Failure) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT { return }
      throw .system("remove", on: path)
    }
    let isFolder = status.st_mode & S_IFMT == S_IFDIR
    if isFolder {
      for name in try list(path) { try remove("\(path)/\(name)") }
    }
    guard (isFolder ? rmdir(path) : unlink(path)) == 0 || errno == ENOENT else {
      throw .system("remove", on: path, remedy: "check its permissions")
    }
  }

  /// Bytes this user may still write on the disk that holds `path`.
  public static func freeBytes(at path: String) throws(Failure) -> Int {
    var status = statvfs()
    guard statvfs(path, &status) == 0 else {
      throw .system("ask the free space of", on: path, exitCode: .noInput)
    }
    return Int(status.f_bavail) * Int(status.f_frsize)
  }

  /// The absolute path without links or dots; the path must exist.
  public static func realPath(_ path: String) throws(Failure) -> String {
    guard let real = realpath(path, nil) else {
      throw .system("find", on: path, remedy: "check the path", exitCode: .noInput)
    }
    defer { free(real) }
    return String(cString: real)
  }

  /// The folder that holds a path: "." for a bare name.
  public static func folder(of path: String) -> String {
    let trimmed = trimmingSlashes(path)
    guard let slash = trimmed.lastIndex(of: "/") else { return "." }
    return slash == trimmed.startIndex ? "/" : trimmingSlashes(String(trimmed[..<slash]))
  }

  /// The last part of a path.
  public static func name(of path: String) -> String {
    let trimmed = trimmingSlashes(path)
    guard let slash = trimmed.lastIndex(of: "/"), trimmed != "/" else { return trimmed }
    return String(trimmed[trimmed.index(after: slash)...])
  }

  private static func trimmingSlashes(_ path: String) -> String {
    var path = path
    while path.utf8.count > 1, path.hasSuffix("/") { path.removeLast() }
    return path
  }
}
