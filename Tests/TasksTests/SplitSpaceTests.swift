import Tasks
import Testing

@Suite struct SplitSpaceTests {
  @Test(arguments: [4, 5, 16, 17, 55, 4095, 4096, 4097])
  func `the splits are a partition of the space`(count: Int) {
    let space = SplitSpace(count: count, seed: 3, heldOutShare: 0.2, validationShare: 0.05)
    var seen: Set<Int> = []
    for split in Split.allCases {
      #expect(space.size(of: split) >= 1)
      for position in 0..<space.size(of: split) {
        let member = space.member(of: split, at: position)
        #expect(member >= 0 && member < count)
        #expect(space.split(of: member) == split)
        seen.insert(member)
      }
    }
    #expect(seen.count == count)
  }

  @Test func `a space too large to list is split as exactly`() {
    let count = 900_000_000 * 900_000_001 / 2
    let space = SplitSpace(count: count, seed: 3, heldOutShare: 0.2, validationShare: 0.05)
    for split in Split.allCases {
      for position in 0..<100 {
        let member = space.member(of: split, at: position)
        #expect(member < count && space.split(of: member) == split)
      }
    }
  }

  @Test func `what is held out is spread over the space`() {
    let space = SplitSpace(count: 4000, seed: 1, heldOutShare: 0.25, validationShare: 0.05)
    for tenth in 0..<10 {
      let heldOut = (tenth * 400..<tenth * 400 + 400).count { space.split(of: $0) == .heldOut }
      // 100 of 400 with a deviation of 8.2 (drawn without putting back): five of them.
      #expect(abs(heldOut - 100) < 42)
    }
  }
}
