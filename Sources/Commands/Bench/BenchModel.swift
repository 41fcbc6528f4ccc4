// The model of a benchmark: a folder, or random weights of a shape. How long arithmetic takes does
// not depend on the numbers.

import Documents
import Experience
import Operations
import Policy
import Safetensors

struct BenchModel {
  let configuration: ModelConfiguration
  let threads: Int
  private let folder: ModelFolder?

  private static let shapeOptions = ["hidden", "layers", "heads", "kv-heads", "ffn", "vocabulary"]

  /// `positions` are what the work needs; a folder's model must have as many.
  init(_ arguments: Arguments, positions: Int) throws {
    threads = try arguments.threads() ?? Machine.coreCount
    guard let path = arguments.value("model") else {
      folder = nil
      configuration = try Self.shape(arguments, positions: positions)
      return
    }
    if let other = Self.shapeOptions.first(where: { arguments.value($0) != nil }) {
      throw ArgumentError(
        program: arguments.usage.program,
        fact: .unexpectedPositional("--\(other), besides --model,"))
    }
    guard Files.isFolder(path) else {
      throw Failure(
        "open the model", on: path, happened: "there is no such folder",
        remedy: "name a Hugging Face folder, or give a shape instead", exitCode: .noInput)
    }
    let opened = try ModelFolder(path: path)
    guard positions <= opened.configuration.maximumPositions else {
      throw Failure(
        "measure", on: path,
        happened: "--prompt and --new need \(positions) positions, and the model has "
          + "\(opened.configuration.maximumPositions)",
        remedy: "lower one of them", exitCode: .usage)
    }
    folder = opened
    configuration = opened.configuration
  }

  private static func shape(
    _ arguments: Arguments, positions: Int
  ) throws(ArgumentError) -> ModelConfiguration {
    let hidden = try arguments.integer("hidden", in: 8...65_536) ?? 128
    let heads = try arguments.integer("heads", in: 1...1024) ?? 4
    let keyValueHeads = try arguments.integer("kv-heads", in: 1...1024) ?? heads
    guard hidden % heads == 0, hidden / heads % 2 == 0 else {
      throw arguments.bad(
        "heads", "\(heads)", "a number that divides --hidden \(hidden) into heads of an even size")
    }
    guard heads % keyValueHeads == 0 else {
      throw arguments.bad("kv-heads", "\(keyValueHeads)", "a divisor of --heads \(heads)")
    }
    return ModelConfiguration(
      vocabularySize: try arguments.integer("vocabulary", in: 2...1_048_576) ?? 64,
      hiddenSize: hidden,
      feedForwardSize: try arguments.integer("ffn", in: 8...262_144) ?? 384,
      layers: try arguments.integer("layers", in: 1...1024) ?? 4, heads: heads,
      keyValueHeads: keyValueHeads, maximumPositions: max(positions, 64))
  }

  /// The model, unless `copies` of its weights in Float32 are more than the memory that is free.
  func load(copies: Int) throws -> CPUTransformer {
    let bytes = 4 * copies * configuration.parameterCount
    let free = Machine.availableMemoryBytes
    guard bytes < free else {
      throw Failure(
        "make a model of", on: "\(configuration.parameterCount) parameters",
        happened:
          "\(copies) copies of them take \(bytes >> 20) MiB, and \(free >> 20) MiB are free",
        remedy: "choose a smaller shape", exitCode: .unavailable)
    }
    BenchProgress.say(
      "a model of \(BenchNumber.text(Double(configuration.parameterCount))) parameters, "
        + "\(threads) threads")
    let policy = CPUTransformer(configuration: configuration, threads: threads)
    if let folder { try folder.load(into: policy) } else { policy.initialize(seed: 1) }
    return policy
  }

  var settings: [(String, Document)] {
    [
      ("parameters", .integer(configuration.parameterCount)),
      ("hidden", .integer(configuration.hiddenSize)), ("layers", .integer(configuration.layers)),
      ("heads", .integer(configuration.heads)),
      ("kv_heads", .integer(configuration.keyValueHeads)),
      ("ffn", .integer(configuration.feedForwardSize)),
      ("vocabulary", .integer(configuration.vocabularySize)), ("threads", .integer(threads)),
    ]
  }

  /// `count` token ids, others for each `row`.
  func tokens(_ count: Int, row: Int) -> [Int32] {
    MadeGroups.tokens(count, row: row, vocabulary: configuration.vocabularySize)
  }
}
