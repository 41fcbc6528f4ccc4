import Foundation
import Safetensors
import Testing

private let tensors = [
  NamedTensor(name: "b", shape: [3, 2], floats: [1, 2, 3, 4, 5, 6]),
  NamedTensor(name: "a", shape: [5], roundingToBF16: [0.1, 0.2, 0.3, 0.4, 0.5]),
  NamedTensor(name: "none", shape: [0], floats: []),
]

@Suite struct FileTests {
  @Test func `a file written tensor by tensor has the bytes of the blob`() throws {
    try withTemporaryPath { path in
      let writer = try SafetensorsWriter(path: path, tensors: tensors.map(\.layout))
      for tensor in tensors { try writer.write(tensor) }
      try writer.finish()
      let blob = SafetensorsBlob(metadata: ["format": "pt"], tensors: tensors)
      #expect(Array(try Data(contentsOf: URL(filePath: path))) == blob.serialized())
      #expect(try SafetensorsBlob(path: path) == blob)
    }
  }

  @Test func `a tensor is read straight into the caller's memory`() throws {
    try withTemporaryPath { path in
      try SafetensorsBlob(tensors: tensors).write(path: path)
      let reader = try SafetensorsReader(path: path)
      #expect(reader.tensors.map(\.name) == ["b", "a", "none"])
      let place = try #require(reader["b"])
      var floats = [Float](repeating: 0, count: 6)
      try floats.withUnsafeMutableBytes { try reader.read(place, into: $0) }
      #expect(floats == [1, 2, 3, 4, 5, 6])
      #expect(try reader.tensor("a") == tensors[1])
      let error = #expect(throws: SafetensorsError.self) { try reader.tensor("c") }
      #expect(error?.description == "\(path): there is no tensor named c")
    }
  }

  @Test func `an unfinished file is refused by the reader`() throws {
    try withTemporaryPath { path in
      let writer = try SafetensorsWriter(path: path, tensors: tensors.map(\.layout))
      try writer.write(tensors[0])
      let error = #expect(throws: SafetensorsError.self) { try SafetensorsReader(path: path) }
      #expect(error?.problem.contains("truncated") == true)
    }
  }

  @Test func `a file that shrinks under its reader is an error`() throws {
    try withTemporaryPath { path in
      try SafetensorsBlob(tensors: tensors).write(path: path)
      let reader = try SafetensorsReader(path: path)
      truncate(path, 100)
      let error = #expect(throws: SafetensorsError.self) { try reader.tensor("a") }
      #expect(error?.problem.contains("ended at byte") == true)
    }
  }

  @Test func `no file is overwritten`() throws {
    try withTemporaryPath { path in
      try SafetensorsBlob(tensors: tensors).write(path: path)
      let error = #expect(throws: SafetensorsError.self) {
        try SafetensorsBlob(tensors: []).write(path: path)
      }
      #expect(error?.problem.contains("create failed: File exists (errno 17)") == true)
      #expect(try SafetensorsBlob(path: path).tensors == tensors)
    }
  }

  @Test(arguments: ["/nowhere/at/all", "/", "/dev/null"])
  func `what is no regular file is refused`(_ path: String) {
    let error = #expect(throws: SafetensorsError.self) { try SafetensorsReader(path: path) }
    #expect(error?.source == path)
  }
}
