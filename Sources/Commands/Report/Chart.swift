// One curve or a few as static SVG: axes with round ticks, a faint line through every point and a
// strong one through their moving mean. No script and no network: the file can be mailed.

import Glibc

struct ChartSeries {
  var name: String
  /// x ascending.
  var points: [(x: Double, y: Double)]
  /// A CSS color.
  var color: String
  /// One of `dashes`: more lines than colors are told apart by these.
  var dash = ""
  /// Drawn as separate marks joined by a line, without smoothing: few, exact points.
  var isMarked = false
  /// Of each point, drawn as a bar above and below it; none where there are none.
  var halfWidths: [Double] = []

  /// Of SVG strokes: whole, dashed, dotted.
  static let dashes = ["", "6 3", "1.5 2.5"]
}

struct Chart {
  static let width = 460.0
  static let height = 230.0
  private static let left = 52.0
  private static let right = 12.0
  private static let top = 12.0
  private static let bottom = 30.0
  /// Colors that stay apart for most color-blind readers (Okabe and Ito, 2008).
  static let colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555"]

  var title: String
  /// What it is, in a few words: shown under the title.
  var note: String
  var series: [ChartSeries]
  /// Ends of the vertical axis, where they are known; else from the data.
  var floor: Double?
  var ceiling: Double?
  var xLabel = "step"

  func svg() -> String {
    let points = series.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
    guard !points.isEmpty else {
      return figure("<p class=\"empty\">no step has reported this yet</p>")
    }
    let ends = points.map(\.x)
    let x = Axis(ends, floor: ends.min(), ceiling: ends.max())
    let y = Axis(points.map(\.y), floor: floor, ceiling: ceiling)
    var body = "<svg viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" role=\"img\">"
    body += grid(x, y)
    for line in series { body += draw(line, x, y) }
    body += "</svg>"
    return figure(body + legend())
  }

  private func figure(_ body: String) -> String {
    "<figure><figcaption><b>\(escape(title))</b> <span>\(escape(note))</span></figcaption>"
      + body + "</figure>\n"
  }

  private func legend() -> String {
    guard series.count > 1 else { return "" }
    let items = series.map { line in
      "<span><i style=\"background:\(Self.swatch(line))\"></i>\(escape(line.name))</span>"
    }
    return "<div class=\"legend\">" + items.joined() + "</div>"
  }

  /// Stripes as wide as the line's dashes.
  private static func swatch(_ line: ChartSeries) -> String {
    let lengths = line.dash.split(separator: " ")
    guard lengths.count == 2, let on = Double(lengths[0]), let off = Double(lengths[1]) else {
      return line.color
    }
    return "repeating-linear-gradient(90deg,\(line.color) 0 \(on)px,transparent \(on)px "
      + "\(on + off)px)"
  }

  private func grid(_ x: Axis, _ y: Axis) -> String {
    var out = ""
    for tick in y.ticks {
      let at = place(y: tick, y)
      out += "<line class=\"grid\" x1=\"\(Self.left)\" x2=\"\(Self.width - Self.right)\" "
      out += "y1=\"\(at)\" y2=\"\(at)\"/>"
      out += "<text class=\"y\" x=\"\(Self.left - 6)\" y=\"\(at + 4)\">\(y.label(tick))</text>"
    }
    for tick in x.ticks {
      let at = place(x: tick, x)
      out += "<text class=\"x\" x=\"\(at)\" y=\"\(Self.height - 12)\">\(x.label(tick))</text>"
    }
    out += "<text class=\"x\" x=\"\(Self.width - Self.right)\" y=\"\(Self.height - 3)\" "
    out += "style=\"text-anchor:end\">\(escape(xLabel))</text>"
    return out
  }

  private func draw(_ line: ChartSeries, _ x: Axis, _ y: Axis) -> String {
    let points = line.points.filter { $0.x.isFinite && $0.y.isFinite }
    guard !points.isEmpty else { return "" }
    if line.isMarked {
      let marks = points.map { point in
        "<circle cx=\"\(place(x: point.x, x))\" cy=\"\(place(y: point.y, y))\" r=\"3\" "
          + "fill=\"\(line.color)\"><title>\(escape(xLabel)) \(x.label(point.x)): "
          + "\(RunView.format(point.y, 4))</title></circle>"
      }
      return path(points, line, 1.5, 1, x, y) + bars(line, x, y) + marks.joined()
    }
    let window = max(1, points.count / 40)
    guard window > 1 else { return path(points, line, 1.6, 1, x, y) }
    return path(points, line, 1, 0.25, x, y)
      + path(Self.smooth(points, window: window), line, 1.8, 1, x, y)
  }

  /// The 95 % interval of each marked point.
  private func bars(_ line: ChartSeries, _ x: Axis, _ y: Axis) -> String {
    guard line.halfWidths.count == line.points.count else { return "" }
    var out = ""
    for (point, half) in zip(line.points, line.halfWidths) where (point.y + half).isFinite {
      let at = place(x: point.x, x)
      out += "<line x1=\"\(at)\" x2=\"\(at)\" y1=\"\(place(y: point.y - half, y))\" "
      out += "y2=\"\(place(y: point.y + half, y))\" stroke=\"\(line.color)\" "
      out += "stroke-width=\"1\" opacity=\"0.6\"/>"
    }
    return out
  }

  private func path(
    _ points: [(x: Double, y: Double)], _ line: ChartSeries, _ width: Double,
    _ opacity: Double, _ x: Axis, _ y: Axis
  ) -> String {
    let places = points.map { "\(place(x: $0.x, x)),\(place(y: $0.y, y))" }
    return "<polyline points=\"\(places.joined(separator: " "))\" fill=\"none\" "
      + "stroke=\"\(line.color)\" stroke-width=\"\(width)\" opacity=\"\(opacity)\""
      + (line.dash.isEmpty ? "" : " stroke-dasharray=\"\(line.dash)\"") + "/>"
  }

  /// The mean over `window` points on either side.
  static func smooth(
    _ points: [(x: Double, y: Double)], window: Int
  ) -> [(x: Double, y: Double)] {
    points.indices.map { index in
      let part = points[max(0, index - window)...min(points.count - 1, index + window)]
      return (points[index].x, part.reduce(0) { $0 + $1.y } / Double(part.count))
    }
  }

  private func place(x value: Double, _ axis: Axis) -> Double {
    round(Self.left + axis.share(value) * (Self.width - Self.left - Self.right))
  }

  private func place(y value: Double, _ axis: Axis) -> Double {
    round(Self.height - Self.bottom - axis.share(value) * (Self.height - Self.top - Self.bottom))
  }

  /// A tenth of a unit of the view box is finer than a screen shows.
  private func round(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}

/// One axis: its ends, and ticks at round numbers.
package struct Axis {
  package let least: Double
  package let greatest: Double
  package let step: Double

  package init(_ values: [Double], floor: Double?, ceiling: Double?) {
    var least = floor ?? values.min() ?? 0
    var greatest = ceiling ?? values.max() ?? 1
    least = min(least, values.min() ?? least)
    greatest = max(greatest, values.max() ?? greatest)
    if greatest <= least {
      let around = max(abs(least) * 0.1, 1e-6)
      (least, greatest) = (least - around, greatest + around)
    }
    let rough = (greatest - least) / 4
    let power = pow(10, Glibc.floor(log10(rough)))
    let step = [1, 2, 2.5, 5, 10].map { $0 * power }.first { $0 >= rough * 0.999 } ?? rough
    self.step = step
    self.least = floor == nil ? Glibc.floor(least / step) * step : least
    self.greatest = ceiling == nil ? ceil(greatest / step) * step : greatest
  }

  package var ticks: [Double] {
    let first = ceil(least / step - 1e-9)
    let last = Glibc.floor(greatest / step + 1e-9)
    return stride(from: first, through: last, by: 1).map { $0 * step }
  }

  package func share(_ value: Double) -> Double {
    min(1, max(0, (value - least) / (greatest - least)))
  }

  package func label(_ value: Double) -> String {
    if value == 0 { return "0" }
    if step >= 1000 { return RunView.count(value) }
    if step < 1e-4 {
      let power = Int(Glibc.floor(log10(abs(value))))
      return "\(RunView.format(value / pow(10, Double(power)), 1))e\(power)"
    }
    // As many digits as the step itself needs: 0.25 wants two.
    var digits = 0
    var scaled = step
    while digits < 6, abs(scaled - scaled.rounded()) > 1e-6 * scaled {
      scaled *= 10
      digits += 1
    }
    return RunView.format(value, digits)
  }
}

/// Text as HTML shows it.
package func escape(_ text: String) -> String {
  var out = String.UnicodeScalarView()
  // By scalars, as a browser reads: a quote with an accent upon it is one Character, which is no
  // quote, and ends an attribute all the same.
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": out.append(contentsOf: "&amp;".unicodeScalars)
    case "<": out.append(contentsOf: "&lt;".unicodeScalars)
    case ">": out.append(contentsOf: "&gt;".unicodeScalars)
    case "\"": out.append(contentsOf: "&quot;".unicodeScalars)
    default: out.append(scalar)
    }
  }
  return String(out)
}
