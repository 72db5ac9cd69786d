"""Every op keeps the accuracy that its row of the reference promises, extremes included.

The rows, points and references are those of ``benchmarks/accuracy``.
"""

import importlib.util
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from scg.graph.declaration.notation import functions

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks" / "accuracy"


def module(name):
    """Load a file of the benchmark, under a name that no package has."""
    spec = importlib.util.spec_from_file_location(f"accuracy_{name}", FOLDER / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


ops, measure = module("ops"), module("measure")
BOUNDS = {
    ("value", "float64"): 2e-13,
    ("derivative", "float64"): 3e-13,
    ("value", "float32"): 5e-6,
    ("derivative", "float32"): 1e-4,
}
#: Where a² overflows in single precision the derivative is below the smallest normal number.
UNDERFLOW = {("arctan", "derivative", "float32"): 1e-2}
#: Where nothing is as small as 1e-300 fewer digits are enough, and faster.
DIGITS = {"gammaincinv": 130, "betaln": 130, "polygamma": 130}


@pytest.mark.parametrize("name", ops.ROWS)
def test_worst_errors(name, monkeypatch):
    ours, reference, points, arguments = ops.ROWS[name]
    monkeypatch.setattr(measure, "DIGITS", DIGITS.get(name, measure.DIGITS))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        found = measure.errors(ours, reference, points, range(arguments))
    for column, worst in found.items():
        bound = UNDERFLOW.get((name, *column), BOUNDS[column])
        assert worst.error < bound, (column, worst)


def test_every_function_has_a_row_or_needs_none():
    known = {name for name, function in functions().items() if not isinstance(function, type)}
    assert known <= {*ops.ROWS, *ops.EXACT, *ops.ALIKE}
    assert set(ops.ALIKE.values()) <= set(ops.ROWS)
    assert not set(ops.EXACT) & set(ops.ROWS)
