"""Extreme numbers in the arguments of every op and family: both backends give the same.

Zeros, infinities, NaN and subnormal numbers are compared everywhere, NaN with NaN and an infinity
with itself. The largest numbers are left out where a sum overflows, or cancels, in one order of its
terms alone. ``benchmarks/agreement.py --tables`` takes all rows; the tests those with a new op.
"""

import numpy as np
import pytest

import scg
from scg.engine.interpreter import Interpreter
from scg.engine.walk.executable import Executable
from scg.ir.op import OPS
from scg.ops import special
from tests.distributions import test_native as families
from tests.ops import native

pytest.importorskip("numba")

#: Where a matrix is singular but for rounding, the solution is LAPACK's alone.
SYSTEMS = ("solve", "inverse", "slogdet", "det", "MultivariateNormal")
#: Rows that add products, which overflow; and those that subtract what is large for a large shape.
OVERFLOWING = ("einsum", "conv2d", "matmul", "vector @", "matrix @", "outer", "multiply", "dot")
CANCELLING = ("gammaincinv", "log_gammaincinv")
#: Laws that subtract an exponential, which overflows unless the product in it is fused.
FUSED = ("Weibull",)
#: Laws whose density inverts a map of the sample, in which numbers below the normal range vanish.
INVERTED = ("Transformed",)
#: Laws of which logits of any size make a draw.
OF_LOGITS = ("Bernoulli", "Categorical", "OneHot", "Binomial", "Multinomial")
TOLERANCE = {"float64": 1e-9, "float32": 2e-4}


#: Sizes of plates of one element, and of none, where the interpreter has a value.
SMALL = ({native.P: 1, native.Q: 1}, {native.P: 1, native.Q: 0}, {native.P: 0, native.Q: 2})


def cut(values, sizes):
    """Return the first elements of the plates on which values lie."""
    return {
        leaf: value[tuple(slice(sizes[plate]) for plate in leaf.plates)]
        for leaf, value in values.items()
    }


def edges(dtype):
    """Zeros, infinities, NaN, and numbers below the normal range; then the largest."""
    info = np.finfo(dtype)
    small = (info.tiny, info.tiny / 3, info.smallest_subnormal)
    signed = [s * float(v) for s in (1, -1) for v in (0, np.inf, 1, 100, *small)]
    return [*signed, np.nan], [s * v for s in (1, -1) for v in (float(info.max), 1e30)]


def planted(values, edge, rng, dtype, where, everywhere):
    """Return the values of leaves, some of those leaves with an edge at a place, or everywhere."""
    given = {}
    for leaf, value in values.items():
        given[leaf] = value
        if leaf.kind == "float":
            given[leaf] = value = np.array(value, dtype)
            if where(leaf) and rng.random() < 0.6:
                value.flat[slice(None) if everywhere else rng.integers(value.size)] = edge
    return given


def disagreements(found, expected, tolerance):
    """Yield the keys whose values differ, and the first two that do.

    A fused product is not rounded to a multiple of the smallest number, which others are.
    """
    for key, value in expected.items():
        a, b = np.asarray(found[key], float), np.asarray(value, float)
        is_float = np.asarray(value).dtype.kind == "f"
        least = float(np.finfo(np.asarray(value).dtype).smallest_subnormal) if is_float else 0.0
        finite = np.isfinite(a) & np.isfinite(b)
        scale = np.maximum(np.abs(b), min(np.max(np.abs(b), where=finite, initial=0.0), 1.0))
        with np.errstate(invalid="ignore"):
            near = finite & (np.abs(a - b) <= tolerance * scale + 8.0 * least)
        wrong = ~(near | (a == b) | (np.isnan(a) & np.isnan(b)))
        if wrong.any():
            yield key, a[wrong][0], b[wrong][0]


def sweep(outputs, values, dtype, sizes, compared, where, floor=0.0):
    """Run both backends on leaves with each extreme number; return what differs, as text."""
    engine, oracle = Executable(outputs, dtype), Interpreter(outputs, dtype)
    rng, wrong = np.random.default_rng(0), []
    points, largest = edges(dtype)
    for edge in (*points, *largest):
        for trial in range(4):
            everywhere = trial == 3 and edge not in largest
            given = planted(values, edge, rng, dtype, where, everywhere)
            found, expected = engine.run(given, sizes), oracle.run(given, sizes)
            for key, a, b in disagreements(found, expected, TOLERANCE[dtype]):
                system = key[0].startswith(SYSTEMS)
                least = 1e-3 * TOLERANCE[dtype] if system else floor  # what cancels is rounding
                if abs(a - b) <= least or (system and abs(edge) not in (0, 1)):
                    continue
                if key[0] in FUSED and np.isinf(a) and np.isnan(b):
                    continue
                if key[0] in INVERTED and 0.0 < abs(edge) <= np.finfo(dtype).tiny:
                    continue
                if compared(key[0], edge in largest):
                    wrong.append(f"{key} at {edge:.3g}: {a:.6g}, expected {b:.6g}")
    return wrong


def sweep_ops(outputs, values, dtype):
    """Compare rows of ops."""

    def compared(name, large):
        return not (large and name.startswith(OVERFLOWING + CANCELLING))

    return sweep(outputs, values, dtype, native.SIZES, compared, lambda leaf: True)


def sweep_laws(outputs, values, dtype):
    """Compare draws, densities and gradients of families, whose parameters are extreme."""

    def compared(name, large):
        return not large or name.startswith(OF_LOGITS)

    def is_parameter(leaf):
        return leaf.attrs["name"].startswith("p")

    # A log-density adds terms of some 100.
    floor = {"float64": 1e-12, "float32": 1e-4}[dtype]
    return sweep(outputs, values, dtype, {families.P: 3}, compared, is_parameter, floor)


def test_ops_agree_at_an_extreme_number():
    outputs, values = native.program(native.MIXED)
    assert sweep_ops(native.novel(outputs), values, "float64") == []


@pytest.mark.parametrize("sizes", SMALL)
def test_ops_agree_on_plates_of_one_and_of_no_element(sizes):
    outputs, values = native.program(native.MIXED)
    native.compare(native.novel(outputs), cut(values, sizes), "float64", sizes, 1e-11)


def test_ops_with_a_precision_of_their_own_agree_at_an_extreme_number():
    outputs, values = native.program(native.ALONE)

    def own(name):
        return OPS[name].row is not None or "code" in OPS[name].kernel

    assert sweep_ops(native.novel(outputs, own), values, "float32") == []


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_families_agree_at_an_extreme_parameter(dtype):
    outputs, values = families.program(families.LAWS)
    assert sweep_laws(native.novel(outputs), values, dtype) == []


def test_counts_have_quantiles_at_any_mean():
    """Also where neighbouring floats are further apart than the law is wide."""
    g = scg.Graph("counts")
    mean, u = (g.data(name, plates=native.P) for name in ("mean", "u"))
    outputs = {
        "Poisson": special.poisson_quantile(mean, u),
        "NegativeBinomial": special.negative_binomial_quantile(mean, 0.0 * mean, u),
        "Binomial": special.binomial_quantile(mean, 0.0 * mean + 0.5, u),
    }
    engine, oracle = Executable(outputs), Interpreter(outputs)
    points = [1e-300, 1e-3, 1.0, 1e6, 1e15, 1e18, 1e30, 1e33, 1e40, 1e300]
    means, us = (v.ravel() for v in np.meshgrid(points, [1e-9, 0.3, 0.5, 0.8, 1 - 1e-9]))
    found, expected = (
        one.run({mean: means, u: us}, {native.P: len(means)}) for one in (engine, oracle)
    )
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)
