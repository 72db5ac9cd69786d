"""The table of the core ops: one row an op, with an independent reference and where it is tried.

A function is polymorphic: nodes to a node, arrays to an array. The reference is NumPy or SciPy on
one example, without plates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.special as sp

import scg
from scg.ir.expr import Expr
from scg.ir.op import OPS
from scg.ops import elementwise as e
from scg.ops import gather, gradient, powers, reductions, special
from scg.ops.linalg import dot, matmul, outer


@dataclass(frozen=True)
class Row:
    """One op: `order` derivatives are checked; integer arguments lie in [0, `below`)."""

    name: str
    fn: Callable[..., Any]
    reference: Callable[..., Any]
    args: tuple[Any, ...]
    order: int = 2
    below: int = 0
    rtol: float = 1e-13
    single: float = 1e-5

    def __str__(self) -> str:
        return self.name


X = np.array([-2.3, -0.7, 0.4, 1.9])
Y = np.array([0.6, -1.1, 1.3, 0.2])
P = np.array([0.3, 1.2, 2.5, 4.1])
U = np.array([0.1, 0.35, 0.62, 0.9])
A = np.array([[0.5, -1.2, 0.8], [1.1, 0.3, -0.9]])
B = np.array([[0.7, 0.2], [-0.4, 1.3], [0.9, -0.6]])
C = np.arange(24.0).reshape(2, 3, 4) / 7 - 1.5
K = np.array([2, 0, 1, 1])
ON = np.array([1, 0, 1, 1])  # integers that serve as conditions
OTHER = np.array([1, 1, 0, 1])


def unary(name: str, fn: Any, reference: Any = None, args: Any = (X,), **options: Any) -> Row:
    return Row(name, fn, reference or fn, args, **options)


def on_nodes(fn: Any, otherwise: Any) -> Any:
    """A function of nodes alone, for ops that NumPy spells in another way."""
    return lambda x, *rest: (fn if isinstance(x, Expr) else otherwise)(x, *rest)


def slope(f: Callable[[Any], Any], h: float = 4e-3) -> Any:
    """A derivative by central differences and two Richardson extrapolations."""
    d1, d2, d3 = ((f(h / k) - f(-h / k)) / (2 * h / k) for k in (1, 2, 4))
    return (d1 - 20 * d2 + 64 * d3) / 45


ARITHMETIC = [
    Row("add", np.add, np.add, (X, Y)),
    Row("add broadcast", np.add, np.add, (A, A[:, :1])),
    Row("subtract", np.subtract, np.subtract, (X, Y)),
    Row("multiply", np.multiply, np.multiply, (A, A[0])),
    Row("divide", np.divide, np.divide, (X, Y)),
    Row("ratio", powers.ratio, np.divide, (X, Y)),
    unary("negative", np.negative),
    unary("square", np.square),
    Row("power", np.power, np.power, (P, Y)),
    unary("power 2", lambda x: x**2),
    unary("power 3 of both signs", lambda x: x**3),
    unary("power -2", lambda x: x**-2.0),
    unary("reflected", lambda x: 2.0 / x - (1.5 - x) + 2.0**x),
    unary("exp", np.exp),
    unary("log", np.log, args=(P,)),
    unary("log1p", np.log1p, args=(P - 0.9,)),
    unary("expm1", np.expm1),
    unary("sqrt", np.sqrt, args=(P,)),
    unary("abs", np.abs),
    unary("sign", np.sign),
    unary("tanh", np.tanh),
    unary("sech_squared", OPS["sech_squared"], lambda x: 1 - np.tanh(x) ** 2),
    unary("sigmoid", scg.sigmoid, sp.expit),
    unary("softplus", scg.softplus, lambda x: np.logaddexp(0.0, x)),
    unary("relu", scg.relu, lambda x: np.where(x > 0, x, 0.0)),
    Row(
        "log_binary",
        e.log_binary,
        lambda a, x: x * a - np.logaddexp(0.0, a),
        (np.array([-2.0, 0.4, 1.5, -0.7]), np.array([0.0, 1.0, 0.3, 0.8])),
    ),
    Row("xlogy", powers.xlogy, sp.xlogy, (X, P)),
    Row("xlog1py", powers.xlog1py, sp.xlog1py, (X, P - 0.9)),
    Row("minimum", np.minimum, np.minimum, (X, Y)),
    Row("maximum", np.maximum, np.maximum, (X, Y)),
]
CHOICE = [
    *(
        Row(f.__name__, f, f, (np.round(X), np.array([-2.0, 1.0, 0.0, -1.0])))
        for f in (np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal)
    ),
    Row("logical_and", np.logical_and, np.logical_and, (ON, OTHER), below=2),
    Row("logical_or", np.logical_or, np.logical_or, (ON, OTHER), below=2),
    Row("logical_not", np.logical_not, np.logical_not, (ON,), below=2),
    Row("where", np.where, np.where, (ON, X, Y), below=2),
    unary("where on a comparison", lambda x: np.where(x > 0.1, x**2, -x)),
    Row("float", e.cast, lambda k: k * 1.0, (K,), below=3),
    unary("integers", lambda k: (k - 1) * (k + 2) + k**2 - abs(-k), args=(K,), below=3),
    unary("integers to floats", lambda k: (k + 1) ** -1.5 + k / 3 + np.exp(k), args=(K,), below=3),
    Row(
        "booleans",
        lambda k, j: 1.0 * (k > 0) + 1.0 * (j > 0) + (1.0 - (k > 0)) * (0.0 + (j < 1)),
        lambda k, j: 1.0 * (k > 0) + (j > 0) + (1.0 - (k > 0)) * (j < 1),
        (ON, OTHER),
        below=2,
    ),
    unary("count of a condition", lambda x: np.sum(x > 0.0, axis=0)),
    unary("count", lambda x: np.sum(x > 0.0) + np.cumsum(x < 1.0)),
]
SPECIAL = [
    unary("gammaln", special.gammaln, sp.gammaln, (P,)),
    unary("digamma", special.digamma, sp.digamma, (P,)),
    unary("polygamma", lambda a: special.polygamma(a, order=2), lambda a: sp.polygamma(2, a), (P,)),
    Row("gammainc", special.gammainc, sp.gammainc, (P, P[::-1])),
    Row(
        "gammainc_da",
        lambda a, x: special.gammainc_da(a, x, order=1),
        lambda a, x: slope(lambda h: sp.gammainc(a + h, x)),
        (P, P[::-1]),
        order=1,
        rtol=1e-9,
    ),
    Row("gammaincinv", special.gammaincinv, sp.gammaincinv, (P, U), single=1e-4),
    unary("ndtri", special.ndtri, sp.ndtri, (U,)),
]
REDUCTIONS = [
    unary("sum", np.sum, args=(A,)),
    unary("sum over an axis", lambda x: np.sum(x, axis=1, keepdims=True), args=(A,)),
    unary("sum over two axes", lambda x: np.sum(x, axis=(0, -1)), args=(C,)),
    unary("method sum", lambda x: x.sum(axis=-2), args=(C,)),
    unary("mean", lambda x: np.mean(x, axis=0), args=(A,)),
    unary("max", lambda x: np.max(x, axis=-1), args=(A,)),
    unary("max of all", lambda x: np.max(x, keepdims=True), args=(C,)),
    unary("logsumexp", scg.logsumexp, sp.logsumexp, (A,)),
    unary(
        "logsumexp over an axis",
        lambda x: scg.logsumexp(x, axis=0, keepdims=True),
        lambda x: sp.logsumexp(x, axis=0, keepdims=True),
        (A,),
    ),
    unary("softmax", scg.softmax, lambda x: sp.softmax(x, axis=-1), (A,)),
    unary(
        "log_softmax",
        lambda x: scg.log_softmax(x, axis=0),
        lambda x: sp.log_softmax(x, axis=0),
        (A,),
    ),
    unary(
        "expand",
        on_nodes(lambda x: reductions.expand(x, (), (2, 4)), lambda x: np.broadcast_to(x, (2, 4))),
        lambda x: np.broadcast_to(x, (2, 4)),
    ),
]
CONTRACTIONS = [
    Row("matrix @ matrix", lambda a, b: a @ b, np.matmul, (A, B)),
    Row("vector @ matrix", matmul, np.matmul, (A[0], B)),
    Row("matrix @ vector", matmul, np.matmul, (A, B[:, 0])),
    Row("vector @ vector", np.dot, np.dot, (X, Y)),
    Row("outer", outer, np.outer, (X, B[0])),
    Row("dot", dot, lambda a, b: np.sum(a * b), (A, -A)),
    Row("constant @ node", lambda b: A @ b, lambda b: A @ b, (B,)),
]
MOVES = [
    unary("reshape", lambda x: np.reshape(x, (3, -1)), args=(A,)),
    unary("method reshape", lambda x: x.reshape(6), args=(A,)),
    unary("transpose", np.transpose, args=(C,)),
    unary("transpose with axes", lambda x: np.transpose(x, (1, 2, 0)), args=(C,)),
    unary("T", lambda x: x.T, args=(A,)),
    unary("expand_dims", lambda x: np.expand_dims(x, -1), args=(A,)),
    Row(
        "concatenate",
        lambda x, y: np.concatenate([x, np.ones((2, 1)), y], axis=1),
        lambda x, y: np.concatenate([x, np.ones((2, 1)), y], axis=1),
        (A, B[:2]),
    ),
    Row(
        "concatenate flattened",
        lambda x, y: np.concatenate([x, y], axis=None),
        lambda x, y: np.concatenate([x, y], axis=None),
        (A, X),
    ),
    Row(
        "stack",
        lambda x, y: np.stack([x, Y, y], axis=-1),
        lambda x, y: np.stack([x, Y, y], axis=-1),
        (X, P),
    ),
    unary("slice", lambda x: x[1, ::-2, None, 1:3], args=(C,)),
    unary("slice with ellipsis", lambda x: x[..., -1], args=(C,)),
    unary("slice of nothing", lambda x: x[-9::-1, 2:1], args=(A,)),
    unary("cumsum", lambda x: np.cumsum(x, axis=0), args=(A,)),
    unary("cumsum flattened", np.cumsum, args=(A,)),
    Row("gather rows", lambda x, k: x[k], lambda x, k: x[k], (B, K), below=3),
    Row("gather scalar", lambda x, k: x[k], lambda x, k: x[k], (Y, np.array(2)), below=4),
    Row("gather matrix", lambda x, k: x[k], lambda x, k: x[k], (X, K.reshape(2, 2)), below=4),
    unary("gather constants", lambda x: x[[0, -1, 0]], args=(B,)),
    Row("gather entry", lambda x, k: x[1, k], lambda x, k: x[1, k], (C, np.array(2)), below=3),
    Row(
        "gather entries",
        lambda x, k, i: x[i, k, [[2], [-1]]],
        lambda x, k, i: x[i, k, [[2], [-1]]],
        (C, K, np.array([0, 1, 1, 0])),
        below=2,
    ),
    Row(
        "scatter",
        lambda g, k: gather.scatter(g, k, length=3, rank=2, index_rank=1, over=()),
        lambda g, k: np.stack([g[k == i].sum(axis=0) for i in range(3)]),
        (C[0].T, K),
        below=3,
    ),
    Row("one_hot", lambda k: scg.one_hot(k, 3), lambda k: np.eye(3)[k], (K,), below=3),
]
MARKS = [
    unary("mark", on_nodes(lambda x: gradient.mark(x, label="m"), lambda x: x), lambda x: x),
    unary("stop", lambda x: scg.stop_gradient(np.exp(x)) * x, lambda x: np.exp(x) * x, order=0),
    unary("observed", gradient.observed, lambda x: x),
    unary("self_normalised", gradient.self_normalised, lambda x: x),
    unary(
        "path_alone",
        on_nodes(lambda x: gradient.path_alone(x, label="m"), lambda x: x),
        lambda x: x,
    ),
    unary("first_order", gradient.first_order, lambda x: x),
    Row("possible", e.possible, lambda x, w: x + 0.0 * w, (X, Y)),
    Row("gate", lambda x, y: gradient.gate(x, y > 0), lambda x, y: x + 0.0 * y, (A[0], A), order=0),
    Row("graft", gradient.graft, lambda x, y: x + 0.0 * y, (A[0], A), order=0),
    Row("cross", gradient.cross, lambda x, m: x + 0.0 * m, (A[0], A), order=0),
    unary("box", lambda x: gradient.box(x) * np.exp(x), np.exp, order=0),
    unary("unslice", on_nodes(lambda x: np.sum(x[1:] ** 2), lambda x: np.sum(x[1:] ** 2))),
]
ROWS = [*ARITHMETIC, *CHOICE, *SPECIAL, *REDUCTIONS, *CONTRACTIONS, *MOVES, *MARKS]
