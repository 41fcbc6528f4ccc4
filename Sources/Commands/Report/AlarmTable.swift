// The alarms of a run, a row each: when it was raised, when it was cleared, what to do about it.

struct AlarmTable {
  private struct Row {
    var raised: AlarmEvent
    var cleared: AlarmEvent?
  }

  private var rows: [Row] = []

  init(_ events: [AlarmEvent]) {
    for event in events {
      if event.isRaised {
        rows.append(Row(raised: event))
      } else if let open = rows.lastIndex(where: {
        $0.raised.alarm.kind == event.alarm.kind && $0.cleared == nil
      }) {
        rows[open].cleared = event
      }
    }
  }

  /// Nothing where there was no alarm.
  func html() -> String {
    guard !rows.isEmpty else { return "" }
    var out = "<section><h2>Alarms</h2><table>"
    out += "<tr><th>alarm</th><th>raised</th><th>cleared</th><th>then</th><th>what to do</th></tr>"
    for row in rows {
      let alarm = row.raised.alarm
      out += "<tr><td>\(escape(alarm.kind.rawValue))</td><td>\(Self.when(row.raised))</td>"
      out += "<td>\(row.cleared.map(Self.when) ?? "<b>stands</b>")</td>"
      out += "<td>\(escape(alarm.text))</td><td>\(escape(alarm.kind.remedy))</td></tr>"
    }
    return out + "</table></section>"
  }

  private static func when(_ event: AlarmEvent) -> String {
    let time = event.time.isEmpty ? "" : "<br><span class=\"note\">\(escape(event.time))</span>"
    return "step \(event.alarm.step)" + time
  }
}
