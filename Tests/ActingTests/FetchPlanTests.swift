// What is fetched, in which order, and for whom.

import Acting
import Digests
import Experience
import Testing
import Wire

struct FetchPlanTests {
  var server = MemoryServer()
  var fetcher = FetcherTests.fetcher()
  var plan: FetchPlan
  let file = [UInt8]("{}".utf8)

  init() {
    let digest = Digest(of: file)
    server.blobs[digest] = file
    plan = FetchPlan(lineage: "l", files: [NamedDigest(name: "config.json", digest: digest)])
  }

  /// One fetch, from its beginning to what it means; nil when nothing is to be fetched.
  mutating func step() -> FetchPlan.Result? {
    plan.begin(&fetcher, now: 0)
    guard fetcher.goal != nil,
      let outcome = FetcherTests.run(&fetcher, server, to: 10_000).outcome
    else { return nil }
    return plan.finish(outcome)
  }

  static func version(_ number: Int, lineage: String = "l") -> PolicyVersion {
    PolicyVersion(lineage: lineage, number: number, digest: Digest(of: [1]))
  }

  mutating func fetched(_ number: Int) -> FetchedSnapshot {
    let bytes = patternBytes(10 + number)
    return FetchedSnapshot(snapshot: server.publish(number, bytes), bytes: bytes)
  }

  @Test mutating func `files come before weights, and weights heard of come ahead of need`() {
    let first = fetched(0)
    plan.hear(of: Self.version(0))
    #expect(plan.isWaitedFor)
    #expect(step() == .files(["config.json": file]))
    #expect(!plan.isWaitedFor)
    #expect(step() == .offered(first))
    #expect(step() == nil)
  }

  @Test mutating func `what is waited for is not fetched twice when it was underway`() {
    _ = step()
    let first = fetched(3)
    plan.hear(of: Self.version(3))
    plan.begin(&fetcher, now: 0)
    plan.want(FetchPlan.Demand(version: 3, isExact: false))
    #expect(step() == .demanded(first))
    #expect(step() == nil)
  }

  @Test mutating func `versions between are skipped`() {
    _ = step()
    _ = fetched(1)
    plan.hear(of: Self.version(1))
    plan.hear(of: Self.version(2))
    _ = fetched(2)
    let newest = fetched(3)
    plan.hear(of: Self.version(3))
    #expect(step() == .offered(newest))
    #expect(step() == nil)
  }

  @Test mutating func `an exact version is fetched even beside a newer one underway`() {
    _ = step()
    let old = fetched(3)
    let newer = fetched(4)
    plan.hear(of: Self.version(4))
    plan.begin(&fetcher, now: 0)
    plan.want(FetchPlan.Demand(version: 3, isExact: true))
    #expect(step() == .offered(newer))
    #expect(step() == .demanded(old))
  }

  @Test mutating func `an exact version that is gone is said to be`() {
    _ = step()
    _ = fetched(4)
    plan.want(FetchPlan.Demand(version: 3, isExact: true))
    #expect(step() == .gone(version: 3, sentence: "the newest is 4"))
    #expect(!plan.isWaitedFor)
  }

  @Test mutating func `another lineage's news and news of what is not there yet start no storm`() {
    _ = step()
    plan.hear(of: Self.version(9, lineage: "other"))
    #expect(step() == nil)
    let old = fetched(1)
    plan.hear(of: Self.version(2))
    #expect(step() == .offered(old))
    #expect(step() == nil)
    let newer = fetched(2)
    plan.hear(of: Self.version(2))
    #expect(step() == .offered(newer))
  }
}
