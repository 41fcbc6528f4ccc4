// A safetensors file written tensor by tensor: the header first, from shapes alone, then each
// tensor's bytes as they come. The file is durable, but its name is not: who creates a folder of
// files fsyncs the folder.

import Glibc

/// A new safetensors file being written. Used by one thread.
///
/// A file that was not finished lacks bytes, and no reader takes it. Closed by `finish` or
/// `deinit`.
public final class SafetensorsWriter {
  public let path: String
  private let header: SafetensorsHeader
  private var descriptor: Int32
  private var writtenCount = 0

  /// Creates the file, which must not exist, and writes its header.
  ///
  /// `{"format": "pt"}` is what `transformers` wants to see in a model's metadata. Throws when the
  /// file cannot be created or written.
  public init(
    path: String, metadata: [String: String] = ["format": "pt"], tensors: [TensorLayout]
  ) throws(SafetensorsError) {
    self.path = path
    header = SafetensorsHeader(metadata: metadata, layingOut: tensors)
    descriptor = try SystemCall.open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, doing: "create")
    try header.serialized().span.withUnsafeBytes { bytes throws(SafetensorsError) in
      try SystemCall.write(descriptor, path: path, bytes)
    }
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  /// Writes the next tensor's bytes; tensors come in the order they were declared.
  public func write(
    _ name: String, _ bytes: UnsafeRawBufferPointer
  ) throws(SafetensorsError) {
    precondition(
      writtenCount < header.tensors.count && header.tensors[writtenCount].name == name,
      "\(name) is not tensor \(writtenCount) of \(header.tensors.count)")
    let place = header.tensors[writtenCount]
    precondition(
      bytes.count == place.byteCount,
      "\(name) has \(bytes.count) bytes, its shape \(place.byteCount)")
    try SystemCall.write(descriptor, path: path, bytes)
    writtenCount += 1
  }

  public func write(_ tensor: NamedTensor) throws(SafetensorsError) {
    try tensor.bytes.span.withUnsafeBytes { bytes throws(SafetensorsError) in
      try write(tensor.name, bytes)
    }
  }

  /// Fsyncs and closes. Throws when either fails: the file must then not be used.
  public func finish() throws(SafetensorsError) {
    precondition(
      writtenCount == header.tensors.count,
      "\(writtenCount) of \(header.tensors.count) tensors were written")
    precondition(descriptor >= 0, "\(path) is finished already")
    let finished = descriptor
    descriptor = -1
    // After a failed fsync the kernel calls the pages clean: there is no second try.
    let syncFailure = fsync(finished) == 0 ? 0 : errno
    let closeFailure = close(finished) == 0 ? 0 : errno
    if syncFailure != 0 { throw SystemCall.failure("fsync", path, syncFailure) }
    if closeFailure != 0 { throw SystemCall.failure("close", path, closeFailure) }
  }
}

extension SafetensorsBlob {
  /// Writes a new file, fsynced; `path` must not exist.
  public func write(path: String) throws(SafetensorsError) {
    let writer = try SafetensorsWriter(
      path: path, metadata: metadata, tensors: tensors.map(\.layout))
    for tensor in tensors { try writer.write(tensor) }
    try writer.finish()
  }
}
