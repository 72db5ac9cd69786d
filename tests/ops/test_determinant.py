"""Determinants of singular matrices: exact first and second derivatives, on both engines."""

import itertools

import numpy as np
import pytest

import scg
from scg.compiler.differentiate import gradients
from scg.compiler.simplify import simplify
from scg.engine.interpreter import Interpreter
from scg.engine.walk.executable import Executable
from scg.ir.plate import Plate
from scg.ops.determinant import cofactors
from scg.testing import check_gradient

pytest.importorskip("numba")
BATCH = Plate("batch")
N = 4


def minors(a, rows, columns):
    """The signed complementary minor, by permutations."""
    keep = [np.setdiff1d(np.arange(len(a)), list(x)) for x in (rows, columns)]
    sub = a[np.ix_(*keep)]
    total = 0.0
    for p in itertools.permutations(range(len(sub))):
        sign = np.linalg.det(np.eye(len(sub))[list(p)]) if len(sub) else 1.0
        total += sign * np.prod([sub[i, k] for i, k in enumerate(p)])
    order = sum(rows) + sum(columns)
    swaps = (rows[0] > rows[-1]) + (columns[0] > columns[-1])
    return (-1) ** (order + swaps) * total


def truth(a, g):
    """Cofactors, and the derivative of their product with `g`."""
    pairs = list(itertools.product(range(len(a)), repeat=2))
    first, second = np.zeros_like(a), np.zeros_like(a)
    for i, j in pairs:
        first[i, j] = minors(a, (i,), (j,))
        for k, m in pairs:
            if i != k and j != m:
                second[i, j] += minors(a, (i, k), (j, m)) * g[k, m]
    return first, second


def matrices():
    """Of every rank, by integers, which eliminate exactly, and by fractions, which do not."""
    rng = np.random.default_rng(0)
    for rank in range(N + 1):
        yield rng.integers(-3, 4, (N, rank)) @ rng.integers(-3, 4, (rank, N)) * 1.0
        yield rng.normal(size=(N, rank)) @ rng.normal(size=(rank, N))
    yield np.eye(N)[[1, 0, 3, 2]] * [1.0, -2.0, 0.0, 3.0]


@pytest.mark.parametrize("dtype, rtol", [("float64", 1e-12), ("float32", 1e-5)])
def test_both_derivatives_at_every_rank(dtype, rtol):
    weights = np.random.default_rng(1).normal(size=(N, N))
    g = scg.Graph("ranks")
    a = g.data("a", (N, N), plates=BATCH)
    (first,) = gradients(np.linalg.det(a), [a])
    (second,) = gradients(np.sum(first * weights), [a])
    outputs = dict(zip(("first", "second"), simplify([first, second]), strict=True))
    values = np.stack(list(matrices()))
    for engine in (Interpreter, Executable):
        out = engine(outputs, dtype).run({a: values.astype(dtype)}, {BATCH: len(values)})
        for matrix, *found in zip(values, out["first"], out["second"], strict=True):
            for x, expected, degree in zip(found, truth(matrix, weights), (3, 2), strict=True):
                scale = np.max(np.abs(matrix), initial=1.0) ** degree
                np.testing.assert_allclose(x, expected, rtol=rtol, atol=10 * rtol * scale)


def test_nothing_overflows_on_the_way():
    d = np.array([1e200, 1e150, 1e-200, 1e-149])
    g = scg.Graph("wide")
    a = g.data("a", (4, 4))
    (first,) = gradients(np.linalg.det(a), [a])
    for engine in (Interpreter, Executable):
        found = engine({"y": first}).run({a: np.diag(d)}, {})["y"]
        np.testing.assert_allclose(np.diagonal(found), 10.0 / d, rtol=1e-12)


def test_one_singular_matrix_of_a_batch_leaves_the_others_alone():
    good, singular = np.array([[2.0, 0.3], [0.3, 1.0]]), np.array([[1.0, 2.0], [2.0, 4.0]])
    g = scg.Graph("batch")
    a = g.parameter("a", np.stack([good, singular]))
    g.cost("c", np.sum(np.linalg.det(a) ** 2))
    for backend in ("numpy", "numba"):
        out = scg.compile(g, backend=backend, order=2)(g.init(seed=0), seed=0)
        slope = 2 * np.linalg.det(good) * np.array([[1.0, -0.3], [-0.3, 2.0]])
        np.testing.assert_allclose(out.grads["a"], [slope, 0 * slope], atol=1e-12)
        hessian = out.hessian["a"]["a"]
        cofactors = np.array([[4.0, -2.0], [-2.0, 1.0]])
        curvature = 2 * np.multiply.outer(cofactors, cofactors)
        np.testing.assert_allclose(hessian[1, :, :, 1], curvature, atol=1e-12)


def test_a_determinant_is_a_smooth_path():
    g = scg.Graph("path")
    z = g.sample("z", scg.Normal(g.parameter("m", np.zeros((2, 2))), 1.0))
    g.cost("c", np.linalg.det(z) ** 2)
    step = scg.compile(g, estimator=scg.Reparameterization())
    assert np.all(np.isfinite(step(g.init(seed=0), seed=0).grads["m"]))


def test_the_third_derivative_exists_where_an_inverse_does():
    a = np.random.default_rng(2).normal(size=(4, 4))
    check_gradient(lambda x: np.sum(cofactors(x) ** 2), a)


def test_a_determinant_of_what_is_lowered_itself_has_derivatives_in_kernels():
    g = scg.Graph("sorted")
    a = g.parameter("a", np.random.default_rng(3).normal(size=(3, 3)))
    (slope,) = gradients(np.linalg.det(np.sort(a, axis=0)), [a])
    found, expected = (
        engine({"slope": slope}).run({a: g.init(seed=0)["a"]}, {})["slope"]
        for engine in (Executable, Interpreter)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)
