import Safetensors
import Testing

@Suite struct NumberTests {
  @Test func `each F16 is the Float that Swift's own Float16 is`() {
    for bits in UInt16.min...UInt16.max {
      let ours = HalfPrecision.float(f16: bits)
      let theirs = Float(Float16(bitPattern: bits))
      // NaNs agree that they are; Float16 quiets, the bits here keep their payload.
      if theirs.isNaN { #expect(ours.isNaN) } else { #expect(ours.bitPattern == theirs.bitPattern) }
    }
  }

  @Test func `each BF16 survives the way to Float and back`() {
    for bits in UInt16.min...UInt16.max {
      let float = HalfPrecision.float(bf16: bits)
      let back = HalfPrecision.bf16(float)
      if float.isNaN {
        #expect(HalfPrecision.float(bf16: back).isNaN)
      } else {
        #expect(back == bits)
      }
    }
  }

  @Test func `rounding to BF16 takes the nearer neighbor, and the even one of two`() {
    var numbers = SeededNumbers(state: 7)
    for _ in 0..<20_000 {
      let number = Float(bitPattern: UInt32(truncatingIfNeeded: numbers.next()))
      guard number.isFinite, abs(number) < 0x1.FEp127 else { continue }
      let below = UInt16(number.bitPattern >> 16)
      // Distances in Double are exact: neighbors differ from the number by at most 16 bits.
      let down = abs(Double(number) - Double(HalfPrecision.float(bf16: below)))
      let up = abs(Double(number) - Double(HalfPrecision.float(bf16: below + 1)))
      let nearest = down < up || (down == up && below % 2 == 0) ? below : below + 1
      #expect(HalfPrecision.bf16(number) == nearest)
    }
    #expect(HalfPrecision.bf16(Float(bitPattern: 0x3F80_8000)) == 0x3F80)
    #expect(HalfPrecision.bf16(Float(bitPattern: 0x3F81_8000)) == 0x3F82)
    #expect(HalfPrecision.bf16(.greatestFiniteMagnitude) == 0x7F80)
    #expect(HalfPrecision.bf16(-.infinity) == 0xFF80)
    #expect(HalfPrecision.bf16(Float(bitPattern: 0x7FFF_FFFF)) == 0x7FFF)
  }

  @Test func `integers of every width are exact or refused`() throws {
    func tensor<Element: FixedWidthInteger>(_ type: ElementType, _ values: [Element]) -> NamedTensor
    {
      NamedTensor(
        name: "t", type: type, shape: [values.count], bytes: values.withUnsafeBytes(Array.init))
    }
    #expect(try tensor(.i64, [Int64(Int32.min), 5]).integers() == [.min, 5])
    #expect(try tensor(.u32, [UInt32(7)]).integers() == [7])
    #expect(throws: SafetensorsError.self) { try tensor(.u32, [UInt32(1) << 31]).integers() }
    #expect(throws: SafetensorsError.self) { try tensor(.u64, [UInt64.max]).integers() }
  }
}
