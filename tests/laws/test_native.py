"""What every estimator makes of a graph runs in kernels: no op is left to Python.

Values on both backends are compared by tests/estimators/test_engines.py for a part of them, and by
benchmarks/agreement.py for all.
"""

import contextlib

import pytest

import scg
from scg.schedule.entries import Fallback
from scg.schedule.fuse import fuse
from scg.schedule.lower import lower

from .choices import CHOICES
from .graphs import ROWS
from .verdicts import placed


def steps_for(name):
    """Steps of a row without a plate and of one with, of those that the compiler accepts."""
    for plated in (False, True):
        for row in ROWS.values():
            if row.plated is plated:
                with contextlib.suppress(scg.EstimatorError):
                    yield row, placed(row, name)
                    break


def in_python(program):
    entries = fuse(*lower(program.outputs))
    return [entry.expr.op.name for entry in entries if isinstance(entry, Fallback)]


@pytest.mark.parametrize("name", CHOICES)
@pytest.mark.filterwarnings("ignore::scg.StopWarning")
def test_no_op_of_an_estimator_is_left_to_python(name):
    for row, step in steps_for(name):
        assert in_python(step.program) == [], row


def test_an_opaque_op_is_named():
    g = scg.Graph("opaque")
    x = g.sample("x", scg.Bernoulli(logits=g.parameter("t", 0.3)))
    g.cost("loss", scg.op(lambda v: v * 2.0, name="reward")(x) + x)
    (name,) = in_python(scg.compile(g, scg.ScoreFunction()).program)
    assert name.startswith("op:reward")
