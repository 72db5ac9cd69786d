"""Each published estimator has one file, one page with these headings, a test and a source.

Its formula is on the page (see test_tables) and has an exact picture of its variance.
"""

import re
from pathlib import Path

import pytest
import variances

import scg
from scg.estimators import ESTIMATORS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference" / "estimators"
HEADINGS = [
    "Idea",
    "When to use it",
    "Formula",
    "Assumptions",
    "In the protocol",
    "Cost and variance",
    "Example",
    "Signature",
    "Reference",
]
FACTS = ["Taylor point", "Coupling", "Stopped", "Noise", "Orders"]


def sections(page):
    """The text under each heading of the second level."""
    parts = re.split(r"^## (.+)\n", (FOLDER / f"{page}.md").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def page_of(cls):
    return cls.__module__.rpartition(".")[2]


@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
def test_file_page_test_and_source(cls):
    assert list(sections(page_of(cls))) == HEADINGS
    tests = [*(ROOT / "tests" / "estimators").glob("*.py"), *(ROOT / "tests/laws").glob("*.py")]
    assert any(f"scg.{cls.__name__}(" in path.read_text() for path in tests)
    assert cls.cites and cls.formula
    assert vars(scg).get(cls.__name__) is cls, f"import {cls.__name__} in scg/__init__.py"
    assert "…" not in (FOLDER / f"{page_of(cls)}.md").read_text(), "the page is not filled"


@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
def test_the_protocol_section_says_where_it_stands(cls):
    """Taylor point, coupling, what is stopped, which noise is shared, and the claimed orders."""
    text = sections(page_of(cls))["In the protocol"]
    facts = dict(re.findall(r"^- ([A-Z][a-z ]+): (.+)", text, re.MULTILINE))
    assert list(facts) == FACTS
    claimed = {0: "0 (biased).", 1: "1.", float("inf"): "any."}
    assert facts["Orders"] == claimed[cls.orders]


@pytest.mark.filterwarnings("ignore::scg.BiasWarning")
@pytest.mark.parametrize("page", variances.PAGES)
def test_the_picture_of_the_variance_is_current(page):
    """One point of each picture's first curve, computed again; the file is that of the numbers."""
    known = variances.load()
    assert f"](variance/{page}.svg)" in sections(page)["Cost and variance"]
    text = (FOLDER / "variance" / f"{page}.svg").read_text(encoding="utf-8")
    assert text == variances.picture(page, known)
    toy = next(toy for toy in variances.toys(page) if known[page][toy])
    name, estimator = next(iter(variances.PAGES[page].items()))
    drawn = known[page][toy][name]
    found = variances.curve(page, toy, estimator, [variances.HERE])
    at = variances.THETAS.index(variances.HERE)
    tolerance = {"rel": 1e-5, "abs": 1e-12}
    assert found["variance"][0] == pytest.approx(drawn["variance"][at], **tolerance)
    assert found["bias2"][0] == pytest.approx(drawn["bias2"][at], **tolerance)
    kept = ("evaluations", "sampled", "unbiased")
    assert [found[key] for key in kept] == [drawn[key] for key in kept]


def test_the_other_curves_are_current():
    known = variances.load()[""]
    for toy in variances.toys(""):
        # a score does not fit a point mass
        assert list(known[toy]) == ([] if toy == "point" else list(variances.OTHERS))
        for name in known[toy]:
            estimator = variances.OTHERS[name]
            found = variances.curve("", toy, estimator, [variances.HERE])["variance"][0]
            drawn = known[toy][name]["variance"][variances.THETAS.index(variances.HERE)]
            assert found == pytest.approx(drawn, rel=1e-5)


def test_curves_have_a_bias_where_estimators_declare_one():
    """Sampled curves of unbiased estimators have none by construction; the others are computed."""
    seen = set()
    for page, toys in variances.load().items():
        for toy, curves in toys.items():
            for name, curve in curves.items():
                if curve["unbiased"]:
                    assert not any(curve["bias2"]), (page, toy, name)
                elif any(curve["bias2"]):
                    seen.add(page)
    biased = {page_of(cls) for cls in ESTIMATORS if cls.unbiased is False}
    assert seen == biased
