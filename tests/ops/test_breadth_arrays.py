"""Reductions, rearrangement, selection, linear algebra and convolution."""

import numpy as np
import pytest
import scipy.linalg
import scipy.signal

import scg
from scg.compiler.differentiate import gradients
from scg.engine.interpreter import Interpreter
from scg.ops import convolution, decompositions, linalg, select, statistics

from .breadth import Case, check

rng = np.random.default_rng(3)
V = np.array([0.3, -1.7, 2.2, 0.9, -0.4])
M = rng.normal(size=(3, 4))
T = rng.normal(size=(2, 3, 4))
SQUARE = rng.normal(size=(3, 3)) + 3 * np.eye(3)
POSITIVE = SQUARE @ SQUARE.T
BATCH = np.stack([SQUARE, SQUARE.T + np.eye(3)])
IMAGE = rng.normal(size=(2, 5, 6))
FILTERS = rng.normal(size=(3, 2, 2, 3))
SMALL = np.random.default_rng(5).normal(size=(3, 2, 3))
ZEROS = np.array([0.0, 1.5, -2.0, 0.0, 0.7])
INDEX = np.array([[2, 0], [1, 1], [0, 3]])


def matrices(*shape):
    return rng.normal(size=shape)


def convolve(x, w):
    return np.stack(
        [sum(scipy.signal.correlate2d(x[c], f[c], mode="valid") for c in range(len(x))) for f in w]
    )


def apart(w, dilation):
    """Filters with zeros between their elements."""
    height, width = ((n - 1) * d + 1 for n, d in zip(w.shape[-2:], dilation, strict=True))
    out = np.zeros((*w.shape[:2], height, width))
    out[..., :: dilation[0], :: dilation[1]] = w
    return out


def enlarge(x, w, stride):
    """Every element of an image spreads its filters around; the adjoint of convolve."""
    (_, rows, columns), (_, filters, height, width) = x.shape, w.shape
    shape = (rows - 1) * stride[0] + height, (columns - 1) * stride[1] + width
    out = np.zeros((filters, *shape))
    for i, j in np.ndindex(rows, columns):
        a, b = i * stride[0], j * stride[1]
        out[:, a : a + height, b : b + width] += np.einsum("c,cfhw->fhw", x[:, i, j], w)
    return out


def project(x):
    """Minimise |y − x|² over the simplex by bisection on the threshold."""
    low, high = x.min(-1) - 1, x.max(-1)
    for _ in range(200):
        t = (low + high) / 2
        above = np.maximum(x - t[..., None], 0).sum(-1) > 1
        low, high = np.where(above, t, low), np.where(above, high, t)
    return np.maximum(x - t[..., None], 0)


ROWS = {
    "prod": (np.prod, [V], np.prod),
    "prod of an axis": (lambda x: np.prod(x, axis=0), [M], lambda x: np.prod(x, axis=0)),
    "prod with zeros": (np.prod, [ZEROS], np.prod),
    "prod keepdims": (
        lambda x: statistics.prod(x, axis=(0, 2), keepdims=True),
        [T],
        lambda x: np.prod(x, axis=(0, 2), keepdims=True),
    ),
    "min": (lambda x: np.min(x, axis=1), [M], lambda x: np.min(x, axis=1)),
    "cumsum": (np.cumsum, [M], np.cumsum),
    "cumprod": (lambda x: np.cumprod(x, axis=0), [M], lambda x: np.cumprod(x, axis=0)),
    "cumprod with zeros": (np.cumprod, [ZEROS], np.cumprod),
    "argmax": (np.argmax, [M], np.argmax),
    "argmin": (lambda x: np.argmin(x, axis=0), [M], lambda x: np.argmin(x, axis=0)),
    "var": (np.var, [M], np.var),
    "var ddof": (lambda x: np.var(x, axis=1, ddof=1), [M], lambda x: np.var(x, axis=1, ddof=1)),
    "std": (lambda x: np.std(x, axis=-1), [M], lambda x: np.std(x, axis=-1)),
    "norm": (np.linalg.norm, [V], np.linalg.norm),
    "norm of rows": (
        lambda x: np.linalg.norm(x, axis=1, keepdims=True),
        [M],
        lambda x: np.linalg.norm(x, axis=1, keepdims=True),
    ),
    "norm 1": (lambda x: np.linalg.norm(x, 1), [V], lambda x: np.linalg.norm(x, 1)),
    "norm inf": (lambda x: np.linalg.norm(x, np.inf), [V], lambda x: np.linalg.norm(x, np.inf)),
    "sparsemax": (statistics.sparsemax, [M], project),
    "sparsemax of columns": (
        lambda x: statistics.sparsemax(x, axis=0),
        [M],
        lambda x: project(x.T).T,
    ),
    "broadcast_to": (
        lambda x: np.broadcast_to(x, (3, 5)),
        [V],
        lambda x: np.broadcast_to(x, (3, 5)),
    ),
    "squeeze": (lambda x: np.squeeze(x), [M[:, None, :1]], np.squeeze),
    "expand_dims": (lambda x: np.expand_dims(x, 1), [M], lambda x: np.expand_dims(x, 1)),
    "flip": (np.flip, [M], np.flip),
    "flip rows": (lambda x: np.flip(x, 0), [M], lambda x: np.flip(x, 0)),
    "roll": (lambda x: np.roll(x, 3), [M], lambda x: np.roll(x, 3)),
    "roll columns": (lambda x: np.roll(x, -1, 1), [M], lambda x: np.roll(x, -1, 1)),
    "pad": (lambda x: np.pad(x, ((1, 0), (2, 3))), [M], lambda x: np.pad(x, ((1, 0), (2, 3)))),
    "pad evenly": (lambda x: np.pad(x, 2), [M], lambda x: np.pad(x, 2)),
    "tile": (lambda x: np.tile(x, (2, 1, 3)), [M], lambda x: np.tile(x, (2, 1, 3))),
    "repeat": (lambda x: np.repeat(x, 2, axis=0), [M], lambda x: np.repeat(x, 2, axis=0)),
    "ravel": (np.ravel, [M], np.ravel),
    "moveaxis": (lambda x: np.moveaxis(x, 0, -1), [T], lambda x: np.moveaxis(x, 0, -1)),
    "swapaxes": (lambda x: np.swapaxes(x, 0, 2), [T], lambda x: np.swapaxes(x, 0, 2)),
    "diagonal": (np.diagonal, [T], np.diagonal),
    "diagonal below": (lambda x: np.diagonal(x, -1, 2, 0), [T], lambda x: np.diagonal(x, -1, 2, 0)),
    "diagonal outside": (lambda x: np.diagonal(x, 9), [T], lambda x: np.diagonal(x, 9)),
    "trace": (np.trace, [SQUARE], np.trace),
    "trace above": (lambda x: np.trace(x, 1, -1, 0), [T], lambda x: np.trace(x, 1, -1, 0)),
    "diag": (np.diag, [V], np.diag),
    "diag above": (lambda x: np.diag(x, 2), [V], lambda x: np.diag(x, 2)),
    "diag below": (lambda x: np.diag(x, -1), [V], lambda x: np.diag(x, -1)),
    "diag of a matrix": (lambda x: np.diag(x, 1), [M], lambda x: np.diag(x, 1)),
    "dot of a matrix and matrices": (np.dot, [M.T, T], np.dot),
    "dot of matrices": (np.dot, [T, np.stack([M.T, M.T + 1])], np.dot),
    "dot of a vector and matrices": (np.dot, [V[:4], np.stack([M.T, M.T + 1])], np.dot),
    "dot of a number": (np.dot, [V[0], M], np.dot),
    "tril": (np.tril, [SQUARE], np.tril),
    "triu": (lambda x: np.triu(x, 1), [SQUARE], lambda x: np.triu(x, 1)),
    "take_along_axis": (
        lambda x, k: np.take_along_axis(x, k, axis=1),
        [M, INDEX],
        lambda x, k: np.take_along_axis(x, k, axis=1),
    ),
    "take from an array": (
        lambda k, v: v * scg.take(M, k, axis=1)[:, 0, 0],
        [INDEX, V[:3]],
        lambda k, v: v * np.take(M, k, axis=1)[:, 0, 0],
    ),
    "select": (
        lambda x: np.select([x > 0.5, x > -0.5], [x, 2.0], x**2),
        [M],
        lambda x: np.select([x > 0.5, x > -0.5], [x, 2.0 + 0 * x], x**2),
    ),
    "operators of conditions": (
        lambda x: x * np.where((x > 0) & ~(x > 1) | (x < -1) ^ (x < -2), 1, 0),
        [M],
        lambda x: x * ((x > 0) & ~(x > 1) | (x < -1) ^ (x < -2)),
    ),
    "any and all": (
        lambda x: x[0] * np.any(x > 1, axis=0) - np.sum(x) * np.all(x, keepdims=True),
        [M],
        lambda x: x[0] * np.any(x > 1, axis=0) - np.sum(x) * np.all(x, keepdims=True),
    ),
    "not a number, infinite and finite": (
        lambda x: np.where(np.isfinite(x), x, 0.5) * (np.isnan(x) + 2 * np.isinf(x) + 3),
        [np.array([1.5, np.inf, -np.inf, -2.0, np.nan])],
        lambda x: np.where(np.isfinite(x), x, 0.5) * (np.isnan(x) + 2 * np.isinf(x) + 3.0),
    ),
    "logaddexp": (np.logaddexp, [M, V[:4]], np.logaddexp),
    "logaddexp of numbers": (
        lambda x: np.logaddexp(-np.inf, np.logaddexp(x, 800)),
        [np.array([700.0, 800, 801])],
        lambda x: np.logaddexp(x, 800),
    ),
    "logaddexp of equal numbers": (
        lambda x: np.logaddexp(x, 0) * x,
        [np.zeros(2)],
        lambda x: np.logaddexp(x, 0) * x,
    ),
    "diff twice": (lambda x: np.diff(x, 2, 0), [T], lambda x: np.diff(x, 2, 0)),
    "zeros and ones like": (
        lambda x: x + np.zeros_like(x) + np.ones_like(x),
        [M],
        lambda x: x + 1.0,
    ),
    "take along the first axis": (
        lambda x, k: select.take_along_axis(x, k, 0),
        [M, INDEX.repeat(2, 1) % 3],
        lambda x, k: np.take_along_axis(x, k, 0),
    ),
    "expand_dims twice": (
        lambda x: np.expand_dims(x, (0, -1)),
        [M],
        lambda x: np.expand_dims(x, (0, -1)),
    ),
    "roll both": (
        lambda x: np.roll(x, (1, -2), (0, 1)),
        [M],
        lambda x: np.roll(x, (1, -2), (0, 1)),
    ),
    "moveaxis of two": (
        lambda x: np.moveaxis(x, (0, 1), (-1, 0)),
        [T],
        lambda x: np.moveaxis(x, (0, 1), (-1, 0)),
    ),
    "sort flattened": (
        lambda x: np.sort(x, axis=None),
        [M],
        lambda x: np.sort(x, axis=None),
    ),
    "take_along_axis flattened": (
        lambda x, k: np.take_along_axis(x, k, axis=None),
        [M, np.array([7, 0, 7])],
        lambda x, k: np.take_along_axis(x, k, axis=None),
    ),
    "clip by keywords": (
        lambda x: np.clip(x, a_max=0.7, a_min=-0.9),
        [M],
        lambda x: np.clip(x, -0.9, 0.7),
    ),
    "clip by NumPy 2's keywords": (
        lambda x: np.clip(x, min=-0.9, max=0.7),
        [M],
        lambda x: np.clip(x, -0.9, 0.7),
    ),
    "sort": (lambda x: np.sort(x, axis=0), [M], lambda x: np.sort(x, axis=0)),
    "argsort": (np.argsort, [M], np.argsort),
    "einsum matrix product": (
        lambda a, b: np.einsum("ij,kj->ik", a, b),
        [M, matrices(2, 4)],
        lambda a, b: np.einsum("ij,kj->ik", a, b),
    ),
    "einsum of three": (
        lambda a, b, c: np.einsum("ij,jk,i->k", a, b, c),
        [M, matrices(4, 2), V[:3]],
        lambda a, b, c: np.einsum("ij,jk,i->k", a, b, c),
    ),
    "einsum lone axes": (
        lambda a, b: np.einsum("abc,d->ca", a, b),
        [T, V],
        lambda a, b: np.einsum("abc,d->ca", a, b),
    ),
    "einsum implicit": (
        lambda a, b: np.einsum("ba,b", a, b),
        [M, V[:3]],
        lambda a, b: np.einsum("ba,b", a, b),
    ),
    "einsum ellipsis": (
        lambda a, b, c: np.einsum("...i,ij,k...->k...j", a, b, c),
        [T[:, :1], matrices(T.shape[-1], 2), matrices(2, 3)],
        lambda a, b, c: np.einsum("...i,ij,k...->k...j", a, b, c),
    ),
    "einsum implicit ellipsis": (
        lambda a, b: np.einsum("b...a,...b", a, b),
        [T, matrices(3, 2)],
        lambda a, b: np.einsum("b...a,...b", a, b),
    ),
    "einsum trace": (
        lambda a: np.einsum("ii", a),
        [SQUARE],
        lambda a: np.einsum("ii", a),
    ),
    "einsum diagonals": (
        lambda a, b: np.einsum("ijii,jj,...->ij", a, b, 2.0),
        [matrices(3, 2, 3, 3), matrices(2, 2)],
        lambda a, b: 2 * np.einsum("ijii,jj->ij", a, b),
    ),
    "einsum transpose": (
        lambda a: np.einsum("abc->cab", a),
        [T],
        lambda a: np.einsum("abc->cab", a),
    ),
    "outer": (np.outer, [V, V[:3]], np.outer),
    "matmul of batches": (np.matmul, [T, matrices(2, 4, 2)], np.matmul),
    "matmul that broadcasts": (np.matmul, [matrices(2, 1, 3, 4), matrices(3, 4, 2)], np.matmul),
    "matmul of a batch and a vector": (np.matmul, [T, V[:4]], np.matmul),
    "matmul of a vector and a batch": (np.matmul, [V[:3], T], np.matmul),
    "cholesky": (np.linalg.cholesky, [POSITIVE], None),
    "solve": (np.linalg.solve, [SQUARE, M], np.linalg.solve),
    "solve for a vector": (np.linalg.solve, [SQUARE, V[:3]], np.linalg.solve),
    "solve batches": (np.linalg.solve, [BATCH, matrices(2, 3, 2)], np.linalg.solve),
    "solve one matrix for a batch": (
        np.linalg.solve,
        [SQUARE, matrices(2, 3, 2)],
        np.linalg.solve,
    ),
    "solve a batch for a vector": (
        lambda a, b: decompositions.solve(a, b),
        [BATCH, V[:3]],
        lambda a, b: np.stack([np.linalg.solve(one, b) for one in a]),
    ),
    "solve_triangular for a batch": (
        decompositions.solve_triangular,
        [SQUARE, matrices(4, 3, 2)],
        lambda a, b: np.linalg.solve(np.tril(a), b),
    ),
    "solve_triangular": (
        decompositions.solve_triangular,
        [SQUARE, M],
        lambda a, b: scipy.linalg.solve_triangular(a, b, lower=True),
    ),
    "solve_triangular upper transposed": (
        lambda a, b: decompositions.solve_triangular(a, b, lower=False, transposed=True),
        [SQUARE, V[:3]],
        lambda a, b: scipy.linalg.solve_triangular(a, b, lower=False, trans=1),
    ),
    "inverse": (np.linalg.inv, [BATCH], np.linalg.inv),
    "slogdet": (lambda a: np.linalg.slogdet(a)[1], [BATCH], lambda a: np.linalg.slogdet(a)[1]),
    "det": (np.linalg.det, [-SQUARE], np.linalg.det),
    "det of singular matrices": (
        np.linalg.det,
        [np.stack([SQUARE, np.outer(V[:3], V[1:4]), SQUARE[[0, 1, 0]], 0 * SQUARE])],
        np.linalg.det,
    ),
    "det of four rows": (np.linalg.det, [M.T @ M + np.eye(4)], np.linalg.det),
    "det of a number": (np.linalg.det, [np.zeros((1, 1))], np.linalg.det),
    "conv2d": (convolution.conv2d, [IMAGE, FILTERS], convolve),
    "conv2d with stride and padding": (
        lambda x, w: convolution.conv2d(x, w, stride=(2, 3), padding=1),
        [IMAGE, FILTERS],
        lambda x, w: convolve(np.pad(x, ((0, 0), (1, 1), (1, 1))), w)[:, ::2, ::3],
    ),
    "conv2d with dilation": (
        lambda x, w: convolution.conv2d(x, w, stride=(1, 2), dilation=(2, 1)),
        [IMAGE, FILTERS],
        lambda x, w: convolve(x, apart(w, (2, 1)))[:, :, ::2],
    ),
    "conv_transpose": (
        convolution.conv_transpose,
        [SMALL, FILTERS],
        lambda x, w: enlarge(x, w, (1, 1)),
    ),
    "conv_transpose with steps": (
        lambda x, w: convolution.conv_transpose(
            x, w, stride=(2, 3), padding=(1, 0), output_padding=(0, 2), dilation=(2, 1)
        ),
        [SMALL, FILTERS],
        lambda x, w: np.pad(enlarge(x, apart(w, (2, 1)), (2, 3)), ((0, 0), (0, 0), (0, 2)))[
            :, 1:-1
        ],
    ),
    "max_pool": (
        lambda x: convolution.max_pool(x, 2),
        [IMAGE],
        lambda x: x[:, :4].reshape(2, 2, 2, 3, 2).max(axis=(2, 4)),
    ),
    "avg_pool": (
        lambda x: convolution.avg_pool(x, (2, 3)),
        [IMAGE],
        lambda x: x[:, :4].reshape(2, 2, 2, 2, 3).mean(axis=(2, 4)),
    ),
    "avg_pool that overlaps": (
        lambda x: convolution.avg_pool(x, 2, stride=1),
        [IMAGE],
        lambda x: (x[:, 1:, 1:] + x[:, :-1, 1:] + x[:, 1:, :-1] + x[:, :-1, :-1]) / 4,
    ),
    "avg_pool that leaves elements out": (
        lambda x: convolution.avg_pool(x, (3, 1), stride=(1, 4)),
        [IMAGE],
        lambda x: (x[:, :-2, ::4] + x[:, 1:-1, ::4] + x[:, 2:, ::4]) / 3,
    ),
}
# Small steps where elements of near size, or the edge of the simplex, would be crossed
STEPS = dict.fromkeys(
    ("sort", "sort flattened", "min", "max_pool", "sparsemax", "sparsemax of columns"), 3e-4
)


@pytest.mark.parametrize("name", ROWS)
def test_row(name):
    function, arguments, reference = ROWS[name]
    check(function, arguments, reference, step=STEPS.get(name, 1e-3), float32=1e-4)


def test_cholesky():
    """The factor is the factor, and its derivative takes a as symmetric."""
    check(lambda a: np.linalg.cholesky(a @ a.T), [SQUARE], None, float32=1e-3)
    factor = Case(np.linalg.cholesky, [POSITIVE]).run([POSITIVE])["value"]
    np.testing.assert_allclose(factor @ factor.T, POSITIVE, rtol=1e-13)
    np.testing.assert_array_equal(factor, np.tril(factor))
    bad = np.stack([POSITIVE, -POSITIVE])
    out = Case(np.linalg.cholesky, [bad]).run([bad])["value"]
    np.testing.assert_allclose(out[0], factor)
    assert np.isnan(out[1]).all()


def test_norm_at_the_origin_has_a_derivative():
    out = Case(np.linalg.norm, [np.zeros(3)]).run([np.zeros(3)])
    assert out["value"] == 0 and not out["first", 0].any()
    huge = np.array([3e200, 4e200])
    np.testing.assert_allclose(Case(np.linalg.norm, [huge]).run([huge])["value"], 5e200)


def test_local_parameters_per_datum():
    """x[k] with k on a plate: the cotangent is added up over the plate, without a dense detour."""
    plate = scg.Plate("batch")
    g = scg.Graph()
    table = g.parameter("table", rng.normal(size=(6, 2)))
    k = g.data("k", shape=(2,), kind="int", plates=plate)
    weight = g.data("w", shape=(2, 2), plates=plate)
    y = scg.plate_sum(np.sum(table[k] ** 2 * weight), plate)
    (slope,) = gradients(y, [table])
    (curvature,) = gradients((slope * table).sum(), [table])
    engine = Interpreter({"slope": slope, "curvature": curvature})
    index = np.array([[0, 3], [3, 3], [5, -1], [1, 0]])
    w, start = rng.normal(size=(4, 2, 2)), rng.normal(size=(6, 2))
    out = engine.run({table: start, k: index, weight: w}, {plate: 4})
    expected = np.zeros((6, 2))
    np.add.at(expected, index, 2 * w)
    np.testing.assert_allclose(out["slope"], expected * start, rtol=1e-13)
    np.testing.assert_allclose(out["curvature"], 2 * expected * start, rtol=1e-13)
    scatters = [step.expr for step in engine.instructions if step.expr.op.name == "scatter"]
    assert scatters and all(expr.plates == () for expr in scatters)


KINDS = {
    "prod of booleans": lambda b, k: np.prod(b, axis=0) + np.prod(b, axis=0),
    "cumprod of booleans": lambda b, k: np.cumprod(b, axis=0) + np.cumprod(b, axis=0),
    "first power of booleans": lambda b, k: b**1 + b**1,
    "square by a float": lambda b, k: k**2.0,
    "first power by a float": lambda b, k: k**1.0,
    "square as float_power": lambda b, k: np.float_power(k, 2),
    "triangle of booleans": lambda b, k: np.tril(b) + np.triu(b),
    "triangle of integers": lambda b, k: np.triu(k, 1),
    "diagonal of integers": lambda b, k: np.diag(k[0], 1),
    "roll of one axis twice": lambda b, k: np.roll(k, (1, 2), axis=(1, 1)),
    "roll by several steps": lambda b, k: np.roll(k, (1, 2), axis=1) - np.roll(k, (1, 1)),
    "roll of several axes by a tuple": lambda b, k: np.roll(k, (1,), axis=(0, 1)),
}


@pytest.mark.parametrize("name", KINDS)
def test_integers_and_booleans_have_the_values_and_kinds_of_numpy(name):
    values = np.array([[4_000_000_000, 3], [-2, 4_000_000_000]])
    k = scg.Graph().data("k", shape=values.shape, kind="int")
    found, expected = KINDS[name](k > 0, k), KINDS[name](values > 0, values)
    assert found.kind == {"i": "int", "f": "float", "b": "bool"}[expected.dtype.kind]
    value = Interpreter({"y": found}).run({k: values}, {})["y"]
    np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("rule", [np.min, np.max, lambda a: np.min(a, axis=0)])
def test_extremes_of_booleans_are_booleans(rule):
    g = scg.Graph()
    x, a = rng.normal(size=(3, 4)), g.data("a", shape=(3, 4))
    found = rule(a > 0.0)
    assert found.kind == "bool"
    value = Interpreter({"y": found}).run({a: x}, {})["y"]
    np.testing.assert_array_equal(value, rule(x > 0.0))


def test_local_parameters_learn():
    plate = scg.Plate("batch")
    g = scg.Graph()
    loc = g.parameter("loc", np.zeros(3))
    k = g.data("k", kind="int", plates=plate)
    z = g.sample("z", scg.Normal(loc[k], 1.0))
    g.cost("c", z**2)
    step = scg.compile(g, estimator=scg.Reparameterization())
    params = {"loc": np.array([1.0, 2.0, 3.0])}
    out = step(params, seed=1, runs=20_000, k=np.array([0, 0, 2, 0]))
    assert out.grads["loc"][1] == 0
    np.testing.assert_allclose(out.grads["loc"], [2 * 0.75, 0, 6 * 0.25], atol=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: np.linalg.norm(x, 3), "norm: ord must be"),
        (lambda x: np.linalg.norm(x, 1), "one axis"),
        (lambda x: np.pad(x, 1, mode="edge"), "padded with zeros"),
        (lambda x: np.squeeze(x, 0), "axis -2 has length 3, expected 1"),
        (lambda x: np.broadcast_to(x, (3, 5)), r"shape \(3, 4\) does not fit \(3, 5\)"),
        (lambda x: np.einsum("...i->i", x), "write ... in the result"),
        (lambda x: np.einsum("..i->i", x), "expected letters"),
        (lambda x: np.einsum("ii->i", x), "have 3 and 4 elements"),
        (lambda x: np.einsum("i->i", x), "names 1 axes"),
        (lambda x: np.einsum("ij,j->i", x), "has 2 parts, but 1 operands"),
        (lambda x: np.linalg.inv(x), "square matrix"),
        (lambda x: np.linalg.solve(x, x), "square matrix"),
        (lambda x: decompositions.solve(np.eye(3), x[0, 0]), "a vector or matrices, got"),
        (lambda x: linalg.matmul(np.ones((2, 4, 3)), np.stack([x] * 3)), "do not broadcast"),
        (lambda x: convolution.conv2d(x, np.ones((1, 1, 2, 2))), "a batch is a plate"),
        (lambda x: convolution.conv2d(x[None], np.ones((1, 2, 2, 2))), "1 channels, the filters"),
        (lambda x: convolution.conv2d(x[None], np.ones((1, 1, 2, 2)), dilation=3), "does not fit"),
        (
            lambda x: convolution.conv_transpose(x[None], np.ones((1, 1, 2, 2)), output_padding=1),
            "smaller than the stride",
        ),
        (
            lambda x: convolution.conv_transpose(x[None], np.ones((1, 1, 2, 2)), padding=2),
            "leaves nothing",
        ),
        (lambda x: convolution.max_pool(x, 5), "does not fit"),
        (lambda x: convolution.max_pool(x, 0), "at least 1"),
        (lambda x: np.take_along_axis(x, x, 0), "expected an integer node"),
        (lambda x: np.diff(x, 4, 0), "diff: expected n from 0 to 3, got 4"),
        (lambda x: np.select([x > 0], [x, x]), "got 1 conditions and 2 choices"),
        (lambda x: np.argmax(x, axis=2), "out of range"),
        (lambda x: np.clip(x, 0.0, 1.0, max=2.0), "not both"),
    ],
)
def test_errors_teach(call, message):
    x = scg.Graph().parameter("x", np.ones((3, 4)))
    with pytest.raises(scg.DeclarationError, match=message):
        call(x)


def test_unsupported_functions_name_the_nearest():
    x = scg.Graph().parameter("x", np.ones((3, 4)))
    for call, near in ((np.nanprod, "np.prod"), (np.fliplr, "np.flip"), (np.arcsinh, "np.sinh")):
        with pytest.raises(TypeError, match=f"nearest supported function is {near}"):
            call(x)
