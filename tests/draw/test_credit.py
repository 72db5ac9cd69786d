"""A law of colours, on the small graphs of the laws and on random ones.

A parameter has a coloured arrow if and only if its gradient is not the constant 0, and each
coloured arrow lies on a coloured path from a learned parameter to a cost.
"""

import contextlib

import numpy as np
import pytest

import scg
from scg.ops.base import is_constant
from tests.draw.pictures import coloured
from tests.laws.graphs import ROWS
from tests.laws.random_graphs import random_row

ESTIMATORS = {
    "automatic": lambda: None,
    "score": scg.ScoreFunction,
    "muprop": scg.MuProp,
    "straight": lambda: scg.StraightThrough(allow_biased=True),
}
GRAPHS = {**ROWS, **{f"random {i}": random_row(i) for i in range(6)}}


def complaints(step):
    """What is wrong in the picture of a plan."""
    graph, arrows = step.graph, coloured(step.draw(fold=False))
    tails, heads = {tail for tail, _ in arrows}, {head for _, head in arrows}
    for name in graph.parameters:
        gradient = step.program.outputs["grads", name]
        if (name in tails) is is_constant(gradient, 0):
            yield f"{name}: coloured {name in tails}, gradient {gradient!r}"
    for tail, head in arrows:
        if tail not in graph.parameters and tail not in heads:
            yield f"{tail} -> {head}: no credit goes further up"
        if head not in graph.costs and head not in tails:
            yield f"{tail} -> {head}: no credit comes from below"


@pytest.mark.filterwarnings("ignore::scg.StopWarning", "ignore::scg.PathsWarning")
@pytest.mark.parametrize("name", GRAPHS)
def test_colours_tell_the_truth(name):
    wrong, drawn = [], 0
    for estimator, make in ESTIMATORS.items():
        try:
            step = scg.compile(GRAPHS[name].build(), make(), backend="numpy")
        except scg.EstimatorError:
            continue
        drawn += 1
        wrong += [f"{estimator}: {text}" for text in complaints(step)]
    assert drawn and not wrong, "\n".join(wrong)


def recurrent(costs):
    """A recurrence whose samples reach costs through its carry alone, or at once too."""
    t = scg.Time("t", length=3)
    g = scg.Graph("recurrent")
    first, theta, w = (g.parameter(name, 0.3) for name in ("first", "theta", "w"))
    idle = g.parameter("idle", 0.1)

    def cell(h):
        z = g.sample("z", scg.Bernoulli(logits=w * h + theta))
        if costs == "late":
            g.cost("fit", h**2)
        return np.tanh(h + z) + scg.stop_gradient(idle)

    last, _ = g.scan(cell, init=first, over=t)
    if costs == "last":
        g.cost("end", last)
    return g


@pytest.mark.filterwarnings("ignore::scg.StopWarning")
@pytest.mark.parametrize("costs", ["late", "last"])
def test_colours_of_recurrences(costs):
    wrong = []
    for make in ESTIMATORS.values():
        try:
            step = scg.compile(recurrent(costs), make(), backend="numpy")
        except scg.EstimatorError:
            continue
        wrong += list(complaints(step))
    assert not wrong, "\n".join(wrong)
    step = scg.compile(recurrent(costs), scg.ScoreFunction(), backend="numpy")
    assert step.draw().scene.links["z", "z"].kinds == {"score"}


def by_carry(reads, named=False):
    """A recurrence where parameters enter by one carry, by two after another, and behind a stop."""
    t = scg.Time("t", length=4)
    g = scg.Graph("by carry")
    theta, slow, init, idle = (g.parameter(n, 0.3) for n in ("theta", "slow", "init", "idle"))
    x = g.data("x", plates=(t,))

    def cell(carry, x):
        h, s = carry
        z = g.sample("z", scg.Bernoulli(logits=h))
        if reads == "state":
            g.cost("loss", (h - 0.5) ** 2)
        if reads == "sample":
            g.cost("loss", (z - 0.3) ** 2)
        new = np.tanh(theta * h + z + x + s) + scg.stop_gradient(idle * h)
        return (g.deterministic("h", new) if named else new), np.cos(s * slow)

    (last, _), _ = g.scan(cell, init=(0.1, init), xs=x, over=t)
    if reads == "last":
        g.cost("loss", last)
    return g


@pytest.mark.filterwarnings("ignore::scg.StopWarning")
@pytest.mark.parametrize("reads", ["state", "sample", "last"])
def test_colours_of_what_enters_by_a_carry(reads):
    wrong, tried = [], 0
    for make in ESTIMATORS.values():
        for named in (False, True):
            with contextlib.suppress(scg.EstimatorError):
                step = scg.compile(by_carry(reads, named), make(), backend="numpy")
                wrong, tried = wrong + list(complaints(step)), tried + 1
    assert tried and not wrong, "\n".join(wrong)
    scene = scg.compile(by_carry(reads), scg.ScoreFunction(), backend="numpy").draw().scene
    found = {tail: link for (tail, head), link in scene.links.items() if head == "z"}
    assert {tail: "+".join(link.kinds) for tail, link in found.items()} == {
        "theta": "derivative", "slow": "derivative", "init": "derivative",
        "idle": "", "x": "", "z": "score",
    }  # fmt: skip
    assert all(link.later and link.label == "next t" for link in found.values())
    assert scene.marks["z"].fill != "guide"  # the cost shares the state with z, not its density
