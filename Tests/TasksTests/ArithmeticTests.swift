import Documents
import Experience
import Tasks
import Testing

/// The operands and the sign of a name such as "47+85".
func parse(_ name: String) -> (left: Int, sign: Character, right: Int) {
  let sign = name.first { "+-*".contains($0) }!
  let parts = name.split(separator: sign).map { Int($0)! }
  return (parts[0], sign, parts[1])
}

/// The operands in rising order: what two swapped exercises share.
func unordered(_ name: String) -> [Int] {
  let (left, _, right) = parse(name)
  return [left, right].sorted()
}

@Suite struct ArithmeticTests {
  private static let everything = Arithmetic(operations: ArithmeticOperation.allCases)

  @Test(arguments: [Arithmetic(), everything, Arithmetic(digits: 1), Arithmetic(digits: 3)])
  func `no pair of operands stands in two splits, in either order`(task: Arithmetic) {
    let heldOut = Set(
      (0..<task.count(in: .heldOut)!).map {
        unordered(task.exercise(seed: 3, split: .heldOut, index: $0).name)
      })
    let validation = Set(
      (0..<task.count(in: .validation)!).map {
        unordered(task.exercise(seed: 3, split: .validation, index: $0).name)
      })
    #expect(heldOut.isDisjoint(with: validation))
    // Four runs' worth of training prompts: every train pair of two digits comes up.
    for index in 0..<40_000 {
      let pair = unordered(task.exercise(seed: 3, split: .train, index: index).name)
      if heldOut.contains(pair) || validation.contains(pair) {
        Issue.record("\(pair) of train stands elsewhere")
      }
    }
  }

  @Test func `every pair is in exactly one split, of exactly the size asked for`() {
    let task = Arithmetic()
    var sizes: [Split: Int] = [:]
    for left in 10...99 {
      for right in left...99 {
        let split = task.split(ofOperands: left, right)
        #expect(split == task.split(ofOperands: right, left))
        sizes[split, default: 0] += 1
      }
    }
    // 90 * 91 / 2 = 4095 pairs; a fifth and a twentieth of them, rounded down.
    #expect(sizes == [.heldOut: 819, .validation: 204, .train: 4095 - 819 - 204])
    for index in 0..<819 {
      let (left, _, right) = parse(task.exercise(seed: 1, split: .heldOut, index: index).name)
      #expect(task.split(ofOperands: left, right) == .heldOut)
    }
  }

  @Test(arguments: [Arithmetic(), everything, Arithmetic(digits: 1)])
  func `held-out exercises are distinct up to swapping`(task: Arithmetic) {
    let count = task.count(in: .heldOut)!
    let names = (0..<count).map { task.exercise(seed: 1, split: .heldOut, index: $0).name }
    let keys = Set(names.map { "\(unordered($0))\(parse($0).sign)" })
    #expect(keys.count == count)
  }

  @Test func `there are 512 held-out exercises in two-digit addition`() {
    #expect(Arithmetic().count(in: .heldOut)! >= 512)
    #expect(Arithmetic().count(in: .train) == nil)
  }

  @Test func `train covers its split, and both orders`() {
    let task = Arithmetic()
    var pairs: Set<[Int]> = []
    var rising = 0
    for index in 0..<40_000 {
      let (left, _, right) = parse(task.exercise(seed: 9, split: .train, index: index).name)
      pairs.insert([left, right].sorted())
      rising += left < right ? 1 : 0
    }
    // 3072 pairs, 13 draws each in the mean: one is missed with probability 3072 e^-13, 0.7 %.
    #expect(pairs.count >= 3070)
    // 40,000 draws, doubles aside: the share of rising ones is a half within five deviations.
    #expect(abs(rising - 19_600) < 700)
  }

  @Test func `an exercise is a function of its address alone`() {
    let (one, other) = (Arithmetic(), Arithmetic())
    for split in Split.allCases {
      for index in (0..<200).reversed() {
        #expect(
          one.exercise(seed: 5, split: split, index: index)
            == other.exercise(seed: 5, split: split, index: index))
      }
    }
  }

  @Test func `the run's seed moves what is trained on and nothing that is measured`() {
    let task = Arithmetic()
    let names = { (seed: UInt64, split: Split) in
      (0..<100).map { task.exercise(seed: seed, split: split, index: $0).name }
    }
    #expect(names(1, .train) != names(2, .train))
    #expect(names(1, .heldOut) == names(2, .heldOut))
    #expect(names(1, .validation) == names(2, .validation))
    let reseeded = Arithmetic(seed: 2)
    #expect(
      (0..<100).map { reseeded.exercise(seed: 1, split: .heldOut, index: $0).name }
        != names(1, .heldOut))
  }

  /// A change here is a change of every run's exercises: old ledgers would name others.
  @Test func `the first exercises are these`() {
    let task = Arithmetic()
    let names = Split.allCases.map { split in
      (0..<4).map { task.exercise(seed: 1, split: split, index: $0).name }
    }
    #expect(
      names == [
        ["75+82", "14+43", "35+62", "92+66"], ["35+32", "13+21", "58+17", "44+79"],
        ["23+53", "74+80", "15+51", "58+93"],
      ])
  }

  @Test(arguments: [
    Arithmetic(), everything, Arithmetic(operations: [.subtract], digits: 1),
    Arithmetic(operations: [.multiply], digits: 3), Arithmetic(operations: [.subtract], digits: 9),
    Arithmetic(operations: [.multiply], digits: 9),
  ])
  func `every demonstration gets full marks and stays in the alphabet`(task: Arithmetic) {
    let alphabet = Set(task.alphabet!)
    for split in Split.allCases {
      for index in 0..<min(task.count(in: split) ?? 2000, 2000) {
        let exercise = task.exercise(seed: 1, split: split, index: index)
        let demonstration = exercise.demonstration!
        let verdict = task.judge(
          exercise, completion: demonstration, tokenCount: 20, isTruncated: false)
        let isFull =
          verdict.isStrictlyCorrect && verdict.isLenientlyCorrect
          && verdict.reward == task.correctReward + task.formatReward
          && verdict.parts.allSatisfy { $0.position == 19 }
        if !isFull { Issue.record("\(exercise.name): \(demonstration): \(verdict.reason)") }
        var rest = demonstration[...]
        while let first = rest.first {
          if let tag = task.tags.first(where: { rest.hasPrefix($0) }) {
            rest = rest.dropFirst(tag.count)
          } else {
            #expect(alphabet.contains(first))
            rest = rest.dropFirst()
          }
        }
        #expect(exercise.prompt.allSatisfy(alphabet.contains))
      }
    }
  }

  /// Every step written in a demonstration is true: what stands left of = comes to its right.
  @Test(arguments: [everything, Arithmetic(operations: [.subtract, .multiply], digits: 3)])
  func `every step of the work is true`(task: Arithmetic) {
    for index in 0..<3000 {
      let exercise = task.exercise(seed: 4, split: .train, index: index)
      let work = exercise.demonstration!.dropFirst(ThinkAnswerFormat.thinkOpen.count)
        .prefix { $0 != "<" }
      for step in work.split(separator: ",") {
        let sides = step.split(separator: "=")
        var value = 0
        var sign: Character = "+"
        var digits = ""
        for character in sides[0] + "." {
          if character.isNumber {
            digits.append(character)
            continue
          }
          let number = Int(digits)!
          value = sign == "+" ? value + number : sign == "-" ? value - number : value * number
          sign = character
          digits = ""
        }
        if sides.count != 2 || value != Int(sides[1]) {
          Issue.record("\(exercise.name): \(step) is not true")
        }
      }
    }
  }

  @Test func `the work is as short as it can be said`() {
    let task = Arithmetic(operations: ArithmeticOperation.allCases)
    var seen: [String: String] = [:]
    for index in 0..<100_000 {
      let exercise = task.exercise(seed: 1, split: .train, index: index)
      seen[exercise.name] = exercise.demonstration!
    }
    // Whichever of these fall into train read so.
    let known = [
      "47+85": "<think>7+5=12,4+8+1=13</think><answer>132</answer>",
      "85-47": "<think>15-7=8,8-1-4=3</think><answer>38</answer>",
      "47*85": "<think>47*5=235,47*80=3760,235+3760=3995</think><answer>3995</answer>",
      "23+14": "<think>3+4=7,2+1=3</think><answer>37</answer>",
      "23-14": "<think>13-4=9,2-1-1=0</think><answer>9</answer>",
      "23*10": "<think>23*0=0,23*10=230,0+230=230</think><answer>230</answer>",
    ]
    var compared = 0
    for (name, demonstration) in known {
      guard let made = seen[name] else { continue }
      #expect(made == demonstration)
      compared += 1
    }
    #expect(compared >= 3)
  }

  @Test func `the longest completion of two-digit addition is 23 tokens with its stop`() {
    let task = Arithmetic()
    let longest = (0..<819).map { index in
      let text = task.exercise(seed: 1, split: .heldOut, index: index).demonstration!
      return task.tags.reduce(text.count) { $0 - $1.count + 1 } + 1
    }.max()
    // 15 of work, 3 of answer, 4 tags, the stop.
    #expect(longest == 23)
  }
}
