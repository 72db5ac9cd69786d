"""Law 1: every estimator on every graph is exact, sampled, biased as it says, or refused.

`test_the_whole_matrix` prints it: pytest -rP tests/laws/test_matrix.py
"""

import json
import math
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from statistics import NormalDist

import pytest

import scg
from scg.estimators import ESTIMATORS

from .choices import CHOICES
from .graphs import ROWS
from .verdicts import FAMILY_WISE, POWER, THRESHOLD, WEAKEST, Verdict, verdict

pytestmark = [
    pytest.mark.filterwarnings("ignore::scg.StopWarning"),
    pytest.mark.filterwarnings("ignore::scg.PathsWarning"),
]
SIGNS = {"exact": "=", "sampled": "~", "biased": "b", "refused": "."}
DETECTED = 1e-3  # relative to the gradient
#: How each estimator stands, with the bias that runs would find; docs/sampled.py writes it.
RECORD = Path(__file__).resolve().parents[2] / "docs" / "results" / "laws.json"


@pytest.fixture(scope="session")
def verdicts(kept, seed):
    """The verdicts of a row by the name of the estimator."""

    def of(row):
        return kept(str(row), {name: partial(found, row, name, seed) for name in CHOICES})

    return of


def found(row, name, seed, drawn):
    """A verdict, also about what breaks the law: the other estimators are to be seen, too."""
    try:
        return verdict(row, name, seed, drawn=drawn)
    except AssertionError as error:
        return Verdict("wrong", reason=str(error), drawn=True)


@pytest.mark.statistical
@pytest.mark.parametrize("row", ROWS.values(), ids=str)
def test_every_estimator_keeps_the_law(row, verdicts, seed):
    wrong = {name: v.reason for name, v in verdicts(row).items() if v.kind == "wrong"}
    assert not wrong, "\n".join(f"{name} on {row}: {reason}" for name, reason in wrong.items())


@pytest.mark.statistical
def test_the_whole_matrix(verdicts, seed):
    # From the end, because another process may be at a row before it, and would find the same ones.
    found = {name: verdicts(row) for name, row in reversed(ROWS.items())}
    matrix = {name: found[name] for name in ROWS}
    sys.stdout.write(table(matrix))
    for row, cells in matrix.items():
        assert set(cells) == set(CHOICES), f"{row} has empty cells"
    for name, make in CHOICES.items():
        column = {row: cells[name] for row, cells in matrix.items()}
        biases = [v.number for v in column.values() if v.kind == "biased"]
        # Detected where it is claimed; elsewhere the law itself finds none.
        shown = any(bias > DETECTED for bias in biases) or all(map(math.isnan, biases))
        assert shown, f"{name} claims a bias that shows nowhere"
        assert any(v.kind != "refused" for v in column.values()), f"{name} is refused everywhere"
        estimator = make(ROWS["two_units"].build())
        # VIMCO's requirement is its plate.
        general = isinstance(estimator, scg.Estimator) and not isinstance(estimator, scg.VIMCO)
        if general and not estimator.requires:
            refused = [row for row, v in column.items() if v.kind == "refused"]
            assert not refused, f"{name} requires nothing, but is refused on {refused}"
    assert_documented(matrix)


def assert_documented(matrix):
    """Otherwise: PYTHONPATH=. python docs/sampled.py FOLDER && python docs/tables.py."""
    said = json.loads(RECORD.read_text(encoding="utf-8"))
    assert set(said) == set(CHOICES)
    for name in CHOICES:
        now = recorded({row: cells[name] for row, cells in matrix.items()})
        for kind in ("exact", "biased", "refused"):
            assert said[name][kind] == now[kind], f"{name}: {kind}"
        assert set(said[name]["sampled"]) == set(now["sampled"]), name
        assert all(0 <= bias <= WEAKEST for bias in said[name]["sampled"].values()), name


def recorded(column):
    """How an estimator stands on the rows: how often, and where runs were averaged."""
    kinds = Counter(v.kind for v in column.values())
    counts = {kind: kinds[kind] for kind in ("exact", "biased", "refused")}
    runs = {row: round(v.number, 3) for row, v in column.items() if v.kind == "sampled"}
    return counts | {"sampled": runs}


def test_every_estimator_of_the_registry_is_in_the_table():
    graphs = [row.build() for row in ROWS.values()]
    made = [make(graph) for make in CHOICES.values() for graph in graphs]
    several = [e for one in made for e in (one.values() if isinstance(one, dict) else [one])]
    assert {type(e) for e in several if e is not None} == set(ESTIMATORS)


def test_the_threshold_keeps_the_family_wise_rate():
    components = sum(1 + sum(v.size for v in row.params.values()) for row in ROWS.values())
    tests = len(CHOICES) * components
    assert tests * 2 * NormalDist().cdf(-THRESHOLD) <= FAMILY_WISE, tests


def table(matrix):
    """What stands in which cell, and how often, as text."""
    rows, width = list(matrix), max(map(len, CHOICES))
    lines = [f"{' ' * width} {'│' * i}{row}" for i, row in enumerate(rows)]
    for name in CHOICES:
        signs = "".join(SIGNS.get(matrix[row][name].kind, "!") for row in rows)
        lines.append(f"{name:<{width}} {signs}")
    cells = [v for row in matrix.values() for v in row.values()]
    weakest = max((v.number for v in cells if v.kind == "sampled"), default=0.0)
    seen = sum(v.kind == "biased" and v.number > DETECTED for v in cells)
    said = {
        "exact": "the mean gradient, computed, is the true one",
        "sampled": f"within {THRESHOLD:g} standard errors of it; a bias of {weakest:.0%} of the "
        f"largest component is found with probability {POWER}",
        "biased": f"as the estimator says; {seen} are off by more than {DETECTED:.1%}",
        "refused": "by compile, with these reasons:",
    }
    counts = Counter(v.kind for v in cells)
    lines += [f"{SIGNS[kind]} {counts[kind]:5} {kind}: {what}" for kind, what in said.items()]
    reasons = Counter(v.reason.partition(", but ")[2] or v.reason for v in cells if v.reason)
    lines += [f"{n:7} {why.partition('. Try')[0]}" for why, n in reasons.most_common()]
    return "\n".join(lines) + "\n"
