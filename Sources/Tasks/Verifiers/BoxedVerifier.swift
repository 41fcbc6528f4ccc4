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
      || said.map {
        SimpleLaTeX.isSame($0, answer)
          || NumericVerifier.leading($0).map { $0.number == Quantity(answer)?.number } ?? false
      } ?? false
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

  /// One spelling: no spaces, \frac{a}{b} as (a)/(b) or a/b, \text{x} as x, no sizes, no dollars.
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
      case UInt8(ascii: "\\"): append(command(depth: depth), to: &out)
      case UInt8(ascii: "{"):
        guard depth < Self.maximumDepth else { continue }
        append(read(depth: depth + 1, closes: true), to: &out)
      case UInt8(ascii: "$"), UInt8(ascii: "~"): break
      case let blank where QuantityReader.isBlank(blank): break
      default: out.append(byte)
      }
    }
    return out
  }

  /// x^{10} is not x^10 to LaTeX; a single character or command needs no braces.
  private func append(_ part: [UInt8], to out: inout [UInt8]) {
    let isScript = out.last == UInt8(ascii: "^") || out.last == UInt8(ascii: "_")
    out += isScript && part.count > 1 ? [0x7B] + part + [0x7D] : part
  }

  private mutating func command(depth: Int) -> [UInt8] {
    let name = bytes[at...].prefix(while: QuantityReader.isLetter)
    guard !name.isEmpty else {
      guard at < bytes.count else { return [] }
      defer { at += 1 }
      // \, \! \; \: are spaces; \% \$ \{ \} are themselves.
      return Set(",!;: \\".utf8).contains(bytes[at]) || bytes[at] == UInt8(ascii: "$")
        ? [] : [bytes[at]]
    }
    at += name.count
    let word = String(decoding: name, as: UTF8.self)
    guard depth < Self.maximumDepth else { return Array(name) }
    switch word {
    case "frac", "dfrac", "tfrac", "cfrac":
      let above = group(argument(depth: depth))
      return above + [UInt8(ascii: "/")] + group(argument(depth: depth))
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

  /// In parentheses unless it is one number or name.
  private func group(_ part: [UInt8]) -> [UInt8] {
    part.allSatisfy({ QuantityReader.isDigit($0) || QuantityReader.isLetter($0) })
      ? part : [UInt8(ascii: "(")] + part + [UInt8(ascii: ")")]
  }
}
