"""Rows of ops: ours, the same in mpmath, and the points."""

import itertools

import mpmath as mp
import numpy as np
import scipy.special

import scg
from scg.ops import powers

SIZES = (1e-30, 1e-12, 1e-5, 1e-2, 0.3, 0.9, 1.7, 4.0, 12.0, 36.0, 88.0, 500.0, 1e5, 1e20)
REAL = [(s * x,) for x in SIZES for s in (-1, 1)]
MODERATE = [(s * x,) for x in SIZES if x < 1e3 for s in (-1, 1)]
POSITIVE = [(x,) for x in SIZES]
UNIT = [(x,) for x in (1e-30, 1e-12, 1e-5, 0.1, 0.4, 0.5, 0.7, 0.99, 1 - 2.0**-20)]
INNER = [(2 * u - 1,) for (u,) in UNIT if u > 1e-6]
SHAPES = (1e-3, 0.1, 0.7, 2.5, 30.0, 1e3, 1e6)
PAIRS = list(itertools.product((-700.0, -3.1, -1e-8, 0.2, 5.0, 1e6), repeat=2))
TRIPLES = [(0.3, -1.2, 0.8), (800.0, -800.0, 3.0), (1e-8, 2e-8, -1e-9), (50.0, 49.0, 51.0)]


def softplus(x):
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def sigmoid(x):
    return 1 / (1 + mp.exp(-x)) if x > 0 else mp.exp(x) / (1 + mp.exp(x))


def log_ndtr(x):
    return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)


def ndtr(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def stack(fn):
    """A function of a vector, as a function of three numbers."""
    return lambda a, b, c: fn(np.stack([a, b, c]))


def mean(*x):
    return mp.fsum(x) / len(x)


def lse(*x):
    top = max(x)
    return top + mp.log(mp.fsum(mp.exp(v - top) for v in x))


M = np.array([[1.3, 0.2, -0.1], [0.4, 1.1, 0.3], [-0.2, 0.1, 0.9]])
P = M @ M.T


def solved(*b):
    return mp.lu_solve(mp.matrix(M.tolist()), mp.matrix(list(b)))[1]


def lower(a, b, c):
    """The last entry of the Cholesky factor of P with a raised diagonal."""
    return mp.cholesky(matrix(a, b, c))[2, 2]


def raised(a, b, c):
    return P + np.eye(3) * np.exp(np.stack([a, b, c]) / 1000)


def matrix(a, b, c):
    """The same as `raised` in mpmath."""
    return mp.matrix(P.tolist()) + mp.diag([mp.exp(v / 1000) for v in (a, b, c)])


def bilinear(*x):
    """x M x."""
    n = range(3)
    return mp.fsum(x[i] * mp.mpf(float(M[i, j])) * x[j] for i in n for j in n)


def forward(*b):
    """The last entry of the solution of L x = b with the lower triangle L of M."""
    low = mp.matrix(np.tril(M).tolist())
    return mp.lu_solve(low, mp.matrix(list(b)))[2]


def projected(*x):
    """The first entry of the projection on the simplex."""
    z = sorted(x, reverse=True)
    sizes = [k for k in (1, 2, 3) if k * z[k - 1] > mp.fsum(z[:k]) - 1]
    return max(x[0] - (mp.fsum(z[: sizes[-1]]) - 1) / sizes[-1], mp.mpf(0))


def gamma_quantile(a, u):
    """The solution x of P(a, x) = u, by Newton's method on log x from SciPy's result."""
    y = mp.log(scipy.special.gammaincinv(float(a), float(u)))
    for _ in range(7):  # the number of digits doubles
        x = mp.exp(y)
        density = mp.exp(a * y - x - mp.loggamma(a))
        y -= (mp.gammainc(a, 0, x, regularized=True) - u) / density
    return mp.exp(y)


FILTER = np.array([0.7, -0.4])
VECTOR = np.array([0.7, -0.4, 0.9])

# name: ours, mpmath, points, number of arguments with a derivative
ROWS = {
    "add": (np.add, lambda a, b: a + b, PAIRS, 2),
    "subtract": (np.subtract, lambda a, b: a - b, PAIRS, 2),
    "multiply": (np.multiply, lambda a, b: a * b, PAIRS, 2),
    "divide": (np.divide, lambda a, b: a / b, PAIRS, 2),
    "remainder": (
        np.remainder,
        lambda a, b: a - b * mp.floor(a / b),
        list(itertools.product((-700.0, -3.1, -1e-8, 1e-12, 4.7, 1e6), (-5.3, 0.7, 36.0))),
        2,
    ),
    "power": (np.power, mp.power, [(a, b) for (a,) in POSITIVE for b in (-2.5, 0.3, 3.0)], 2),
    "square": (np.square, lambda a: a * a, REAL, 1),
    "sqrt": (np.sqrt, mp.sqrt, POSITIVE, 1),
    "abs": (np.abs, abs, REAL, 1),
    "exp": (np.exp, mp.exp, MODERATE, 1),
    "expm1": (np.expm1, mp.expm1, MODERATE, 1),
    "exp2": (np.exp2, lambda a: mp.power(2, a), MODERATE, 1),
    "log": (np.log, mp.log, POSITIVE, 1),
    "log1p": (np.log1p, mp.log1p, [(-0.999,), (-0.3,), (-1e-12,), *POSITIVE], 1),
    "log2": (np.log2, lambda a: mp.log(a, 2), POSITIVE, 1),
    "log10": (np.log10, mp.log10, POSITIVE, 1),
    "sin": (np.sin, mp.sin, REAL, 1),
    "cos": (np.cos, mp.cos, REAL, 1),
    "tan": (np.tan, mp.tan, REAL, 1),
    "arctan": (np.arctan, mp.atan, REAL, 1),
    "sinh": (np.sinh, mp.sinh, MODERATE, 1),
    "cosh": (np.cosh, mp.cosh, MODERATE, 1),
    "tanh": (np.tanh, mp.tanh, MODERATE, 1),
    "sigmoid": (scg.sigmoid, sigmoid, MODERATE, 1),
    "log_sigmoid": (scg.log_sigmoid, lambda a: -softplus(-a), MODERATE, 1),
    "logit": (scg.logit, lambda u: mp.log(u) - mp.log1p(-u), UNIT, 1),
    "softplus": (scg.softplus, softplus, MODERATE, 1),
    "relu": (scg.relu, lambda a: max(a, 0), REAL, 1),
    "leaky_relu": (scg.leaky_relu, lambda a: a if a > 0 else mp.mpf(0.01) * a, REAL, 1),
    "elu": (scg.elu, lambda a: a if a > 0 else mp.expm1(a), MODERATE, 1),
    "gelu": (scg.gelu, lambda a: a * ndtr(a), MODERATE, 1),
    "silu": (scg.silu, lambda a: a * sigmoid(a), MODERATE, 1),
    "erf": (scg.erf, mp.erf, MODERATE, 1),
    "erfc": (scg.erfc, mp.erfc, MODERATE, 1),
    "erfinv": (scg.erfinv, mp.erfinv, INNER, 1),
    "ndtr": (scg.ndtr, ndtr, MODERATE, 1),
    "ndtri": (
        scg.ndtri,
        lambda u: mp.sqrt(2) * mp.erfinv(2 * u - 1),
        [p for p in UNIT if p[0] > 1e-13 and p[0] != 0.5],
        1,
    ),
    "log_ndtr": (scg.log_ndtr, log_ndtr, MODERATE, 1),
    "gammaln": (scg.gammaln, mp.loggamma, POSITIVE, 1),
    "digamma": (scg.digamma, mp.digamma, POSITIVE, 1),
    "polygamma": (lambda a: scg.polygamma(a, order=2), lambda a: mp.psi(2, a), POSITIVE[3:], 1),
    "betaln": (
        scg.betaln,
        lambda a, b: mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b),
        list(itertools.product(SHAPES, repeat=2)),
        2,
    ),
    "gammainc": (
        scg.gammainc,
        lambda a, x: mp.gammainc(a, 0, x, regularized=True),
        [(a, a * r) for a in SHAPES[:-2] for r in (0.3, 1.0, 1.8)],
        2,
    ),
    "gammaincinv": (
        scg.gammaincinv,
        gamma_quantile,
        [(a, u) for a in SHAPES[1:-1] for u in (1e-5, 0.1, 0.5, 0.99)],
        2,
    ),
    "i0e": (scg.i0e, lambda a: mp.besseli(0, a) * mp.exp(-abs(a)), REAL, 1),
    "i1e": (scg.i1e, lambda a: mp.besseli(1, a) * mp.exp(-abs(a)), REAL, 1),
    "xlogy": (powers.xlogy, lambda a, b: a * mp.log(b), [(a, b) for a, b in PAIRS if b > 0], 2),
    "maximum": (np.maximum, max, [p for p in PAIRS if p[0] != p[1]], 2),
    "minimum": (np.minimum, min, [p for p in PAIRS if p[0] != p[1]], 2),
    "sum": (stack(np.sum), lambda *x: mp.fsum(x), TRIPLES, 3),
    "mean": (stack(np.mean), mean, TRIPLES, 3),
    "prod": (stack(np.prod), lambda *x: mp.fprod(x), TRIPLES, 3),
    "cumsum": (stack(lambda x: np.cumsum(x)[1]), lambda a, b, c: a + b, TRIPLES, 3),
    "cumprod": (stack(lambda x: np.cumprod(x)[1]), lambda a, b, c: a * b, TRIPLES, 3),
    "var": (stack(np.var), lambda *x: mean(*((v - mean(*x)) ** 2 for v in x)), TRIPLES, 3),
    "std": (
        stack(np.std),
        lambda *x: mp.sqrt(mean(*((v - mean(*x)) ** 2 for v in x))),
        TRIPLES,
        3,
    ),
    "norm": (stack(np.linalg.norm), lambda *x: mp.sqrt(mp.fsum(v * v for v in x)), TRIPLES, 3),
    "logsumexp": (stack(scg.logsumexp), lse, TRIPLES, 3),
    "softmax": (stack(lambda x: scg.softmax(x)[1]), lambda *x: mp.exp(x[1] - lse(*x)), TRIPLES, 3),
    "log_softmax": (stack(lambda x: scg.log_softmax(x)[1]), lambda *x: x[1] - lse(*x), TRIPLES, 3),
    "matmul": (
        stack(lambda x: (M @ x)[0]),
        lambda *x: mp.fsum(mp.mpf(m) * v for m, v in zip(M[0].tolist(), x, strict=True)),
        TRIPLES,
        3,
    ),
    "solve": (stack(lambda x: np.linalg.solve(M, x)[1]), solved, TRIPLES, 3),
    "cholesky": (lambda *x: np.linalg.cholesky(raised(*x))[2, 2], lower, TRIPLES, 3),
    "slogdet": (
        lambda *x: np.linalg.slogdet(raised(*x))[1],
        lambda *x: mp.log(mp.det(matrix(*x))),
        TRIPLES,
        3,
    ),
    "det": (lambda *x: np.linalg.det(raised(*x)), lambda *x: mp.det(matrix(*x)), TRIPLES, 3),
    "inv": (
        lambda *x: np.linalg.inv(raised(*x))[0, 1],
        lambda *x: mp.inverse(matrix(*x))[0, 1],
        TRIPLES,
        3,
    ),
    "solve_triangular": (
        stack(lambda x: scg.solve_triangular(M, x)[2]),
        forward,
        TRIPLES,
        3,
    ),
    "trace": (
        lambda *x: np.trace(raised(*x)),
        lambda *x: mp.fsum(matrix(*x)[i, i] for i in range(3)),
        TRIPLES,
        3,
    ),
    "dot": (
        stack(lambda x: np.dot(x, VECTOR)),
        lambda *x: mp.fsum(mp.mpf(float(w)) * v for w, v in zip(VECTOR, x, strict=True)),
        TRIPLES,
        3,
    ),
    "outer": (stack(lambda x: np.outer(x, x)[0, 2]), lambda a, b, c: a * c, TRIPLES, 3),
    "einsum": (stack(lambda x: np.einsum("i,ij,j->", x, M, x)), bilinear, TRIPLES, 3),
    "conv2d": (
        stack(lambda x: scg.conv2d(np.reshape(x, (1, 1, 3)), FILTER[None, None, None])[0, 0, 1]),
        lambda a, b, c: b * mp.mpf(float(FILTER[0])) + c * mp.mpf(float(FILTER[1])),
        TRIPLES,
        3,
    ),
    "conv_transpose": (
        stack(
            lambda x: scg.conv_transpose(np.reshape(x, (1, 1, 3)), FILTER[None, None, None])[
                0, 0, 1
            ]
        ),
        lambda a, b, c: a * mp.mpf(float(FILTER[1])) + b * mp.mpf(float(FILTER[0])),
        TRIPLES,
        3,
    ),
    "avg_pool": (
        stack(lambda x: scg.avg_pool(np.reshape(x, (1, 3)), (1, 3))[0, 0]),
        mean,
        TRIPLES,
        3,
    ),
    "max_pool": (
        stack(lambda x: scg.max_pool(np.reshape(x, (1, 3)), (1, 3))[0, 0]),
        max,
        TRIPLES,
        3,
    ),
    "max": (stack(np.max), max, TRIPLES, 3),
    "min": (stack(np.min), min, TRIPLES, 3),
    "sparsemax": (
        stack(lambda x: scg.sparsemax(x)[0]),
        projected,
        [*TRIPLES[:3], (50.3, 49.0, 51.0)],  # the other triple lies on an edge
        3,
    ),
}
#: What copies, compares or rounds elements: no arithmetic, and therefore no error.
EXACT = """
    absolute all any argmax argmin argsort bitwise_and bitwise_or bitwise_xor broadcast_to ceil clip
    concatenate continuous diag diagonal equal expand_dims flip floor floor_divide greater
    greater_equal invert isfinite isinf isnan less less_equal logical_and logical_not logical_or
    moveaxis ndim negative not_equal one_hot ones_like pad ravel repeat reshape rint roll select
    shape sign size sort squeeze stack stop_gradient swapaxes take take_along_axis tile transpose
    tril triu where zeros_like
""".split()
#: What is computed as another row is.
ALIKE = {
    "diff": "subtract",
    "float_power": "power",
    "logaddexp": "logsumexp",
    "round": "multiply",
    "plate_sum": "sum",
    "plate_mean": "mean",
    "plate_max": "max",
    "plate_logsumexp": "logsumexp",
    "elbo": "subtract",
    "iwae": "logsumexp",
    "dreg": "logsumexp",
    "gdreg": "logsumexp",
    "reweighted_wake_sleep": "logsumexp",
    "vr_iwae": "logsumexp",
    "tvo": "logsumexp",
}
