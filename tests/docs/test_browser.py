"""The browser of the tests notices what the tests of pages rely on."""

PAGE = """<title>bad</title><body style="margin: 0"><button style="width: 900px">0</button>
<img src="http://missing.invalid/picture.png"><img src="missing.png">
<script>
document.querySelector("button").onclick = e => e.target.textContent = "pressed"
document.onkeydown = e => document.title = e.key
console.error("wrong", 1)
nowhere()
</script>"""


def test_requests_errors_overflow_and_hands(browser, tmp_path):
    (tmp_path / "page.html").write_text(PAGE)
    page = browser.open(tmp_path / "page.html", width=400, dark=True)
    page.settle()
    assert page.requests == ["http://missing.invalid/picture.png"]
    text = "\n".join(page.errors)
    assert "wrong 1" in text and "nowhere is not defined" in text and "missing.png" in text
    assert page.overflow == 500
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.click("button")
    assert page.evaluate("document.querySelector('button').textContent") == "pressed"
    for key in ("a", "ArrowRight", "Escape"):
        page.press(key)
        assert page.evaluate("document.title") == key
    page.screenshot(tmp_path / "page.png", whole=True)
    assert (tmp_path / "page.png").read_bytes()[1:4] == b"PNG"

    (tmp_path / "good.html").write_text("<p>good")
    page.load(tmp_path / "good.html")
    assert (page.requests, page.errors, page.overflow) == ([], [], 0)
    page.close()
