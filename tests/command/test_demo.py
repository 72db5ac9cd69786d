"""The demo's report is whole, self-contained, and says what the figures say."""

import json
import re
from html.parser import HTMLParser

import pytest

from scg.command.demo import CALIBRATED, ESTIMATORS, demo

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Checks that tags close in order, and collects what the page refers to."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.refers = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.refers += [value for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_startendtag(self, tag, attrs):
        self.refers += [value for name, value in attrs if name in ("src", "href", "xlink:href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    result = demo(folder, epochs=2, progress=False)
    page = Page()
    source = (folder / "report.html").read_text(encoding="utf-8")
    page.feed(source)
    return folder, result, page, source


def test_the_page_is_well_formed_and_needs_nothing_else(made):
    _, _, page, source = made
    assert page.open == []
    assert all(value.startswith(("data:", "#")) for value in page.refers), page.refers
    assert "<script" not in source
    assert source.count('src="data:image/png;base64,') == 3
    assert "nan" not in re.sub(r"base64,[^\"]+", "", source).lower().replace("meaning", "")


def test_the_figures_are_the_results(made):
    folder, result, page, _ = made
    text = "".join(page.text)
    assert json.loads((folder / "result.json").read_text()) == result
    assert list(result["estimators"]) == list(ESTIMATORS)
    for row in result["estimators"].values():
        assert f"{row['held_out_bound']:.2f} ± {row['held_out_bound_stderr']:.2f}" in text
        assert f"{row['gradient_variance']:.2e}" in text
        assert row["held_out_bound"] < -20
    assert [row["unbiased"] for row in result["estimators"].values()] == [True, True, False]
    assert [cell for cell in page.text if cell in ("yes", "no")] == ["yes", "yes", "no"]


def test_a_demo_that_is_cut_short_says_that_the_bound_was_not_reached(made):
    _, result, page, _ = made
    assert not result["reached"]
    assert f"No unbiased estimator reached the calibrated bound of {CALIBRATED:.1f}" in "".join(
        page.text
    )


def test_the_graph_is_there_with_its_terms(made):
    text = "".join(made[2].text)
    for word in ("h1", "h2", "decoder1/{W, b}", "MuProp", "surrogate S ="):
        assert word in text
