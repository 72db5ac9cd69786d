"""Each published estimator has one file, one page with these headings, a test and a source.

Its formula is on the page (see test_tables) and has an exact picture of its variance.
"""

import importlib.util
import json
import re
import sys
from pathlib import Path

import pytest

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


@pytest.fixture(scope="module")
def script():
    """The script that draws the pictures."""
    spec = importlib.util.spec_from_file_location("variances", ROOT / "docs" / "variances.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["variances"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["variances"]


@pytest.mark.filterwarnings("ignore::scg.BiasWarning")
@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
def test_the_picture_of_the_variance_is_exact(cls, script):
    """One number of each picture, computed again."""
    page = page_of(cls)
    assert f"](variance/{page}.svg)" in sections(page)["Cost and variance"]
    assert (FOLDER / "variance" / f"{page}.svg").stat().st_size < 30_000
    curves = json.loads(script.FILE.read_text(encoding="utf-8"))[page]
    graph, estimators = script.PAGES[page]
    name, estimator = next(iter(estimators.items()))
    step = scg.compile(script.GRAPHS[graph](), estimator)
    found = script.variance(step, script.HERE, script.learned(step))
    drawn = curves[name][script.THETAS.index(script.HERE)]
    assert found == pytest.approx(drawn, rel=1e-6, abs=1e-12)
