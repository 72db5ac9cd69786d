"""Every example that a reader can see runs: README, documentation, docstrings.

In Markdown a block fenced as ``python`` is a doctest (``>>>``); blocks of one page share their
names. A sketch that is not meant to run is an indented block.
"""

import doctest
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MODULES = sorted((ROOT / "scg").rglob("*.py"))
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS

FENCE = re.compile(r"^(?P<tick>`{3,})(?P<language>[^\n`]*)\n(?P<code>.*?)^(?P=tick)$", re.M | re.S)


def python_blocks(text: str) -> list[tuple[int, str]]:
    """Line (from 0) and code of each block fenced as python."""
    return [
        (text.count("\n", 0, match.start("code")), match["code"])
        for match in FENCE.finditer(text)
        if match["language"].strip() == "python"
    ]


def run(test: doctest.DocTest) -> None:
    """Run one doctest; its names stay, for the next block of the page."""
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    if runner.run(test, out=report.append, clear_globs=False).failed:
        raise AssertionError("".join(report))  # not `assert`, whose report would repeat it


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def run_page(text: str, name: str, filename: str) -> None:
    names: dict[str, object] = {}
    blocks = python_blocks(text)
    opened = [line for line in text.splitlines() if line.rstrip() == "```python"]
    assert len(blocks) == len(opened), f"{filename}: a block is not closed"
    for line, code in blocks:
        test = doctest.DocTestParser().get_doctest(code, {}, name, filename, line)
        assert test.examples, f"{filename}:{line + 1}: a python block that is not a doctest"
        test.globs = names  # shared between blocks, where get_doctest would copy
        run(test)


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_page(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples may write pictures
    run_page(page.read_text(encoding="utf-8"), page.stem, relative(page))


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_docstrings(path, tmp_path, monkeypatch):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    if path.parent.name == "interop" and path.stem != "__init__":
        pytest.importorskip(path.stem)  # a framework that no other part of scg needs
    module = importlib.import_module(name)
    monkeypatch.chdir(tmp_path)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module):
        run(test)


def test_readme_shows_python():
    assert python_blocks((ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```python\n>>> 1 + 1\n3\n```\n", "Expected:\n    3\nGot:\n    2"),
        ("text\n\n```python\n>>> x = 1\n```\n\n```python\n>>> x\n2\n```\n", "line 8"),
        ("```python\n>>> undefined\n1\n```\n", "NameError"),
        ("```python\nx = 1\n```\n", "page.md:2: a python block that is not a doctest"),
    ],
    ids=["wrong value", "shared names and line", "exception", "not a doctest"],
)
def test_a_wrong_page_is_caught(text, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        run_page(text, "page", "page.md")
