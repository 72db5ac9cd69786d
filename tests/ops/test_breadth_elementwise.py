"""Elementwise ops against NumPy, SciPy, mpmath and finite differences."""

import mpmath as mp
import numpy as np
import pytest
import scipy.special as sp

import scg
from scg.ops import activations, elementary, special

from .breadth import Case, check

X = np.array([-2.3, -0.7, 0.4, 1.9, 3.1])
P = np.array([0.3, 1.2, 2.5, 7.1])
U = np.array([0.1, 0.35, 0.62, 0.9])

ROWS = {
    "power": (np.power, [P, X[:4]], np.power),
    "exp2": (np.exp2, [X], np.exp2),
    "log2": (np.log2, [P], np.log2),
    "log10": (np.log10, [P], np.log10),
    "expm1": (np.expm1, [X], np.expm1),
    "sin": (np.sin, [X], np.sin),
    "cos": (np.cos, [X], np.cos),
    "tan": (np.tan, [0.3 * X], np.tan),
    "arctan": (np.arctan, [X], np.arctan),
    "sinh": (np.sinh, [X], np.sinh),
    "cosh": (np.cosh, [X], np.cosh),
    "floor": (np.floor, [X], np.floor),
    "ceil": (np.ceil, [X], np.ceil),
    "floor_divide": (np.floor_divide, [X, P[[0, 1, 2, 3, 0]]], np.floor_divide),
    "remainder": (np.remainder, [X, P[[0, 1, 2, 3, 1]]], np.remainder),
    "round": (np.round, [X], np.round),
    "round to 1": (lambda x: elementary.round(x, 1), [X], lambda x: np.round(x, 1)),
    "clip": (lambda x: elementary.clip(x, -1.0, 2.0), [X], lambda x: np.clip(x, -1, 2)),
    "np.clip": (lambda x: np.clip(x, -1.0, None), [X], lambda x: np.clip(x, -1, None)),
    "log_sigmoid": (activations.log_sigmoid, [X], sp.log_expit),
    "logit": (activations.logit, [U], sp.logit),
    "leaky_relu": (activations.leaky_relu, [X], lambda x: np.where(x > 0, x, 0.01 * x)),
    "elu": (activations.elu, [X], lambda x: np.where(x > 0, x, np.expm1(x))),
    "gelu": (activations.gelu, [X], lambda x: x * sp.ndtr(x)),
    "silu": (activations.silu, [X], lambda x: x * sp.expit(x)),
    "erf": (special.erf, [X], sp.erf),
    "erfc": (special.erfc, [X], sp.erfc),
    "erfinv": (special.erfinv, [U], sp.erfinv),
    "ndtr": (special.ndtr, [X], sp.ndtr),
    "ndtri": (special.ndtri, [U], sp.ndtri),
    "log_ndtr": (special.log_ndtr, [X], sp.log_ndtr),
    "gammaln": (special.gammaln, [P], sp.gammaln),
    "digamma": (special.digamma, [P], sp.digamma),
    "polygamma": (
        lambda x: special.polygamma(x, order=2),
        [P],
        lambda x: sp.polygamma(2, x),
    ),
    "betaln": (special.betaln, [P, P[::-1]], sp.betaln),
    "stirling": (lambda x: special.stirling(x, order=0), [4 * P], None),
    "gammainc": (special.gammainc, [P, P[::-1]], sp.gammainc),
    "gammaincinv": (special.gammaincinv, [P, U], sp.gammaincinv),
    "log_gammaincinv": (
        special.log_gammaincinv,
        [P, U],
        lambda a, u: np.log(sp.gammaincinv(a, u)),
    ),
    "i0e": (special.i0e, [X], sp.i0e),
    "i1e": (special.i1e, [X], sp.i1e),
    "log_i0e": (lambda k: special.log_i0e(k, order=0), [P], lambda k: np.log(sp.i0e(k))),
    "von_mises_cdf": (lambda k, x: special.von_mises_cdf(k, x, order=0), [P, X[1:]], None),
    "von_mises_quantile": (special.von_mises_quantile, [P, U], None),
}
CONSTANT = ("floor", "floor_divide", "ceil", "round", "round to 1")


@pytest.mark.parametrize("name", ROWS)
def test_row(name):
    function, arguments, reference = ROWS[name]
    check(function, arguments, reference, step=1e-3 if name in CONSTANT else 5e-3)
    if name in CONSTANT:
        case = Case(function, arguments)
        assert not case.run(arguments)["first", 0].any()


def test_derivatives_at_corners():
    """At a kink the derivative is one of the one-sided ones; i1e(x) / x is 1/2 at zero."""
    assert Case(np.power, [0.0, 2.0]).run([0.0, 2.0])["first", 0] == 0
    out = Case(special.i1e, [0.0]).run([0.0])
    case = Case(special.i1e, [0.0])
    np.testing.assert_allclose(out["first", 0], 0.5 * case.weight)


# --- extremes against mpmath ----------------------------------------------------------------------
def log_ndtr(x):
    return mp.log(mp.ncdf(x))


EXTREMES = {
    "log_sigmoid": (
        activations.log_sigmoid,
        lambda x: -mp.log1p(mp.exp(-x)),
        [-800.0, -40.0, -1e-9, 0.0, 36.0, 700.0],
    ),
    "log_ndtr": (special.log_ndtr, log_ndtr, [-300.0, -38.0, -5.0, 0.0, 6.0, 20.0]),
    "gelu": (activations.gelu, lambda x: x * mp.ncdf(x), [-30.0, -5.0, -1e-8, 3.0, 1e6]),
    "erfc": (special.erfc, mp.erfc, [-5.0, 1e-12, 3.0, 20.0]),
    "gammaln": (special.gammaln, mp.loggamma, [1e-300, 1e-3, 0.7, 3.3, 1e6, 1e200]),
    "digamma": (special.digamma, mp.digamma, [1e-100, 1e-3, 0.7, 1e6, 1e15]),
    "stirling": (
        lambda a: special.stirling(a, order=0),
        lambda a: mp.loggamma(a) - (a - 0.5) * mp.log(a) + a - mp.log(2 * mp.pi) / 2,
        [1e-300, 1e-3, 0.7, 8.9, 9.1, 1e3, 1e6, 1e12],
    ),
    "log_i0e": (
        lambda k: special.log_i0e(k, order=0),
        lambda k: mp.log(mp.besseli(0, k)) - k,
        [1e-3, 0.3, 5.0, 700.0, 1e6],
    ),
    "i0e": (special.i0e, lambda x: mp.exp(-abs(x)) * mp.besseli(0, x), [-800.0, 0.0, 2.0, 1e6]),
    "i1e": (special.i1e, lambda x: mp.exp(-abs(x)) * mp.besseli(1, x), [-800.0, 1e-8, 2.0, 1e6]),
}
# Conditioning: log_i0e loses relative accuracy towards its zero at 0
TOLERANCE = {"log_i0e": 1e-10}


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes(name):
    function, exact, points = EXTREMES[name]
    case = Case(function, [np.array(points)])
    out = case.run([np.array(points)])
    tolerance = TOLERANCE.get(name, 2e-13)
    with mp.workdps(400 if name in ("erfc", "gelu", "log_ndtr") else 350):
        value = [float(exact(mp.mpf(x))) for x in points]
    with mp.workdps(60):
        slope = [float(_slope(exact, x)) for x in points]
    np.testing.assert_allclose(out["value"], value, rtol=tolerance)
    finite = np.isfinite(slope)
    np.testing.assert_allclose(
        (out["first", 0] / case.weight)[finite], np.array(slope)[finite], rtol=1e-9, atol=1e-300
    )


def _slope(exact, x):
    """Differentiate by central differences in arithmetic of many digits."""
    with mp.workdps(700):
        x = mp.mpf(x)
        h = mp.mpf(10) ** -150 * (abs(x) or 1)
        return (exact(x + h) - exact(x - h)) / (2 * h)


def test_log_gamma_variates_do_not_underflow():
    a, u = np.array([1e-3, 1e-3, 1e-8, 1e6]), np.array([1e-9, 0.5, 0.1, 0.3])
    out = Case(special.log_gammaincinv, [a, u]).run([a, u])
    small = (np.log(u) + sp.gammaln(a + 1)) / a
    np.testing.assert_allclose(out["value"][:3], small[:3], rtol=1e-13)
    case = Case(special.log_gammaincinv, [a, u])
    slope = -(small - sp.digamma(a + 1)) / a  # of a^-1 (log u + log Γ(a + 1))
    np.testing.assert_allclose((out["first", 0] / case.weight)[:3], slope[:3], rtol=1e-11)
    # a law with a large concentration is nearly normal: d log x / da is nearly 1 / a
    np.testing.assert_allclose((out["first", 0] / case.weight)[3], 1e-6, rtol=1e-2)


def test_sampled_activations_stay_pathwise():
    """No activation hides a condition on its argument: reparameterization accepts it."""
    for function in (
        activations.leaky_relu,
        activations.elu,
        activations.gelu,
        activations.silu,
        lambda x: np.clip(x, -1.0, 1.0),
    ):
        g = scg.Graph()
        z = g.sample("z", scg.Normal(g.parameter("m", 0.3), 1.0))
        g.cost("c", function(z))
        scg.compile(g, estimator=scg.Reparameterization())
