// "Did you mean": the known word nearest to a misspelled one, by edits of a letter (insert, delete,
// replace, swap neighbors: Damerau 1964, in the form that edits no place twice).

/// Finds what a misspelled word was meant to be.
public enum Spelling {
  /// Longer words are not compared: the work grows with the product of the lengths.
  static let maximumLength = 64

  /// The nearest of `words`, the first of several; nil when none is near enough to be meant.
  ///
  /// Near is a third of the letters at most. Case, "-" and "_" do not count: `learning_rate` is
  /// `learningRate`.
  public static func nearest(to word: String, among words: [String]) -> String? {
    let letters = folded(word)
    guard !letters.isEmpty, letters.count <= maximumLength else { return nil }
    var best: (word: String, distance: Int)?
    for candidate in words {
      let other = folded(candidate)
      guard other.count <= maximumLength else { continue }
      let distance = distance(letters, other)
      let allowed = max(1, min(letters.count, other.count) / 3)
      if distance <= allowed, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.word
  }

  private static func folded(_ word: String) -> [Character] {
    word.lowercased().filter { $0 != "-" && $0 != "_" }
  }

  /// Rows of the usual table: row i holds the distances of `left`'s first i letters.
  static func distance(_ left: [Character], _ right: [Character]) -> Int {
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for i in 0..<left.count {
      var row = [i + 1]
      for j in 0..<right.count {
        let replaced = last[j] + (left[i] == right[j] ? 0 : 1)
        var least = min(replaced, last[j + 1] + 1, row[j] + 1)
        if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
          least = min(least, beforeLast[j - 1] + 1)
        }
        row.append(least)
      }
      beforeLast = last
      last = row
    }
    return last[right.count]
  }
}

/// Outside text fit for an error message: cut when long, without control characters.
func shown(_ text: String) -> String {
  let limit = 60
  var shown = ""
  for scalar in text.unicodeScalars.prefix(limit) {
    let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
    shown.unicodeScalars.append(isControl ? "\u{FFFD}" : scalar)
  }
  return text.unicodeScalars.count > limit ? shown + "..." : shown
}

func quoted(_ text: String) -> String { "\"\(shown(text))\"" }
