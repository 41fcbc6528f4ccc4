// Two fingerprints and what tells them apart.

import Experience
import Testing

@Suite struct FingerprintTests {
  let recorded = Fingerprint([
    .init("numbers", "f32/a"), .init("libm", "1"), .init("processor", "one"),
  ])

  @Test func `equal ones do not differ`() {
    #expect(recorded.differences(from: recorded).isEmpty)
  }

  @Test func `each part that differs is named with both values, missing ones too`() {
    let here = Fingerprint([
      .init("numbers", "f32/b"), .init("processor", "two"), .init("libc", "3"),
    ])
    let differences = here.differences(from: recorded)
    #expect(
      differences.map(\.description) == [
        "numbers: recorded f32/a, here f32/b", "libm: recorded 1, here nothing",
        "processor: recorded one, here two", "libc: recorded nothing, here 3",
      ])
    #expect(differences.filter { !$0.matters }.map(\.name) == ["processor"])
  }
}
