"""The page on choosing an estimator is what the traits and the measurements say."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks" / "estimators"
RECORDS = [
    json.loads(line)
    for line in (ROOT / "docs" / "results" / "estimators.jsonl").read_text().splitlines()
]


def test_the_page_is_current():
    """Otherwise: python benchmarks/estimators/page.py."""
    run = subprocess.run(
        [sys.executable, FOLDER / "page.py", "--check"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr


def test_every_figure_is_a_number_and_none_is_there_twice():
    keys = [(r["task"], r["case"], r["estimator"]) for r in RECORDS]
    assert len(set(keys)) == len(keys)
    for record in RECORDS:
        assert 0 <= record["variance"] < float("inf") and record["seconds"] > 0, record


def test_the_toy_was_measured_right():
    """Closed forms for logit 1: the score function, and leave-one-out of two draws."""
    p = 1 / (1 + 2.718281828459045**-1)
    found = {(r["case"], r["estimator"]): r["variance"] for r in RECORDS if r["task"] == "toy"}
    for t in (0.45, 0.49, 0.499):
        one, zero = (1 - t) ** 2, t**2
        mean = p * (1 - p) * (one - zero)
        score = p * (one * (1 - p)) ** 2 + (1 - p) * (zero * p) ** 2 - mean**2
        assert abs(found[str(t), "score"] / score - 1) < 0.05
        # Two draws that differ give (one − zero)/2, others nothing.
        pair = 2 * p * (1 - p) * ((one - zero) / 2) ** 2 - mean**2
        assert abs(found[str(t), "leave-one-out, K=2"] / pair - 1) < 0.05
