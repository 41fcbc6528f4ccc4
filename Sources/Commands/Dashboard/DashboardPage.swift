// What every page of the dashboard has around it: the way to the others, and the style of the
// report with what only live pages need.

import Operations

/// A page of the dashboard.
struct DashboardPage {
  var title: String
  /// Label and address; the one without an address is where one is.
  var ways: [(label: String, address: String?)]
  var body: String
  /// Asked again and again, its answer put in place of the body; nil of a page that stands.
  var live: String?

  func html() -> String {
    let links = ways.map { way in
      way.address.map { "<a href=\"\(escape($0))\">\(escape(way.label))</a>" }
        ?? "<b>\(escape(way.label))</b>"
    }
    return """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(escape(title)) · Forage</title>
      <style>\(ReportPage.style)\(SpanSections.style)\(Self.style)</style></head><body>
      <nav>\(links.joined(separator: " "))<span id="pulse"></span></nav>
      <main>\(body)</main>
      \(live.map(Self.script) ?? "")
      </body></html>
      """
  }

  /// Asks every two seconds with the mark of what is shown, and replaces it when there is more. An
  /// opened list of settings stays open.
  private static func script(_ address: String) -> String {
    """
    <script>
    const main = document.querySelector("main"), pulse = document.querySelector("#pulse");
    let mark = "", at = Date.now();
    async function look() {
      try {
        const reply = await fetch("\(address)?mark=" + encodeURIComponent(mark));
        if (reply.status === 200) {
          const open = [...main.querySelectorAll("details")].map(d => d.open);
          mark = reply.headers.get("X-Mark") || "";
          main.innerHTML = await reply.text();
          main.querySelectorAll("details").forEach((d, i) => { d.open = open[i] || false; });
        }
        pulse.textContent = reply.ok ? "live" : "the dashboard answered " + reply.status;
        at = Date.now();
      } catch (error) {
        pulse.textContent = "no answer for " + Math.round((Date.now() - at) / 1000) + " s";
      }
      setTimeout(look, 2000);
    }
    look();
    </script>
    """
  }

  private static let style = """
    nav{display:flex;gap:1rem;align-items:baseline;border-bottom:1px solid var(--line);
    padding-bottom:.5rem;margin-bottom:1rem;flex-wrap:wrap}nav span{margin-left:auto;
    color:var(--soft);font-size:.85rem}a{color:#0072b2}
    @media(prefers-color-scheme:dark){a{color:#56b4e9}}
    form{display:flex;flex-wrap:wrap;gap:.6rem;align-items:end;margin:.5rem 0 1rem}
    form label{font-size:.8rem;color:var(--soft);display:grid}
    form.below{display:block}form.below button{margin-top:.8rem;max-width:none}
    th{white-space:nowrap}input,select,button{font:inherit;color:inherit;background:var(--box);
    border:1px solid var(--line);border-radius:6px;padding:.25rem .5rem;max-width:9rem}
    td.t{font-family:ui-monospace,monospace;font-size:.85rem;max-width:34rem;overflow:hidden;
    text-overflow:ellipsis;white-space:nowrap}
    .tokens{font-family:ui-monospace,monospace;line-height:2;white-space:pre-wrap;
    background:var(--box);border:1px solid var(--line);border-radius:6px;padding:.6rem .8rem}
    .tokens span{border-radius:3px;padding:.15em 0}
    .tokens em{color:var(--soft);font-style:normal}
    .shades{display:flex;gap:1rem;align-items:center;font-size:.85rem;margin:.6rem 0}
    .shades i{display:inline-block;width:8rem;height:.8rem;border-radius:3px}
    .pick{display:inline-flex;align-items:center;gap:.3rem;grid-auto-flow:column}
    #by-ratio:checked~.tokens span{background:var(--r)}
    #by-probability:checked~.tokens span{background:var(--p)}
    """
}
