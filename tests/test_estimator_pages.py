"""Each published estimator has one file, one page with the seven headings, a test and a source."""

import re
from pathlib import Path

import pytest

from scg.estimators import ESTIMATORS

ROOT = Path(__file__).resolve().parent.parent
HEADINGS = [
    "Idea",
    "Formula",
    "Assumptions",
    "In the protocol",
    "Cost and variance",
    "Example",
    "Reference",
]


@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
def test_file_page_test_and_source(cls):
    module = cls.__module__.rpartition(".")[2]
    page = ROOT / "docs" / "reference" / "estimators" / f"{module}.md"
    headings = re.findall(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
    assert headings == HEADINGS
    tests = [*(ROOT / "tests" / "estimators").glob("*.py"), *(ROOT / "tests/laws").glob("*.py")]
    assert any(f"scg.{cls.__name__}(" in path.read_text() for path in tests)
    assert cls.cites and cls.formula
