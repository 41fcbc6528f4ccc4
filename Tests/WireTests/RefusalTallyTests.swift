import Documents
import Testing
import Wire

@Suite struct RefusalTallyTests {
  @Test func `refusals are counted by code and by name, the most refused first`() {
    var tally = RefusalTally()
    for _ in 0..<3 { tally.count(.malformed, of: "10.0.0.5") }
    tally.count(.busy, of: "actor-0")
    tally.count(.invalid, of: "10.0.0.5")
    tally.count(.corrupt, of: "actor-1")
    #expect(tally.codes == [.malformed: 3, .busy: 1, .invalid: 1, .corrupt: 1])
    #expect(tally.names["10.0.0.5"] == [.malformed: 3, .invalid: 1])
    // A full queue is nobody's fault, and takes nobody's place among the names.
    #expect(tally.faults == 5)
    #expect(tally.document["malformed"] == .integer(3))
    #expect(
      tally.nameDocuments.map { $0["name"] }
        == [.string("10.0.0.5"), .string("actor-1")])
    #expect(tally.nameDocuments[0]["codes"]?["invalid"] == .integer(1))
  }

  @Test func `whoever takes a new name for each request fills no memory`() {
    var tally = RefusalTally()
    for number in 0..<1000 { tally.count(.malformed, of: "name \(number)") }
    tally.count(.malformed, of: "name 0")
    #expect(tally.names.count == RefusalTally.maximumNames + 1)
    #expect(tally.names["name 0"] == [.malformed: 2])
    #expect(
      tally.names[RefusalTally.others] == [.malformed: 1000 - RefusalTally.maximumNames])
    #expect(tally.codes == [.malformed: 1001])
  }
}
