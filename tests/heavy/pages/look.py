#!/usr/bin/env python3
"""Opens HTML reports in headless Chromium, as a reader would, and says what it saw.

    python3 tests/heavy/pages/look.py [--chromium PATH] [--to-dir DIR] FILE.html ...

For each page, in light and in dark at 1280 px: messages on the console, requests, whether the page scrolls sideways, the least
contrast of any text (WCAG 2: 4.5, or 3 for large text), elements with the same id, headings that skip a level. Then without
scripts at 360 px, and printed: pages, and whether each has its number (needs pdftotext). With --to-dir, pictures and the PDF
are kept there to be looked at. Ends with 1 if anything is wrong. Nothing but Python and Chromium is needed.
"""
import argparse, base64, json, os, pathlib, re, shutil, subprocess, sys, tempfile

WIDTH = 1280

# Runs in the page: what a reader without good eyes meets.
LOOK = r"""
(() => {
  const rgb = text => { const p = text.match(/[\d.]+/g).map(Number); return { r: p[0], g: p[1], b: p[2], a: p.length > 3 ? p[3] : 1 }; };
  const over = (top, under) => ({ r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a), b: top.b * top.a + under.b * (1 - top.a), a: 1 });
  const light = c => { const f = v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }; return 0.2126 * f(c.r) + 0.7152 * f(c.g) + 0.0722 * f(c.b); };
  const behind = element => { const all = []; for (let e = element; e; e = e.parentElement) all.push(rgb(getComputedStyle(e).backgroundColor));
    return all.reverse().reduce((under, top) => over(top, under), { r: 255, g: 255, b: 255, a: 1 }); };
  let least = { ratio: 99 }, texts = 0;
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim(), e = walk.currentNode.parentElement;
    if (!text || ["TITLE", "DESC", "STYLE"].includes(e.tagName.toUpperCase()) || e.closest("details:not([open]) > :not(summary)")) continue;
    const style = getComputedStyle(e);
    const ink = over(rgb(e instanceof SVGElement ? style.fill : style.color), behind(e)), paper = behind(e);
    const [hi, lo] = [light(ink), light(paper)].sort((a, b) => b - a);
    const ratio = (hi + 0.05) / (lo + 0.05), size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700) ? 3 : 4.5;
    texts++;
    if (ratio / needed < least.ratio / (least.needed || 1)) least = { ratio, needed, text: text.slice(0, 40) };
  }
  const ids = [...document.querySelectorAll("[id]")].map(e => e.id), twice = ids.filter((id, at) => ids.indexOf(id) !== at);
  const levels = [...document.querySelectorAll("h1,h2,h3")].map(e => +e.tagName[1]);
  return {
    texts, least, twice,
    sideways: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    skipped: levels.filter((level, at) => at > 0 && level > levels[at - 1] + 1).length,
    links: [...document.querySelectorAll("a[href^='#']")].filter(a => !document.getElementById(a.getAttribute("href").slice(1))).length,
    unnamed: [...document.querySelectorAll("table")].filter(t => !t.caption || !t.caption.textContent.trim()).length
      + [...document.querySelectorAll("svg")].filter(s => s.getAttribute("role") !== "img" || !s.querySelector("title,desc")).length
      + [...document.querySelectorAll("th")].filter(t => !t.scope).length,
    landmarks: ["header", "nav", "main", "footer"].filter(name => !document.querySelector(name)),
    scripts: document.scripts.length, height: document.documentElement.scrollHeight,
  };
})()
"""


class Browser:
    """Chromium over its debugging pipe: JSON messages, each ended by NUL, in at 3 and out at 4."""

    def __init__(self, path):
        self.profile = tempfile.mkdtemp()
        to_read, self.write_end = os.pipe()
        self.read_end, to_write = os.pipe()
        flags = "--headless=new --no-sandbox --disable-gpu --hide-scrollbars --remote-debugging-pipe --no-first-run"
        line = f'exec "$0" {flags} --user-data-dir="$1" about:blank 3<&{to_read} 4>&{to_write}'
        self.process = subprocess.Popen(["bash", "-c", line, path, self.profile], pass_fds=(to_read, to_write), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        os.close(to_read), os.close(to_write)
        self.number, self.left, self.events = 0, b"", []
        target = self.ask("Target.createTarget", {"url": "about:blank"}, None)["targetId"]
        self.session = self.ask("Target.attachToTarget", {"targetId": target, "flatten": True}, None)["sessionId"]
        for domain in ["Page", "Runtime", "Log", "Network"]:
            self.ask(f"{domain}.enable")

    def next(self):
        while b"\0" not in self.left:
            part = os.read(self.read_end, 1 << 20)
            if not part:
                sys.exit("the browser went away")
            self.left += part
        message, self.left = self.left.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, params=None, session=""):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params or {}}
        if session == "":
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next()
            if answer.get("id") == self.number:
                if "error" in answer:
                    sys.exit(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, url):
        self.events = []
        self.ask("Page.navigate", {"url": url})
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.next())
        # Answered after layout, and after what the page would still have asked for.
        self.ask("Page.getLayoutMetrics")
        self.ask("Page.captureScreenshot")

    def seen(self, url):
        """Console messages, and requests for anything but the page."""
        of = lambda method: [event["params"] for event in self.events if event.get("method") == method]
        said = [str(event.get("args") or event) for event in of("Runtime.consoleAPICalled") + of("Runtime.exceptionThrown")]
        said += [event["entry"]["text"] for event in of("Log.entryAdded")]
        asked = [event["request"]["url"] for event in of("Network.requestWillBeSent")]
        return said, [one for one in asked if one.split("#")[0] != url]

    def evaluate(self, expression):
        return self.ask("Runtime.evaluate", {"expression": expression, "returnByValue": True})["result"]["value"]

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


def look(browser, path, to):
    faults = []
    url = path.resolve().as_uri()
    print(f"{path.name}: {path.stat().st_size:,} bytes")
    browser.ask("Emulation.setDeviceMetricsOverride", {"width": WIDTH, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    for scheme in ["light", "dark"]:
        browser.ask("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        browser.open(url)
        said, asked = browser.seen(url)
        page = browser.evaluate(LOOK)
        least = page["least"]
        print(f"  {scheme}: {len(said)} console messages, {len(asked)} requests, {page['sideways']} px sideways at {WIDTH} px, least contrast "
              f"{least['ratio']:.2f} of {least['needed']} in {page['texts']:,} texts ({least['text']!r})")
        faults += [f"{scheme}: console: {text}" for text in said] + [f"{scheme}: request: {one}" for one in asked]
        for name in ["sideways", "skipped", "links", "unnamed", "scripts", "twice", "landmarks"]:
            if page[name]:
                faults.append(f"{scheme}: {name}: {page[name]}")
        if least["ratio"] < least["needed"]:
            faults.append(f"{scheme}: contrast {least}")
        if to:
            height = min(page["height"], 16000)
            clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": 1}
            shot = browser.ask("Page.captureScreenshot", {"format": "png", "clip": clip, "captureBeyondViewport": True})
            (to / f"{path.stem}-{scheme}.png").write_bytes(base64.b64decode(shot["data"]))
    browser.ask("Emulation.setEmulatedMedia", {"features": []})
    browser.ask("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.ask("Emulation.setDeviceMetricsOverride", {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True})
    browser.open(url)
    said, asked = browser.seen(url)
    width = browser.ask("Page.getLayoutMetrics")["cssContentSize"]["width"]
    browser.ask("Emulation.setScriptExecutionDisabled", {"value": False})
    print(f"  without scripts at 360 px: {len(said)} console messages, {len(asked)} requests, content {width:g} px wide")
    if said or asked or width > 360:
        faults.append(f"at 360 px: {said} {asked} {width}")
    browser.ask("Emulation.clearDeviceMetricsOverride")
    stream = browser.ask("Page.printToPDF", {"preferCSSPageSize": True, "printBackground": False, "transferMode": "ReturnAsStream"})["stream"]
    pdf = b""
    while True:
        part = browser.ask("IO.read", {"handle": stream})
        pdf += base64.b64decode(part["data"]) if part.get("base64Encoded") else part["data"].encode()
        if part["eof"]:
            break
    with tempfile.TemporaryDirectory() as folder:
        file = (to or pathlib.Path(folder)) / f"{path.stem}.pdf"
        file.write_bytes(pdf)
        if not shutil.which("pdftotext"):
            print(f"  printed: {len(pdf):,} bytes; without pdftotext nobody looked for page numbers")
            return faults
        texts = subprocess.run(["pdftotext", "-layout", file, "-"], capture_output=True, text=True, check=True).stdout.split("\f")[:-1]
    numbered = [bool(re.search(rf"Page {at} of {len(texts)}\b", text)) for at, text in enumerate(texts, 1)]
    print(f"  printed: {len(texts)} pages, {sum(numbered)} with their number")
    if not all(numbered):
        faults.append("a printed page has no number")
    return faults


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--chromium", default=next((name for name in ["chromium", "chromium-browser", "google-chrome"] if shutil.which(name)), "chromium"))
    parser.add_argument("--to-dir", type=pathlib.Path)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    args = parser.parse_args()
    if args.to_dir:
        args.to_dir.mkdir(parents=True, exist_ok=True)
    browser = Browser(args.chromium)
    print(browser.ask("Browser.getVersion", None, None)["product"].replace("Headless", ""))
    faults = []
    for path in args.files:
        of_page = look(browser, path, args.to_dir)
        [print(f"  WRONG: {fault}") for fault in of_page]
        faults += of_page
    browser.close()
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
