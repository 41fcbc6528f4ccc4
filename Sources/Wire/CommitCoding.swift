// A step commit: its head in the control frame, what training saw of each trajectory as columns in
// one safetensors frame, because a step may train thousands and JSON would take a hundred bytes
// each.
//
//     ticket I64, advantage, ratio_least, ratio_mean, ratio_greatest, kl, clipped_share,
//     entropy F32, sample I32, is_trained U8: all [n]; no frame when n is 0

import Documents
import Experience
import Safetensors

extension StepCommit {
  var members: [(String, Document)] {
    precondition(
      trajectories.count <= WireLimits.maximumTrajectories,
      "\(trajectories.count) trajectories, at most \(WireLimits.maximumTrajectories)")
    return [
      ("step", .integer(step)), ("epoch", .integer(epoch)),
      ("outcome", .string(outcome.rawValue)),
      ("tickets", .list(tickets, atMost: WireLimits.maximumPayloadFrames, Document.integer)),
      ("reused", .list(reused, atMost: WireLimits.maximumPayloadFrames, Document.integer)),
      ("version", .version(version)), ("stateDigest", .digest(stateDigest)),
    ] + optional("checkpoint", checkpoint.map(Document.string))
      + optional("curriculum", curriculum.map(\.document))
      + [("trajectories", .integer(trajectories.count))]
  }

  /// The head; `takeTrajectories` adds the columns.
  init(reading body: Fields, trajectoryCount: inout Int) throws(DocumentError) {
    self.init(
      step: try body.versionNumber("step"), epoch: try body.count("epoch"),
      outcome: try body.choice("outcome"),
      tickets: try body.integers(
        "tickets", maximumCount: WireLimits.maximumPayloadFrames, in: 0...WireLimits.maximumNumber),
      reused: try body.integers(
        "reused", default: [], maximumCount: WireLimits.maximumPayloadFrames,
        in: 0...WireLimits.maximumNumber),
      version: try body.version("version"), stateDigest: try body.digest("stateDigest"),
      checkpoint: body.has("checkpoint") ? try body.name("checkpoint") : nil,
      curriculum: body.has("curriculum")
        ? try CurriculumState(reading: body.section("curriculum")) : nil, trajectories: [])
    trajectoryCount = try body.integer("trajectories", in: 0...WireLimits.maximumTrajectories)
  }

  var ownFrames: [[UInt8]] {
    trajectories.isEmpty ? [] : [TrainedTrajectory.columns(of: trajectories)]
  }

  mutating func takeTrajectories(count: Int, from frames: inout [[UInt8]]) throws(Refusal) {
    guard count > 0 else { return }
    guard !frames.isEmpty else {
      throw Refusal(.malformed, "commit of \(count) trajectories without their payload frame")
    }
    trajectories = try TrainedTrajectory.read(columns: frames.removeFirst(), count: count)
  }
}

extension TrainedTrajectory {
  private static let floatColumns: [(name: String, path: WritableKeyPath<Self, Float> & Sendable)] =
    [
      ("advantage", \.advantage), ("ratio_least", \.ratioLeast), ("ratio_mean", \.ratioMean),
      ("ratio_greatest", \.ratioGreatest), ("kl", \.kl), ("clipped_share", \.clippedShare),
      ("entropy", \.entropy),
    ]

  static func columns(of rows: [Self]) -> [UInt8] {
    let shape = [rows.count]
    let tickets = rows.map { Int64($0.ticket) }
    var tensors = [
      NamedTensor(
        name: "ticket", type: .i64, shape: shape, bytes: tickets.withUnsafeBytes(Array.init))
    ]
    for (name, path) in floatColumns {
      tensors.append(NamedTensor(name: name, shape: shape, floats: rows.map { $0[keyPath: path] }))
    }
    tensors.append(
      NamedTensor(name: "sample", shape: shape, integers: rows.map { Int32($0.sample) }))
    tensors.append(
      NamedTensor(
        name: "is_trained", type: .u8, shape: shape, bytes: rows.map { $0.isTrained ? 1 : 0 }))
    return SafetensorsBlob(tensors: tensors).serialized()
  }

  static func read(columns bytes: [UInt8], count: Int) throws(Refusal) -> [Self] {
    let columns = try Columns(bytes, of: "trajectories")
    let tickets = try columns.wideIntegers("ticket", count: count)
    let samples = try columns.integers("sample", count: count)
    let trained = try columns.flags("is_trained", count: count)
    var rows: [Self] = []
    rows.reserveCapacity(count)
    for index in 0..<count {
      guard (0...Int64(WireLimits.maximumNumber)).contains(tickets[index]), samples[index] >= 0
      else {
        throw Refusal(
          .malformed, "trajectory \(index): ticket \(tickets[index]), sample \(samples[index])")
      }
      rows.append(
        Self(
          ticket: Int(tickets[index]), sample: Int(samples[index]), isTrained: trained[index],
          advantage: 0, ratioLeast: 0, ratioMean: 0, ratioGreatest: 0, kl: 0, clippedShare: 0,
          entropy: 0))
    }
    for (name, path) in floatColumns {
      let values = try columns.floats(name, count: count)
      for index in 0..<count { rows[index][keyPath: path] = values[index] }
    }
    try columns.finish()
    return rows
  }
}
