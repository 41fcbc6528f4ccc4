// The answer in `\boxed{...}`, as solutions to mathematics problems give it (Hendrycks et al.,
// arXiv 2103.03874). Two answers are the same when they are the same number, or the same simple
// LaTeX once spacing, styles and spellings of one thing are evened out. Nothing is computed: 2+2 is
// not 4. A unit may be left away, or added, where it is plain that it is one: a percent sign, or
// words in \text{} behind the number. 36\pi is not 36, nor 2x 2.

/// Strictly: there is a box and every box holds the answer. Leniently: the answer said last does.
public struct BoxedVerifier: Verifier {
  public let accepts: Acceptance

  public init(accepts: Acceptance = .strict) { self.accepts = accepts }

  public func find(_ submission: Submission) -> Finding {
    let answer = StatedAnswers.boxed(in: submission.answer).last ?? submission.answer
    let boxes = AnswerPlace.boxed.answers(in: submission.completion)
    let isStrict = !boxes.isEmpty && boxes.allSatisfy { SimpleLaTeX.isSame($0, answer) }
    let said = AnswerPlace.said.answers(in: submission.completion).last
    let isLenient =
      isStrict
      || said.map { SimpleLaTeX.isSame($0, answer) || SimpleLaTeX.begins($0, with: answer) }
        ?? false
    let reason =
      if isStrict {
        "right: \(clipped(answer))"
      } else if boxes.isEmpty {
        AnswerPlace.boxed.absence
      } else if boxes.count > 1 {
        "\(boxes.count) boxes, not all of them \(clipped(answer))"
      } else {
        "wrong: \"\(clipped(boxes[0]))\" is not \(clipped(answer))"
      }
    return .answer(strictly: isStrict, leniently: isLenient, accepts: accepts, reason: reason)
  }
}

/// LaTeX as far as answers use it.
enum SimpleLaTeX {
  /// Of one expression; a longer one is compared as it stands.
  static let maximumByteCount = 4096

  static func isSame(_ left: String, _ right: String) -> Bool {
    let (one, other) = (plain(left), plain(right))
    if one == other { return true }
    let (a, b) = (Quantity(one), Quantity(other))
    return isSame(a, b) || isSame(bare(left, a), b) || isSame(a, bare(right, b))
  }

  /// Whether words begin with the number that an answer is, and it alone: "5 apples, of which 2 are
  /// red" does with 5, "5 or 6" and "5y" do not.
  static func begins(_ words: String, with answer: String) -> Bool {
    guard let number = number(of: answer) else { return false }
    guard NumericVerifier.leading(words)?.number == number else { return false }
    var reader = QuantityReader(words)
    reader.skipSigns()
    guard reader.readNumber() != nil else { return false }
    guard let next = reader.byte else { return true }
    return QuantityReader.isBlank(next) || ".,;:!?)]}%*`'\"<$".utf8.contains(next)
  }

  /// Of an answer that is a number, with a unit apart from it: "5 apples", "$12", not "2x".
  private static func number(of answer: String) -> ExactNumber? {
    var reader = QuantityReader(answer)
    reader.trim()
    if let number = reader.readNumber(), reader.byte.map(QuantityReader.isBlank) ?? true,
      Quantity(answer) != nil
    {
      return number
    }
    let whole = Quantity(plain(answer))
    return (whole?.unit == "" ? whole : bare(answer, whole))?.number
  }

  private static func isSame(_ a: Quantity?, _ b: Quantity?) -> Bool {
    guard let a, let b else { return false }
    return a.number == b.number && a.unit == b.unit
  }

  /// The quantity without its unit; nil where it has none that may be left away.
  private static func bare(_ text: String, _ whole: Quantity?) -> Quantity? {
    if let whole, whole.unit == "%" { return Quantity(number: whole.number, unit: "") }
    guard text.last == "}", let start = text.lastIndex(of: "{") else { return nil }
    let words = text[text.index(after: start)...].dropLast()
    guard let command = ["\\text", "\\mathrm", "\\mbox"].first(where: text[..<start].hasSuffix),
      // What QuantityReader takes for a unit: not "or 13".
      !words.contains("}"), Quantity("1 " + words) != nil
    else { return nil }
    return Quantity(plain(String(text[..<start].dropLast(command.count))))
  }

  /// One spelling: no spaces but in mixed numbers, \frac{a}{b} as (a)/(b) or a/b, \text{x} as x,
  /// no sizes, no dollars.
  static func plain(_ text: String) -> String {
    guard text.utf8.count <= maximumByteCount else { return text }
    var reader = LaTeXReader(bytes: Array(text.utf8))
    var out = reader.read(depth: 0, closes: false)
    // "x = 5" answers what "5" answers.
    if let equals = out.firstIndex(of: UInt8(ascii: "=")), equals == 1,
      QuantityReader.isLetter(out[0])
    {
      out.removeFirst(2)
    }
    while out.last == UInt8(ascii: ".") || out.last == UInt8(ascii: ",") { out.removeLast() }
    return String(decoding: out, as: UTF8.self)
  }
}

/// Goes through an expression once.
private struct LaTeXReader {
  let bytes: [UInt8]
  var at = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  private static let maximumDepth = 32
  /// Commands that only set type.
  private static let styles: Set<String> = [
    "left", "right", "big", "Big", "bigg", "Bigg", "displaystyle", "text", "textbf", "mathrm",
    "mathbf", "mbox", "operatorname", "quad", "qquad", "boxed", "textstyle", "dots", "ldots",
  ]
  private static let names = [
    "cdot": "*", "times": "*", "div": "/", "pi": "pi", "infty": "inf", "le": "<=", "leq": "<=",
    "ge": ">=", "geq": ">=", "neq": "!=", "ne": "!=", "pm": "+-", "cup": "U", "circ": "deg",
  ]

  /// Greek ones that answers are written with: each is one factor, as x is.
  private static let letters: Set<String> = [
    "alpha", "beta", "gamma", "delta", "epsilon", "theta", "lambda", "mu", "nu", "pi", "rho",
    "sigma", "tau", "phi", "psi", "omega",
  ]

  /// To the end, or to the brace that closes this depth, which is stepped over.
  mutating func read(depth: Int, closes: Bool) -> [UInt8] {
    var out: [UInt8] = []
    while at < bytes.count {
      let byte = bytes[at]
      if byte == UInt8(ascii: "}"), closes {
        at += 1
        return out
      }
      at += 1
      switch byte {
      case UInt8(ascii: "\\"): append(command(depth: depth, after: out.last), to: &out)
      case UInt8(ascii: "{"):
        guard depth < Self.maximumDepth else { continue }
        append(read(depth: depth + 1, closes: true), to: &out)
      case UInt8(ascii: "$"), UInt8(ascii: "~"): break
      case let blank where QuantityReader.isBlank(blank):
        // "1 3/4" is a mixed number, and "1 2" is not 12; "12 000" is 12000.
        if separatesNumbers(out) { out.append(UInt8(ascii: " ")) }
      default: out.append(byte)
      }
    }
    return out
  }

  /// Whether a blank just read stands between a digit and digits that are no group of thousands.
  private func separatesNumbers(_ out: [UInt8]) -> Bool {
    // x^2 3 and x^{2}3 are one: the digit is a script, and ends by itself.
    if let mark = out.dropLast().last, "^_".utf8.contains(mark) { return false }
    let next = bytes[at...].drop(while: QuantityReader.isBlank)
    let rest = next.prefix(while: QuantityReader.isDigit)
    return out.last.map(QuantityReader.isDigit) ?? false && !rest.isEmpty && rest.count != 3
  }

  /// x^{10} is not x^10 to LaTeX; a single character or command needs no braces.
  private func append(_ part: [UInt8], to out: inout [UInt8]) {
    let isScript = out.last == UInt8(ascii: "^") || out.last == UInt8(ascii: "_")
    out += isScript && part.count > 1 ? [0x7B] + part + [0x7D] : part
  }

  /// `before` is what stands in front of it.
  private mutating func command(depth: Int, after before: UInt8? = nil) -> [UInt8] {
    let name = bytes[at...].prefix(while: QuantityReader.isLetter)
    guard !name.isEmpty else {
      guard at < bytes.count else { return [] }
      defer { at += 1 }
      // \\ ends a row; \, \! \; \: are spaces; \% \$ \{ \} are themselves.
      if bytes[at] == UInt8(ascii: "\\") { return [UInt8(ascii: ";")] }
      return Set(",!;: ".utf8).contains(bytes[at]) || bytes[at] == UInt8(ascii: "$")
        ? [] : [bytes[at]]
    }
    at += name.count
    let word = String(decoding: name, as: UTF8.self)
    guard depth < Self.maximumDepth else { return Array(name) }
    switch word {
    case "frac", "dfrac", "tfrac", "cfrac":
      return fraction(argument(depth: depth), over: argument(depth: depth), after: before)
    case "sqrt":
      return Array("sqrt(".utf8) + argument(depth: depth) + [UInt8(ascii: ")")]
    default:
      if Self.styles.contains(word) { return [] }
      return Array((Self.names[word] ?? word).utf8)
    }
  }

  /// A brace's content, or the one character or command that stands there: \frac12.
  private mutating func argument(depth: Int) -> [UInt8] {
    while at < bytes.count, QuantityReader.isBlank(bytes[at]) { at += 1 }
    guard at < bytes.count else { return [] }
    let byte = bytes[at]
    at += 1
    if byte == UInt8(ascii: "{") { return read(depth: depth + 1, closes: true) }
    if byte == UInt8(ascii: "\\") { return command(depth: depth + 1) }
    return [byte]
  }

  /// a/b. A minus above goes before the whole where nothing stands in front of it, and a number in
  /// front of a number over a number is a mixed one.
  private func fraction(
    _ above: [UInt8], over below: [UInt8], after before: UInt8?
  ) -> [UInt8] {
    let isDigits: ([UInt8]) -> Bool = { !$0.isEmpty && $0.allSatisfy(QuantityReader.isDigit) }
    let isNegative = above.first == UInt8(ascii: "-") && !above.dropFirst().contains(where: isSign)
    if isNegative, before.map("(,=[;".utf8.contains) ?? true {
      return [UInt8(ascii: "-")] + fraction(Array(above.dropFirst()), over: below, after: nil)
    }
    // What is multiplied above may stand bare; below it would read as standing behind.
    let isProduct = above.allSatisfy { QuantityReader.isDigit($0) || QuantityReader.isLetter($0) }
    let isOne =
      isDigits(below) || below.count == 1
      || Self.letters.contains(String(decoding: below, as: UTF8.self))
    let whole =
      group(above, isBare: isProduct) + [UInt8(ascii: "/")] + group(below, isBare: isOne)
    let isMixed = before.map(QuantityReader.isDigit) ?? false && isDigits(above) && isDigits(below)
    return isMixed ? [UInt8(ascii: " ")] + whole : whole
  }

  private func isSign(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
  }

  private func group(_ part: [UInt8], isBare: Bool) -> [UInt8] {
    isBare ? part : [UInt8(ascii: "(")] + part + [UInt8(ascii: ")")]
  }
}
