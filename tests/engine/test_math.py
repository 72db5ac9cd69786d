"""Errors of the compiled elementary functions, in units in the last place of the exact value."""

import mpmath
import numpy as np
import pytest
from scipy import special as sp

import scg
from scg.engine.walk.executable import Executable
from scg.ir.op import OPS

pytest.importorskip("numba")

#: Largest error measured by this test, rounded up: float32, float64.
BOUNDS = {
    "exp": (1.1, 1.1),
    "expm1": (1.9, 1.9),
    "log": (0.9, 0.9),
    "log1p": (1.7, 1.7),
    "tanh": (3.0, 3.0),
    "sigmoid": (2.7, 2.7),
    "softplus": (2.1, 2.1),
}
REFERENCE = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "sigmoid": sp.expit,
    "softplus": lambda x: np.where(x > 0, x, 0) + np.log1p(np.exp(-np.abs(x))),
}


@pytest.fixture(scope="module")
def compute():
    """All functions of one vector, compiled once for each type."""
    graph = scg.Graph("functions")
    x = graph.data("x", shape=(), plates=scg.Plate("points"))
    outputs = {name: OPS[name](x) for name in BOUNDS} | {"ndtri": OPS["ndtri"](x)}
    engines = {dtype: Executable(outputs, dtype) for dtype in (np.float32, np.float64)}
    return lambda points: engines[points.dtype.type].run({x: points}, {x.plates[0]: len(points)})


def in_domain(name, x):
    low = {"log": 0.0, "log1p": -1.0}.get(name, -np.inf)
    return x[x > low]


def grid(dtype, count):
    """Points of all magnitudes and both signs, subnormal numbers included."""
    rng = np.random.default_rng(0)
    info = np.finfo(dtype)
    powers = rng.uniform(np.log2(float(info.smallest_subnormal)), np.log2(800.0), count)
    near = rng.uniform(-30, 30, count)
    return np.concatenate([2.0**powers, -(2.0**powers), near]).astype(dtype)


@pytest.mark.parametrize("name", BOUNDS)
def test_float32_functions_keep_their_bound(compute, name):
    x = in_domain(name, grid(np.float32, 100_000))
    with np.errstate(over="ignore"):
        exact = REFERENCE[name](x.astype(np.float64))
        finite = np.isfinite(exact.astype(np.float32))
    unit = np.spacing(np.abs(exact[finite].astype(np.float32))).astype(float)
    error = np.abs(compute(x)[name].astype(float)[finite] - exact[finite]) / unit
    assert error.max() <= BOUNDS[name][0], x[finite][error.argmax()]


EXACT = {
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "log": mpmath.log,
    "log1p": mpmath.log1p,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
}


@pytest.mark.parametrize("name", BOUNDS)
def test_float64_functions_keep_their_bound(compute, name):
    x = in_domain(name, grid(np.float64, 1500))
    found = compute(x)[name]
    worst = 0.0
    with mpmath.workdps(340):  # log1p of a subnormal number needs the digits
        for point, value in zip(x.tolist(), found.tolist(), strict=True):
            exact = EXACT[name](mpmath.mpf(point))
            if abs(exact) < np.finfo(float).max:
                unit = float(np.spacing(abs(float(exact))))
                worst = max(worst, float(abs(mpmath.mpf(value) - exact) / unit))
    assert 0.4 < worst <= BOUNDS[name][1]


def test_the_normal_quantile_is_as_good_as_its_table(compute):
    u = np.concatenate([10.0 ** -np.linspace(0.01, 300, 500), np.linspace(0.01, 1 - 1e-12, 500)])
    np.testing.assert_allclose(compute(u)["ndtri"], sp.ndtri(u), rtol=3e-15, atol=1e-16)
