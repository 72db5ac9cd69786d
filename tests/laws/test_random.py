"""Law 1 on random graphs, each node with an estimator of its own, drawn among those that fit.

`pytest -rP tests/laws/test_random.py` prints how many are exact, sampled and refused, and why.
"""

import sys
from collections import Counter
from functools import partial

import numpy as np
import pytest

import scg

from .choices import CHOICES
from .random_graphs import random_row
from .verdicts import POWER, THRESHOLD, Verdict, judged

WEAKEST = 1.0  # the bias that runs must find, relative to the largest component
JOINT = 0.25  # how often nodes of one choice share the estimator, and with it their samples
GRAPHS, PARTS = 64, 4


def fits_some(estimator) -> bool:
    # VIMCO needs a plate of its own; the table holds it to graphs that have one.
    known = isinstance(estimator, scg.Estimator) and not isinstance(estimator, scg.VIMCO)
    return known and estimator.unbiased


GRAPH = random_row(0).build()
POOL = [name for name, make in CHOICES.items() if fits_some(make(GRAPH))]


def placed(row, rng):
    """A compiled step, the choices, and why others were refused."""
    refused: list[str] = []
    nodes = row.model.names
    names = {node: rng.choice(POOL) for node in nodes}
    joint = rng.random() < JOINT
    while True:
        graph = row.build()
        made = {name: CHOICES[name](graph) for name in names.values()}
        chosen = {n: made[name] if joint else CHOICES[name](graph) for n, name in names.items()}
        try:
            return scg.compile(graph, chosen), names, refused
        except scg.EstimatorError as error:
            refused.append(str(error))
            wrong = [node for node in nodes if f"{node!r} (" in refused[-1]] or nodes
            names[rng.choice(wrong)] = rng.choice(POOL)


@pytest.mark.statistical
@pytest.mark.filterwarnings("ignore::scg.StopWarning", "ignore::scg.PathsWarning")
@pytest.mark.parametrize("part", range(PARTS))
def test_random_placements_keep_the_law(part, kept, seed):
    refused: list[Verdict] = []

    def found(number, drawn):
        row, rng = random_row(number), np.random.default_rng(number)
        step, names, reasons = placed(row, rng)
        refused.extend(Verdict("refused", reason=reason) for reason in reasons)
        try:
            return judged(row, step, (seed, number), WEAKEST, drawn)
        except AssertionError as error:
            raise AssertionError(f"graph {number} with {names}: {error}") from error

    numbers = range(part, GRAPHS, PARTS)
    verdicts = kept(f"random-{part}", {str(n): partial(found, n) for n in numbers})
    sys.stdout.write(report([*verdicts.values(), *refused]))
    assert not any(v.kind == "refused" for v in verdicts.values())


def report(found: list[Verdict]) -> str:
    counts = Counter(v.kind for v in found)
    reasons = Counter(v.reason.partition(", but ")[2] or v.reason for v in found if v.reason)
    weakest = np.median([v.number for v in found if v.kind == "sampled"])
    lines = [
        f"{counts['exact']} exact, by up to {max(v.number for v in found):.0f} outcomes",
        f"{counts['sampled']} within {THRESHOLD:g} standard errors; a bias of {WEAKEST:.0%} of the "
        f"largest component (half of them: {weakest:.0%}) is found with probability {POWER}",
        f"{counts['refused']} refused by compile, which these replace:",
        *(f"{n:7} {why.partition('. Try')[0][:90]}" for why, n in reasons.most_common()),
    ]
    return "\n".join(lines) + "\n"
