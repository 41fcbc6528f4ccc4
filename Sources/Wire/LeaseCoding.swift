// The lease of a batch and the reports that ride with it.

import Documents
import Experience

extension BatchLease {
  var members: [(String, Document)] {
    let reports = WireLimits.maximumReports
    return [
      ("step", .integer(step)), ("epoch", .integer(epoch)),
      ("tickets", .list(tickets, atMost: WireLimits.maximumPayloadFrames, Document.integer)),
      ("reused", .list(reused, atMost: WireLimits.maximumPayloadFrames, Document.integer)),
      ("evaluations", .list(evaluations, atMost: reports) { .object($0.members) }),
      ("pinnedVersions", .list(pinnedVersions, atMost: reports, Document.integer)),
      ("dropped", .list(dropped, atMost: reports) { .object($0.members) }),
      ("readyGroups", .integer(readyGroups)), ("reusableGroups", .integer(reusableGroups)),
      ("waitMeanMilliseconds", .integer(waitMeanMilliseconds)),
      ("waitMaxMilliseconds", .integer(waitMaxMilliseconds)),
      ("actors", .list(actors, atMost: WireLimits.maximumActors) { .object($0.members) }),
    ]
  }

  init(reading body: Fields) throws(DocumentError) {
    let reports = WireLimits.maximumReports
    self.init(
      step: try body.versionNumber("step"), epoch: try body.count("epoch"),
      tickets: try body.integers(
        "tickets", maximumCount: WireLimits.maximumPayloadFrames, in: 0...WireLimits.maximumNumber),
      reused: try body.integers(
        "reused", default: [], maximumCount: WireLimits.maximumPayloadFrames,
        in: 0...WireLimits.maximumNumber),
      evaluations: try body.list("evaluations", maximumCount: reports) {
        (fields) throws(DocumentError) in try EvaluationSummary(reading: fields)
      },
      pinnedVersions: try body.integers(
        "pinnedVersions", default: [], maximumCount: reports, in: 0...WireLimits.maximumVersion),
      dropped: try body.list("dropped", maximumCount: reports) {
        (fields) throws(DocumentError) in try DropCount(reading: fields)
      },
      readyGroups: try body.count("readyGroups"),
      reusableGroups: body.has("reusableGroups") ? try body.count("reusableGroups") : 0,
      waitMeanMilliseconds: try body.count("waitMeanMilliseconds"),
      waitMaxMilliseconds: try body.count("waitMaxMilliseconds"),
      actors: try body.list("actors", maximumCount: WireLimits.maximumActors) {
        (fields) throws(DocumentError) in try ActorShare(reading: fields)
      })
  }
}

extension DropCount {
  fileprivate var members: [(String, Document)] {
    [("reason", .string(reason)), ("groups", .integer(groups)), ("tokens", .integer(tokens))]
  }

  fileprivate init(reading fields: Fields) throws(DocumentError) {
    self.init(
      reason: try fields.name("reason"), groups: try fields.count("groups"),
      tokens: try fields.count("tokens"))
  }
}

extension ActorShare {
  fileprivate var members: [(String, Document)] {
    [
      ("name", .string(name)), ("tokensSampled", .integer(tokensSampled)),
      ("idleMilliseconds", .integer(idleMilliseconds)), ("bytesReceived", .integer(bytesReceived)),
    ]
  }

  fileprivate init(reading fields: Fields) throws(DocumentError) {
    self.init(
      name: try fields.name("name"), tokensSampled: try fields.count("tokensSampled"),
      idleMilliseconds: try fields.count("idleMilliseconds"),
      bytesReceived: try fields.count("bytesReceived"))
  }
}

extension EvaluationSummary {
  fileprivate var members: [(String, Document)] {
    [
      ("version", .integer(version)), ("prompts", .integer(prompts)),
      ("samples", .integer(samples)), ("reward", .number(reward)), ("strict", .number(strict)),
      ("strictInterval", .number(strictInterval)), ("lenient", .number(lenient)),
      ("completed", .number(completed)), ("invalid", .integer(invalid)),
      ("passAtK", .number(passAtK)), ("meanLength", .number(meanLength)),
    ]
  }

  fileprivate init(reading fields: Fields) throws(DocumentError) {
    self.init(
      version: try fields.versionNumber("version"), prompts: try fields.count("prompts"),
      samples: try fields.count("samples"), reward: try fields.mean("reward"),
      strict: try fields.mean("strict"), strictInterval: try fields.mean("strictInterval"),
      lenient: try fields.mean("lenient"), completed: try fields.mean("completed"),
      invalid: try fields.count("invalid"),
      passAtK: try fields.mean("passAtK"), meanLength: try fields.mean("meanLength"))
  }
}

extension Fields {
  /// Null where there was nothing to take a mean of: JSON has no NaN.
  fileprivate func mean(_ key: String) throws(DocumentError) -> Double {
    let greatest = Double.greatestFiniteMagnitude
    return has(key) ? try number(key, in: -greatest...greatest) : .nan
  }
}
