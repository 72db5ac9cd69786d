"""The demo's report and an explanation page in a real browser, at the width of a desk and a phone.

Chromium is driven by the WebDriver protocol (W3C), which is JSON over HTTP.
"""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

import scg
from scg.command.demo import demo
from scg.models import sbn

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()
WIDTHS = (1280, 400)

pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs Chromium and its driver (chromium, chromedriver)"
)

#: What a reader sees: the window, pictures, texts that are too small, and what sticks out.
SEEN = """
const all = [...document.querySelectorAll("body *")];
const box = e => e.getBoundingClientRect();
const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
const size = e => parseFloat(getComputedStyle(e).fontSize)
    * (e.ownerSVGElement ? e.getScreenCTM().a : 1);
const scrolls = e => e && (["auto", "scroll"].includes(getComputedStyle(e).overflowX)
    || scrolls(e.parentElement));
return {
  width: innerWidth,
  page: document.scrollingElement.scrollWidth,
  pictures: all.filter(e => e.matches("img, svg")).map(e => ({
    kind: e.localName, wide: box(e).width, high: box(e).height,
    loaded: e.localName === "svg" || (e.complete && e.naturalWidth > 0)})),
  small: all.filter(e => own(e) && !e.matches("script, style, title") && size(e) < 8)
    .map(e => [e.textContent.trim(), size(e)]),
  outside: all.filter(e => box(e).right > innerWidth + 1 && !scrolls(e)).map(e => e.outerHTML),
};
"""


class Browser:
    """A session of a headless Chromium with a fresh profile."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self.driver = subprocess.Popen(
            [DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._await_driver()
        options = {"binary": CHROMIUM, "args": [*FLAGS, f"--user-data-dir={folder}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._send("/session", {"capabilities": {"alwaysMatch": wanted}})
        self.base += f"/session/{made['sessionId']}"

    def _await_driver(self):
        for _ in range(300):
            try:
                return self._send("/status")
            except urllib.error.URLError:
                time.sleep(0.1)
        raise TimeoutError("chromedriver does not answer")

    def _send(self, path, body=None, method=None):
        request = urllib.request.Request(
            self.base + path,
            None if body is None else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def open(self, path, width):
        """Show a file in a window of this width."""
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        command = {"cmd": "Emulation.setDeviceMetricsOverride", "params": screen}
        self._send("/goog/cdp/execute", command)
        self.messages()  # those of the page before
        self._send("/url", {"url": path.as_uri()})

    def run(self, script):
        """Return what a script returns."""
        return self._send("/execute/sync", {"script": script, "args": []})

    def messages(self):
        """Return what the console received since the last call."""
        return [entry["message"] for entry in self._send("/se/log", {"type": "browser"})]

    def close(self):
        """End the session, then the driver."""
        self._send("", method="DELETE")
        self.driver.terminate()
        self.driver.wait(30)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The two pages by name, and how many pictures each has."""
    folder = tmp_path_factory.mktemp("pages")
    demo(folder, epochs=2, progress=False)
    step = scg.compile(sbn(np.full(64, 0.3)), scg.MuProp())
    step.explain().to_html(folder / "why.html")
    return {"report": (folder / "report.html", 6), "explanation": (folder / "why.html", 1)}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["report", "explanation"])
def test_a_page_is_whole_and_readable(browser, pages, name, width):
    path, pictures = pages[name]
    browser.open(path, width)
    seen = browser.run(SEEN)
    assert browser.messages() == []
    assert seen["width"] == width
    assert len(seen["pictures"]) == pictures
    assert all(p["loaded"] and min(p["wide"], p["high"]) > 20 for p in seen["pictures"]), seen
    assert seen["small"] == []
    assert seen["outside"] == []
    assert seen["page"] <= width


def test_pressing_a_node_marks_its_term_and_its_cost(browser, pages):
    browser.open(pages["explanation"][0], 1280)
    marked = browser.run("""
    const node = [...document.querySelectorAll("g.node")]
      .find(e => e.textContent.includes("Bernoulli") && e.textContent.includes("h1"));
    node.dispatchEvent(new MouseEvent("click", {bubbles: true}));
    const heads = [...document.querySelectorAll("section.chosen h4")].map(e => e.textContent);
    const costs = [...document.querySelectorAll("g.credited text")].map(e => e.textContent);
    return [heads.map(text => text.split(" ")[0]), costs];
    """)
    assert marked == [["h1"], ["loss"]]
    assert browser.messages() == []


def test_what_is_wrong_is_seen(browser, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text(
        "<!DOCTYPE html><link rel=icon href='data:,'><img src='data:image/png;base64,AAAA' "
        "width=30 height=30><p style='font-size:5px'>tiny</p><div style='width:2000px'>wide</div>"
        "<script>console.error('spoken')</script>"
    )
    browser.open(path, 400)
    seen = browser.run(SEEN)
    assert ["spoken" in text for text in browser.messages()] == [True]
    assert [picture["loaded"] for picture in seen["pictures"]] == [False]
    assert seen["small"] == [["tiny", 5]]
    assert len(seen["outside"]) == 1 and seen["page"] >= 2000
