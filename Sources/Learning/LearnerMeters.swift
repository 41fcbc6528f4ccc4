// What the learner says to a scraper after each step: the numbers of the step's own line.

import Documents
import Operations

enum LearnerMeters {
  static let steps = Meter(
    "forage_learner_steps_total", .counter, "Steps this process took, by their outcome.",
    labels: ["outcome"])
  static let metric = Meter(
    "forage_step_metric", .gauge, "A number of the newest step, by its key in metrics.jsonl.",
    labels: ["key"])
  static let served = Meter(
    "forage_learner_served_bytes_total", .counter, "Bytes of weights sent to actors.")
  static let refusals = Meter(
    "forage_learner_refusals_total", .counter, "Requests for weights answered with a refusal.",
    labels: ["code"])
}

extension Meters {
  func tell(step document: Document, _ server: WeightServer.Counters) {
    guard case .object(let members) = document.value else { return }
    for member in members {
      switch member.value.value {
      case .integer(let number):
        set(LearnerMeters.metric, Double(number), labels: [member.key])
      case .number(let number): set(LearnerMeters.metric, number, labels: [member.key])
      case .string(let text) where member.key == "outcome":
        add(LearnerMeters.steps, labels: [text])
      default: continue
      }
    }
    set(LearnerMeters.served, Double(server.bytesServed))
    for (code, count) in server.refused.codes {
      set(LearnerMeters.refusals, Double(count), labels: [code.rawValue])
    }
  }
}
