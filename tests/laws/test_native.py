"""What every estimator makes of a graph runs in kernels: no op is left to Python.

Values on both backends are compared by tests/estimators/test_engines.py for a part of them, and by
benchmarks/agreement.py for all.
"""

import pytest

import scg
from scg.schedule.fuse import Fallback, fuse
from scg.schedule.lower import lower

from .choices import CHOICES, applies
from .graphs import ROWS


def rows_for(choice):
    """A row without a plate and one with, of those that the choice is for."""
    fitting = [row for row in ROWS.values() if applies(row, choice)]
    kinds = ([row for row in fitting if row.plated is plated] for plated in (False, True))
    return [kind[0] for kind in kinds if kind]


def in_python(program):
    entries = fuse(*lower(program.outputs))
    return [entry.expr.op.name for entry in entries if isinstance(entry, Fallback)]


@pytest.mark.parametrize(
    ("choice", "row"),
    [
        pytest.param(choice, row, id=f"{choice}-{row}")
        for choice in CHOICES.values()
        for row in rows_for(choice)
    ],
)
@pytest.mark.filterwarnings("ignore::scg.StopWarning")
def test_no_op_of_an_estimator_is_left_to_python(choice, row):
    step = scg.compile(row.build(), choice.make())
    assert in_python(step.program) == []


def test_an_opaque_op_is_named():
    g = scg.Graph("opaque")
    x = g.sample("x", scg.Bernoulli(logits=g.parameter("t", 0.3)))
    g.cost("loss", scg.op(lambda v: v * 2.0, name="reward")(x) + x)
    (name,) = in_python(scg.compile(g, scg.ScoreFunction()).program)
    assert name.startswith("op:reward")
