"""Sorting in kernels: short rows by insertion, long ones by digits; NumPy's order in both."""

import numpy as np
import pytest

import scg
from scg.engine.interpreter import Interpreter
from scg.engine.walk.executable import Executable
from scg.schedule.rewritten import SHORT

PLATE = scg.Plate("rows")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_order_is_that_of_numpy(dtype):
    """Equal elements keep their order, zeros of either sign are equal, and NaN is last."""
    rng = np.random.default_rng(4)
    g, outputs, leaves = scg.Graph("rows"), {}, {}
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 1e-40, -1e-40], dtype)
    for n in (SHORT, 3 * SHORT):
        x = g.data(f"x{n}", shape=(n, 2), plates=PLATE)
        k = g.data(f"k{n}", shape=(n,), plates=PLATE, kind="int")
        values = rng.normal(size=(3, n, 2)).astype(dtype) * dtype(10.0) ** rng.integers(-9, 9)
        values[0] = rng.choice(special, (n, 2))
        leaves |= {x: values, k: rng.integers(-3, 3, (3, n)) << rng.integers(0, 60, (3, 1))}
        orders = {
            "floats": np.argsort(x, axis=0),
            "ints": np.argsort(k),
            "bools": np.argsort(k > 0),
        }
        outputs |= {(n, name): order for name, order in orders.items()}
        outputs[n, "sorted"] = np.sort(x, axis=0)
    found, expected = (
        engine(outputs, dtype).run(leaves, {PLATE: 3}) for engine in (Executable, Interpreter)
    )
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=str(name))
