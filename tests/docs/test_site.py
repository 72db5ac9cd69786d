"""The built site, in a browser: `.ci/run` builds it, and then runs these tests alone.

    sphinx-build -W -b html docs docs/_build/html && pytest -m site

Each page is loaded once, from its file: it asks nothing of any server, reports no error, shows its
mathematics, and is not wider than a narrow window. All links between pages lead somewhere.
"""

import html
import json
import re
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

SITE = Path(__file__).resolve().parents[2] / "docs" / "_build" / "html"
PAGES = sorted(SITE.rglob("*.html"))
pytestmark = pytest.mark.site


def test_pages_are_self_contained_and_narrow(browser):
    assert len(PAGES) > 60, (
        "build the documentation first: sphinx-build -b html docs docs/_build/html"
    )
    faults, formulas = {}, 0
    page = browser.open(PAGES[0], width=400)
    for path in PAGES:
        page.load(path)
        page.settle()
        found = [*page.requests, *page.errors]
        if page.overflow > 0:
            found.append(f"{page.overflow} pixels wider than 400")
        missing = page.evaluate(
            "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
        )
        raw = page.evaluate("document.querySelectorAll('.math:not(:has(mjx-container))').length")
        formulas += page.evaluate("document.querySelectorAll('mjx-container svg').length")
        if missing or raw:
            found.append(f"pictures missing: {missing}, formulas not typeset: {raw}")
        if found:
            faults[str(path.relative_to(SITE))] = found
    page.close()
    assert not faults, json.dumps(faults, indent=1)
    assert formulas > 300


def test_links_lead_somewhere():
    """Files and anchors; addresses elsewhere are not visited."""
    texts = {path: path.read_text(encoding="utf-8") for path in PAGES}
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in texts.items()}
    dead, seen = [], 0
    for path, text in texts.items():
        for link in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', text):
            address, anchor = urldefrag(html.unescape(link))
            if re.match(r"[a-z]+:", address):
                continue
            target = (path.parent / unquote(address)).resolve() if address else path
            seen += 1
            if not target.exists():
                dead.append(f"{path.relative_to(SITE)}: {link}")
            elif anchor and target in anchors and unquote(anchor) not in anchors[target]:
                dead.append(f"{path.relative_to(SITE)}: {link} (no such anchor)")
    assert not dead, "\n".join(sorted(set(dead))[:40])
    assert seen > 5000


def test_search_finds_pages(browser):
    page = browser.open(SITE / "search.html")
    page.load((SITE / "search.html").as_uri() + "?q=MuProp")
    found = page.evaluate(
        "new Promise(done => { const look = () => { const n = document.querySelectorAll("
        "'#search-results li').length; n > 3 ? done(n) : setTimeout(look, 100) }; look() })"
    )
    assert found > 3 and not page.requests
    page.close()


def test_dark_mode_reaches_drawings(browser):
    """The text of an inlined picture has the colour of the page's text."""
    page = browser.open(SITE / "reference" / "estimators" / "muprop.html", dark=True)
    script = "getComputedStyle(document.querySelector('{}')).{}"
    text = page.evaluate(script.format("article p", "color"))
    assert page.evaluate(script.format(".drawing svg text", "fill")) == text
    assert page.evaluate("document.querySelector('.drawing svg').getAttribute('aria-label')")
    page.load(SITE / "gallery" / "index.html")
    for theme in ("light", "dark"):  # the page's own switch, on a dark system
        page.evaluate(f"document.body.dataset.theme = '{theme}'")
        assert page.evaluate(script.format("figure img", "colorScheme")) == theme
    page.close()


def test_a_box_of_the_gallery_opens(browser):
    page = browser.open(SITE / "gallery" / "index.html")
    count = "document.querySelectorAll('.view:not([hidden]) g.network').length"
    assert page.evaluate(count) == 2
    page.click(".view:not([hidden]) g[data-opens]")
    assert page.evaluate(count) == 4 and not page.errors
    page.close()


def test_the_lab_is_there(browser):
    page = browser.open(SITE / "lab.html", width=400)
    assert page.overflow == 0 and not page.errors
    assert page.evaluate("document.querySelectorAll('#rows tr').length") == 3
    page.close()


def test_a_downloaded_notebook_runs_in_jupyter(tmp_path):
    """Its link is on the page, and its cells show what the page shows."""
    import nbformat  # only the environment that builds the documentation has both
    from nbclient import NotebookClient

    folder = SITE / "tutorials"
    assert 'href="first_gradient.ipynb" download' in (folder / "first_gradient.html").read_text()
    book = nbformat.read(folder / "first_gradient.ipynb", as_version=4)
    nbformat.validate(book)
    wanted = [cell.outputs for cell in book.cells if cell.cell_type == "code"]
    NotebookClient(book, resources={"metadata": {"path": tmp_path}}).execute()
    shown = [cell.outputs for cell in book.cells if cell.cell_type == "code"]
    for want, got in zip(wanted, shown, strict=True):
        texts = [
            [out.get("text") or out["data"]["text/plain"] for out in outputs]
            for outputs in (want, got)
        ]
        assert "".join(texts[0]).split() == "".join(texts[1]).split()
