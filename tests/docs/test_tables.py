"""The generated pages of the reference are what the code says."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

from scg.distributions import DISTRIBUTIONS
from scg.graph.declaration.notation import functions

ROOT = Path(__file__).resolve().parents[2]


def test_tables_are_current():
    """Otherwise: python docs/tables.py."""
    run = subprocess.run(
        [sys.executable, ROOT / "docs" / "tables.py", "--check"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_no_row_of_sampled_estimators_stands_twice():
    page = (ROOT / "docs" / "reference" / "sampled.md").read_text(encoding="utf-8")
    rows = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| `")]
    assert rows and len({*rows}) == len(rows)


def test_every_law_has_a_measured_accuracy():
    """`Delta` has no density."""
    page = (ROOT / "docs" / "reference" / "accuracy.md").read_text(encoding="utf-8")
    missing = [f.__name__ for f in DISTRIBUTIONS if f"| {f.__name__} |" not in page]
    assert missing == ["Delta"]


def test_every_op_has_a_measured_accuracy():
    """A row of its own, or one that it shares, or none because it moves numbers."""
    page = (ROOT / "docs" / "reference" / "accuracy.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\w+", page))
    missing = {n for n, f in functions().items() if not inspect.isclass(f)} - named
    assert not missing
