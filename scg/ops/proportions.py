"""Log-densities around their means, computed in double precision.

Gamma, beta and Dirichlet log-densities multiply the logarithm of a value over the mean with a
concentration, which magnifies the rounding of a mean in single precision a million times. Their
derivatives are written out, because those of the factors cancel.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.ir.expr import Expr
from scg.ir.op import Op
from scg.ops.attributes import between, flag
from scg.ops.base import elementwise, special
from scg.ops.elementwise import log, log1p, sigmoid, square
from scg.ops.indexing import getitem
from scg.ops.powers import absorb, times_power
from scg.ops.reductions import sum
from scg.ops.rows import last, vectors
from scg.ops.special import HALF_LOG_2PI, stirling


def _wide(x: Any) -> Any:
    return np.asarray(x, np.float64)


def _times(c: Any, log_x: Any) -> Any:
    """c log x, zero where c is zero."""
    return np.where(c == 0, 0.0, c) * np.where(c == 0, 0.0, log_x)


# --- the gamma distribution, of a value or of its reciprocal ----------------------------------
def _log_ratio(x: Any, y: Any) -> Any:
    x, y = _wide(x), _wide(y)
    with np.errstate(divide="ignore"):
        return np.where(np.abs(x - y) < 0.5 * y, np.log1p((x - y) / y), np.log(x / y))


def _log_over_gamma_mean(x: Any, a: Any, b: Any, reciprocal: bool) -> Any:
    return _log_ratio(_wide(b) / x if reciprocal else _wide(b) * x, a)


def _gamma_core(x: Any, a: Any, b: Any, reciprocal: bool) -> Any:
    y = _wide(b) / x if reciprocal else _wide(b) * x
    core = _times(_wide(a) - 1.0, _log_ratio(y, a)) + (a - y) + np.log(_wide(b))
    return np.where(np.isposinf(y), -np.inf, core)


def _gamma_slope(x: Any, c: Any, b: Any, reciprocal: bool) -> Any:
    b = 1.0 / _wide(b) if reciprocal else _wide(b)
    with np.errstate(divide="ignore"):
        return np.where(_wide(c) == 0, 0.0, c) / np.where(_wide(c) == 0, 1.0, x) - b


def _core_in_x(g: Any, y: Any, x: Any, a: Any, b: Any, reciprocal: bool) -> Any:
    if reciprocal:
        return -(g * b / x) * gamma_slope(b, a - 1.0, x, reciprocal=True)
    return g * gamma_slope(x, a - 1.0, b, reciprocal=False)


#: log(b x / a), or log(b / (x a)) of a reciprocal.
log_over_gamma_mean = special(
    "log_over_gamma_mean",
    lambda g, y, x, a, b, reciprocal: (-g if reciprocal else g) / x,
    lambda g, y, x, a, b, reciprocal: -g / a,
    lambda g, y, x, a, b, reciprocal: g / b,
    numpy=_log_over_gamma_mean,
    attributes={"reciprocal": flag},
)
#: c / x − b, the derivative of c log x − b x; of a reciprocal b, c / x − 1 / b.
gamma_slope = special(
    "gamma_slope",
    lambda g, y, x, c, b, reciprocal: -(g * c / square(x)),
    lambda g, y, x, c, b, reciprocal: g / x,
    lambda g, y, x, c, b, reciprocal: g / square(b) if reciprocal else -g,
    numpy=_gamma_slope,
    attributes={"reciprocal": flag},
)
#: (a − 1) log(y / a) − (y − a) + log b for y = b x, or b / x of a reciprocal.
gamma_core = special(
    "gamma_core",
    _core_in_x,
    lambda g, y, x, a, b, reciprocal: absorb(
        g, log_over_gamma_mean(x, a, b, reciprocal=reciprocal) + 1.0 / a
    ),
    lambda g, y, x, a, b, reciprocal: g * gamma_slope(b, a, x, reciprocal=reciprocal),
    numpy=_gamma_core,
    attributes={"reciprocal": flag},
)


def gamma_log_density(x: Any, a: Any, b: Any, reciprocal: bool = False) -> Any:
    """Gamma log-density a log b + (a − 1) log x − b x − log Γ(a), by Stirling's formula.

    For a reciprocal `x` it is the log-density at 1 / x.
    """
    scale = 0.5 * log(a) + stirling(a, order=0) + HALF_LOG_2PI
    return gamma_core(x, a, b, reciprocal=reciprocal) - scale


# --- the beta distribution, of a proportion or of its log-odds --------------------------------
def _logs(x: Any, logit: bool) -> tuple[Any, Any]:
    x = _wide(x)
    if logit:
        return -np.logaddexp(0.0, -x), -np.logaddexp(0.0, x)
    with np.errstate(divide="ignore"):
        return np.log(x), np.log1p(-x)


def _log_over_mean(x: Any, a: Any, b: Any, logit: bool) -> Any:
    return _logs(x, logit)[0] + np.log1p(_wide(b) / a)


def _log_rest_over_mean(x: Any, a: Any, b: Any, logit: bool) -> Any:
    return _logs(x, logit)[1] + np.log1p(_wide(a) / b)


def _beta_core(x: Any, a: Any, b: Any, logit: bool) -> Any:
    a, b = _wide(a), _wide(b)
    left = _times(a - 1.0, _log_over_mean(x, a, b, logit))
    return left + _times(b - 1.0, _log_rest_over_mean(x, a, b, logit))


def _beta_slope(x: Any, c: Any, d: Any, logit: bool) -> Any:
    x, c, d = _wide(x), _wide(c), _wide(d)
    if logit:
        left, right = (np.exp(-np.logaddexp(0.0, s)) for s in (x, -x))
        return c * left - d * right
    with np.errstate(divide="ignore"):
        return c / np.where(c == 0, 1.0, x) - d / np.where(d == 0, 1.0, 1.0 - x)


def _in_x(x: Any, logit: bool) -> Any:
    """Derivatives of log p in x, and minus those of log(1 − p), for the proportion p."""
    return (sigmoid(-x), sigmoid(x)) if logit else (1.0 / x, 1.0 / (1.0 - x))


def _beta_curvature(x: Any, c: Any, d: Any, logit: bool) -> Any:
    if logit:
        left, right = _in_x(x, logit)
        return -(c + d) * left * right
    return -(times_power(c, x, -2.0) + times_power(d, 1.0 - x, -2.0))


#: log(p / m) and log((1 − p) / (1 − m)) with m = a / (a + b); p is x, or σ(x) for a logit x.
log_over_mean = special(
    "log_over_mean",
    lambda g, y, x, a, b, logit: g * _in_x(x, logit)[0],
    lambda g, y, x, a, b, logit: -(g * (b / a)) / (a + b),
    lambda g, y, x, a, b, logit: g / (a + b),
    numpy=_log_over_mean,
    attributes={"logit": flag},
)
log_rest_over_mean = special(
    "log_rest_over_mean",
    lambda g, y, x, a, b, logit: -(g * _in_x(x, logit)[1]),
    lambda g, y, x, a, b, logit: g / (a + b),
    lambda g, y, x, a, b, logit: -(g * (a / b)) / (a + b),
    numpy=_log_rest_over_mean,
    attributes={"logit": flag},
)
#: The derivative of c log p + d log(1 − p) in x.
beta_slope = special(
    "beta_slope",
    lambda g, y, x, c, d, logit: g * _beta_curvature(x, c, d, logit),
    lambda g, y, x, c, d, logit: g * _in_x(x, logit)[0],
    lambda g, y, x, c, d, logit: -(g * _in_x(x, logit)[1]),
    numpy=_beta_slope,
    attributes={"logit": flag},
)
#: (a − 1) log(p / m) + (b − 1) log((1 − p) / (1 − m)).
beta_core = special(
    "beta_core",
    lambda g, y, x, a, b, logit: absorb(g, beta_slope(x, a - 1.0, b - 1.0, logit=logit)),
    lambda g, y, x, a, b, logit: absorb(
        g, log_over_mean(x, a, b, logit=logit) + (1.0 / a - 2.0 / (a + b))
    ),
    lambda g, y, x, a, b, logit: absorb(
        g, log_rest_over_mean(x, a, b, logit=logit) + (1.0 / b - 2.0 / (a + b))
    ),
    numpy=_beta_core,
    attributes={"logit": flag},
)


def beta_log_density(x: Any, a: Any, b: Any, logit: bool = False) -> Any:
    """Beta log-density (a − 1) log p + (b − 1) log(1 − p) − log B(a, b); p is x, or σ(x)."""
    n = a + b
    remainder = stirling(n, order=0) - stirling(a, order=0) - stirling(b, order=0)
    scale = 0.5 * (log(n) + log1p(b / a) + log1p(a / b)) + remainder - HALF_LOG_2PI
    return beta_core(x, a, b, logit=logit) + scale


def _binomial_probability(logp: Any, x: Any, p: Any, n: int) -> Any:
    return np.where((x < 0) | (x > n), 0.0, np.exp(logp))


#: A binomial probability given its logarithm. Its derivative in p is finite at p = 0 and p = 1:
#: n times the probability of x − 1 among n − 1 trials, less that of x.
_probability = elementwise(
    "binomial_probability",
    _binomial_probability,
    lambda g, y, logp, x, p, n: 0.0 * g,
    lambda g, y, logp, x, p, n: 0.0 * g,
    lambda g, y, logp, x, p, n: g * (n * _added_trial(x, p, n - 1)) if n else 0.0 * g,
    attributes={"n": between(0, 2**53)},
    kernel="({zero} if ({1} < {zero} or {1} > {n}) else exp_{code}({0}))",
)


def _added_trial(x: Any, p: Any, n: int) -> Any:
    return binomial_probability(x - 1.0, p, n) - binomial_probability(x, p, n)


def binomial_probability(x: Any, p: Any, n: int) -> Any:
    """Probability of x successes among n trials; 0 below 0 and above n."""
    with np.errstate(all="ignore"):
        logp = beta_log_density(p, x + 1.0, n + 1.0 - x) - math.log(n + 1.0)
        return _probability(logp, x, p, n=n)


# --- the Dirichlet distribution ---------------------------------------------------------------
def _over_means(x: Any, a: Any) -> Any:
    a = _wide(a)
    with np.errstate(divide="ignore"):
        return np.log(_wide(x)) + np.log(a.sum(axis=-1, keepdims=True)) - np.log(a)


def _shared(g: Expr, y: Expr, x: Expr, a: Expr) -> Expr:
    return sum(g, -1, keepdims=True) / sum(a, -1, keepdims=True) - g / a


def _dirichlet_core(x: Any, a: Any) -> Any:
    return _times(_wide(a) - 1.0, _over_means(x, a)).sum(axis=-1)


def _in_concentration(g: Expr, y: Expr, x: Expr, a: Expr) -> Expr:
    spare = float(a.shape[-1]) / sum(a, -1, keepdims=True)
    return absorb(getitem(g, (Ellipsis, None)), log_over_means(x, a) + (1.0 / a - spare))


def _same_classes(x: Expr, a: Expr) -> str | None:
    holds = 0 < x.ndim == a.ndim and x.shape[-1] == a.shape[-1]
    return None if holds else "two events of one rank, classes last"


#: log(x / p) with p = a / Σ a along the last axis.
log_over_means = Op(
    "log_over_means",
    _over_means,
    lambda x, a: np.broadcast_shapes(x, a),
    (lambda g, y, x, a: g / x, _shared),
    fits=_same_classes,
    row=vectors("log_over_means", 2),
)
#: Σ (a − 1) log(x / p) along the last axis.
dirichlet_core = Op(
    "dirichlet_core",
    _dirichlet_core,
    lambda x, a: np.broadcast_shapes(x, a)[:-1],
    (lambda g, y, x, a: getitem(g, (Ellipsis, None)) * (a - 1.0) / x, _in_concentration),
    fits=_same_classes,
    row=last("dirichlet_core", 2),
)


# --- divergences ------------------------------------------------------------------------------
def _relative_entropy(x: Any, y: Any) -> Any:
    x, y = _wide(x), _wide(y)
    t = (x - y) / y
    near = np.abs(t) < 0.1
    small = np.where(near, t, 0.0)
    # (1 + t) log(1 + t) − t = Σ (−t)^n / (n (n − 1)), n ≥ 2
    series = np.zeros_like(small)
    for n in range(18, 1, -1):
        series = 1.0 / (n * (n - 1)) - small * series
    with np.errstate(divide="ignore", invalid="ignore"):
        far = _times(x, np.log(np.where(x == 0, 1.0, x / y))) - (x - y)
    return np.where(near, y * small * small * series, far)


#: log(x / y), to the last digit also where the two are near.
log_ratio = special(
    "log_ratio",
    lambda g, out, x, y: times_power(g, x, -1.0),
    lambda g, out, x, y: -g / y,
    numpy=_log_ratio,
)
#: x log(x / y) − x + y: the divergence of two Poisson distributions, and a part of many others.
relative_entropy = special(
    "relative_entropy",
    lambda g, out, x, y: g * log_ratio(x, y),
    lambda g, out, x, y: g * ((y - x) / y),
    numpy=_relative_entropy,
)
