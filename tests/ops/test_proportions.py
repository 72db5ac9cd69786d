"""Ops of log-densities, whose derivatives are written out, and the beta law's quantile."""

import mpmath as mp
import numpy as np
import pytest
import scipy.special as sp
from scipy import stats

from scg.ops import elementary, proportions, quantiles, special, weighted, within

from .breadth import Case, check

P = np.array([0.3, 1.2, 2.5, 7.1])
Q = np.array([0.8, 3.1, 0.4, 2.2])
U = np.array([0.1, 0.35, 0.62, 0.9])
X = np.array([-2.3, -0.7, 0.4, 1.9])

N = range(1, 80)


def beta_core(x, a, b):
    m = a / (a + b)
    return (a - 1) * np.log(x / m) + (b - 1) * np.log((1 - x) / (1 - m))


def gamma_core(x, a, b):
    return (a - 1) * np.log(b * x / a) - (b * x - a) + np.log(b)


def of_reciprocal(op, reciprocal):
    return lambda x, a, b: op(x, a, b, reciprocal=reciprocal)


def with_logit(op, logit):
    return lambda x, a, b: op(x, a, b, logit=logit)


ROWS = {
    "log_ratio": (proportions.log_ratio, [P, Q], lambda x, y: np.log(x / y)),
    "relative_entropy": (
        proportions.relative_entropy,
        [P, np.array([0.31, 3.1, 2.4, 2.2])],
        sp.kl_div,
    ),
    "log_over_gamma_mean": (
        of_reciprocal(proportions.log_over_gamma_mean, False),
        [P, Q, P[::-1]],
        lambda x, a, b: np.log(b * x / a),
    ),
    "gamma_slope": (
        of_reciprocal(proportions.gamma_slope, False),
        [P, Q, X],
        lambda x, c, b: c / x - b,
    ),
    "gamma_slope of a reciprocal": (
        of_reciprocal(proportions.gamma_slope, True),
        [P, Q, X],
        lambda x, c, b: c / x - 1 / b,
    ),
    "gamma_core": (of_reciprocal(proportions.gamma_core, False), [P, Q, P[::-1]], gamma_core),
    "gamma_core of a reciprocal": (
        of_reciprocal(proportions.gamma_core, True),
        [P, Q, P[::-1]],
        lambda x, a, b: gamma_core(1 / x, a, b),
    ),
    "gamma_log_density": (
        proportions.gamma_log_density,
        [P, Q, P[::-1]],
        lambda x, a, b: stats.gamma(a, scale=1 / b).logpdf(x),
    ),
    "beta_core": (with_logit(proportions.beta_core, False), [U, P, Q], beta_core),
    "beta_core of a logit": (
        with_logit(proportions.beta_core, True),
        [X, P, Q],
        lambda x, a, b: beta_core(sp.expit(x), a, b),
    ),
    "beta_slope": (
        with_logit(proportions.beta_slope, False),
        [U, P, Q],
        lambda x, c, d: c / x - d / (1 - x),
    ),
    "beta_slope of a logit": (
        with_logit(proportions.beta_slope, True),
        [X, P, Q],
        lambda x, c, d: c * sp.expit(-x) - d * sp.expit(x),
    ),
    "log_over_mean of a logit": (
        with_logit(proportions.log_over_mean, True),
        [X, P, Q],
        lambda x, a, b: np.log(sp.expit(x) * (a + b) / a),
    ),
    "log_rest_over_mean": (
        with_logit(proportions.log_rest_over_mean, False),
        [U, P, Q],
        lambda x, a, b: np.log((1 - x) * (a + b) / b),
    ),
    "beta_log_density": (
        proportions.beta_log_density,
        [U, P, Q],
        lambda x, a, b: stats.beta(a, b).logpdf(x),
    ),
    "binomial_probability": (
        lambda p: proportions.binomial_probability(np.array([0.0, 1.0, 3.0, 4.0]), p, 4),
        [U],
        lambda p: stats.binom(4, p).pmf([0, 1, 3, 4]),
    ),
    "dirichlet_core": (
        proportions.dirichlet_core,
        [np.stack([U, 1 - U]), np.stack([P, Q])],
        lambda x, a: np.sum((a - 1) * np.log(x / (a / a.sum(-1, keepdims=True))), axis=-1),
    ),
    "log_mean_exp": (
        weighted.log_mean_exp,
        [np.stack([P, Q]), np.stack([X, -X])],
        lambda w, x: np.log(np.sum(w * np.exp(x), -1) / np.sum(w, -1)),
    ),
    "within": (
        lambda x, a, b: within.within(x, -1.0, 1.0, a, b, closed=True),
        [X, P, Q],
        lambda x, a, b: np.where(np.abs(x) < 1, a, b),
    ),
    "log_gammainccinv": (
        special.log_gammainccinv,
        [P, U],
        lambda a, u: np.log(sp.gammainccinv(a, u)),
    ),
    "open_exp": (elementary.open_exp, [X], np.exp),
    "open_sigmoid": (elementary.open_sigmoid, [X], sp.expit),
    "logit_betaincinv": (
        quantiles.logit_betaincinv,
        [P, Q, U],
        lambda a, b, u: sp.logit(sp.betaincinv(a, b, u)),
    ),
    "von_mises_variance": (
        lambda k: special.von_mises_variance(k, order=0),
        [P],
        # DLMF 10.35.2, integrated
        lambda k: np.pi**2 / 3 + sum(4 * (-1) ** n * sp.iv(n, k) / sp.iv(0, k) / n**2 for n in N),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_row(name):
    function, arguments, reference = ROWS[name]
    check(function, arguments, reference, step=2e-3)


@pytest.mark.parametrize("ratio", [1 + 1e-12, 1 - 1e-7, 1.04, 0.93, 1.11, 3.0, 1e-6, 1e9])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_relative_entropy_of_near_and_far_numbers(ratio, scale):
    x, y = scale * ratio, scale
    with mp.workdps(60):
        exact = mp.mpf(x) * mp.log(mp.mpf(x) / mp.mpf(y)) - mp.mpf(x) + mp.mpf(y)
        log = mp.log(mp.mpf(x) / mp.mpf(y))
    np.testing.assert_allclose(proportions.relative_entropy(x, y), float(exact), rtol=2e-14)
    np.testing.assert_allclose(proportions.log_ratio(x, y), float(log), rtol=1e-15)


# shapes, probability; in log-odds, where x or 1 − x is no number of double precision
EXTREMES = [
    *((a, b, u) for a in (0.3, 50.0) for b in (2.0, 1e3) for u in (1e-9, 0.3, 0.999)),
    (0.02, 0.03, 0.2),
    (0.02, 0.03, 0.7),
    (1e3, 2e3, 0.4),
]


@pytest.mark.parametrize("a, b, u", EXTREMES)
def test_the_quantile_in_log_odds_against_mpmath(a, b, u):
    """The CDF at the quantile, and its derivatives in both shapes by differences of 1e-15."""
    s = float(quantiles.logit_betaincinv(a, b, u))
    case = Case(quantiles.logit_betaincinv, [a, b, u])
    out = case.run([a, b, u])
    with mp.workdps(50 + int(abs(s) / 2.3)):
        p = 1 / (1 + mp.exp(-mp.mpf(s)))
        a, b = mp.mpf(a), mp.mpf(b)
        density = mp.exp(a * mp.log(p) + b * mp.log1p(-p)) / mp.beta(a, b)

        def cdf(a, b):
            if p < 0.5:
                return mp.betainc(a, b, 0, p, regularized=True)
            return 1 - mp.betainc(b, a, 0, 1 - p, regularized=True)

        error = (cdf(a, b) - u) / density
        h, k = a * mp.mpf(10) ** -15, b * mp.mpf(10) ** -15
        slopes = (
            -(cdf(a + h, b) - cdf(a - h, b)) / (2 * h) / density,
            -(cdf(a, b + k) - cdf(a, b - k)) / (2 * k) / density,
            1 / density,
        )
    assert abs(error) < 2e-12 * max(abs(s), 1)
    for i, slope in enumerate(slopes):
        np.testing.assert_allclose(out["first", i] / case.weight, float(slope), rtol=1e-10)


def test_log_odds_beyond_double_precision():
    """For a small x the CDF is x^a / (a B(a, b)), and 1 − x is likewise."""
    a, b, u = 1e-3, np.array([1e-3, 2.0, 1e6]), np.array([0.2, 0.3, 1e-9])
    log_beta = sp.betaln(a, b)
    s = quantiles.logit_betaincinv(a, b, u)
    np.testing.assert_allclose(s, (np.log(u * a) + log_beta) / a, rtol=1e-12)
    np.testing.assert_allclose(quantiles.logit_betaincinv(b, a, 1 - u)[:2], -s[:2], rtol=1e-12)
    case = Case(quantiles.logit_betaincinv, [np.full(3, a), b, u])
    out = case.run([np.full(3, a), b, u])
    total = sp.digamma(a + b)
    by_a = (1 / a + sp.digamma(a) - total) / a - s / a
    by_b = (sp.digamma(b) - total) / a
    np.testing.assert_allclose(out["first", 0] / case.weight, by_a, rtol=1e-9)
    # the last of them is a difference of numbers near 14
    np.testing.assert_allclose(out["first", 1] / case.weight, by_b, rtol=1e-9, atol=3e-12)
    np.testing.assert_allclose(out["first", 2] / case.weight, 1 / (a * u), rtol=1e-9)


def test_impossible_orders_are_refused():
    from scg.special.incomplete_beta import beta_implicit

    with pytest.raises(ValueError, match="derivatives of order 1 and 2, not"):
        beta_implicit(1.0, 1.0, 0.0, (2, 1))
    assert np.isnan(beta_implicit(-1.0, 1.0, 0.0)) and np.isnan(beta_implicit(1.0, 1.0, np.inf))
