"""Chromium without a window, driven through its own pipe: no driver, and no package from PyPI.

The fixture `browser` starts one process for a test session. `browser.open(path)` loads a file and
returns a `Page`, which counts what was requested and collects errors:

    page = browser.open(path, width=400, dark=True)
    page.evaluate("document.title")
    page.click("#terms button")
    page.press("ArrowRight")
    page.screenshot("page.png")
    assert not page.errors and not page.requests

Without Chromium a test is skipped, but fails under continuous integration (``CI``).
"""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import pytest

INSTALL = "apt-get install -y --no-install-recommends chromium"
SWITCHES = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-extensions", "--disable-sync", "--remote-debugging-pipe",
]  # fmt: skip
KEYS = {"Enter": (13, "\r"), "Space": (32, " "), "Escape": (27, ""), "Tab": (9, "")} | {
    f"Arrow{way}": (37 + i, "") for i, way in enumerate(["Left", "Up", "Right", "Down"])
}


class Browser:
    """A process of Chromium, and the answers that it sends."""

    def __init__(self, executable: str) -> None:
        self.profile = tempfile.mkdtemp(prefix="scg-browser-")
        get, put = os.pipe(), os.pipe()
        # Chromium reads commands from descriptor 3 and writes answers to descriptor 4.
        shell = f'exec "$@" 3<&{get[0]} 4>&{put[1]}'
        self.process = subprocess.Popen(
            ["bash", "-c", shell, "-", executable, *SWITCHES, f"--user-data-dir={self.profile}"],
            pass_fds=(get[0], put[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(get[0])
        os.close(put[1])
        self.write, self.read = get[1], put[0]
        self.numbers, self.buffer = itertools.count(1), b""
        self.answers: dict[int, dict] = {}
        self.events: dict[str, list[dict]] = defaultdict(list)

    def call(self, method: str, session: str = "", **parameters: object) -> dict:
        """The result of one command of the DevTools protocol."""
        message = {"id": next(self.numbers), "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + 60
        while message["id"] not in self.answers:
            self.receive(until - time.monotonic(), method)
        answer = self.answers.pop(message["id"])
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def receive(self, seconds: float, what: str) -> None:
        """Sort the next messages into answers, and events by session."""
        if not select.select([self.read], [], [], max(seconds, 0))[0]:
            raise TimeoutError(f"Chromium did not answer {what} in time")
        received = os.read(self.read, 1 << 20)
        if not received:
            raise RuntimeError(f"Chromium ended before it answered {what}")
        *messages, self.buffer = (self.buffer + received).split(b"\0")
        for message in map(json.loads, messages):
            if "id" in message:
                self.answers[message["id"]] = message
            else:
                self.events[message.get("sessionId", "")].append(message)

    def open(self, path: Path | str, width: int = 1280, height: int = 900, dark: bool = False):
        """A new page that has loaded a local file."""
        page = Page(self)
        page.resize(width, height)
        page.darken(dark)
        page.load(path)
        return page

    def close(self) -> None:
        """End the process and remove its profile."""
        self.call("Browser.close")
        self.process.wait(20)
        os.close(self.write)
        os.close(self.read)
        shutil.rmtree(self.profile, ignore_errors=True)


class Page:
    """A tab: what it requested from elsewhere since `load`, its errors, a user's hands and eyes."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=self.target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict:
        return self.browser.call(method, self.session, **parameters)

    def of(self, *methods: str) -> list[dict]:
        """The parameters of events that have arrived."""
        events = self.browser.events[self.session]
        return [event["params"] for event in events if event["method"] in methods]

    def load(self, path: Path | str) -> None:
        """Load another file in this tab, wait until it is complete, and forget what was before."""
        self.browser.events[self.session].clear()
        url = str(path) if "://" in str(path) else Path(path).resolve().as_uri()
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise RuntimeError(f"{url}: {answer['errorText']}")
        until = time.monotonic() + 60
        while not self.of("Page.loadEventFired"):
            self.browser.receive(until - time.monotonic(), f"for {url}")

    def evaluate(self, script: str):
        """The value of an expression of JavaScript; a promise is awaited."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", details).get("description", str(details)))
        return answer["result"].get("value")

    def settle(self) -> None:
        """Wait until MathJax, if a page has it, is done, and two frames are painted."""
        self.evaluate(
            "(window.MathJax && MathJax.startup ? MathJax.startup.promise : Promise.resolve())"
            ".then(() => new Promise(done => setTimeout(done, 30)))"
        )

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of the first element."""
        where = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            " e.scrollIntoView({block: 'center', inline: 'center', behavior: 'instant'});"
            " const r = e.getBoundingClientRect();"
            " return [r.x + r.width / 2, r.y + r.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind, x=where[0], y=where[1], button="left", clickCount=1,
            )  # fmt: skip

    def press(self, key: str, times: int = 1) -> None:
        """Press a key: a letter, or a name of `KEYS`."""
        code, text = KEYS[key] if key in KEYS else (ord(key.upper()), key)
        name = " " if key == "Space" else key
        known = {"key": name, "code": key, "windowsVirtualKeyCode": code}
        for _ in range(times):
            self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **known)
            self.call("Input.dispatchKeyEvent", type="keyUp", **known)

    def resize(self, width: int, height: int = 900) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def darken(self, dark: bool) -> None:
        """Prefer dark colours, or light ones."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path | str, whole: bool = False) -> None:
        """Write a picture of the window, or of the whole page."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        Path(path).write_bytes(base64.b64decode(answer["data"]))

    @property
    def requests(self) -> list[str]:
        """Addresses that the page asked for, other than files and data in the page itself."""
        asked = [event["request"]["url"] for event in self.of("Network.requestWillBeSent")]
        return [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]

    @property
    def errors(self) -> list[str]:
        """Messages of exceptions, of ``console.error``, and of files that are missing."""
        found = [
            details["exception"].get("description", details["text"])
            for details in (e["exceptionDetails"] for e in self.of("Runtime.exceptionThrown"))
        ]
        found += [
            " ".join(str(arg.get("value", arg.get("description"))) for arg in event["args"])
            for event in self.of("Runtime.consoleAPICalled")
            if event["type"] == "error"
        ]
        entries = [event["entry"] for event in self.of("Log.entryAdded")]
        return found + [f"{e['text']} {e.get('url', '')}" for e in entries if e["level"] == "error"]

    @property
    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return self.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def close(self) -> None:
        self.browser.call("Target.closeTarget", targetId=self.target)


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests of a session."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        message = f"these tests look at pages in Chromium: {INSTALL}"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    started = Browser(executable)
    yield started
    started.close()
