"""Moments, modes, entropies and divergences that are sums or integrals, against direct ones."""

import numpy as np
import pytest
import scipy.integrate
from scipy import stats
from scipy.special import betainc, betaincc, expit

import scg
from scg.run.finish import finish
from scg.testing import check_gradient

from . import law


def brute(frozen, low, high):
    """−Σ p log p over all counts in a range."""
    logp = frozen.logpmf(np.arange(low, high))
    p = np.exp(logp)
    return -np.sum(p[p > 0] * logp[p > 0])


# --- counts ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("rate", [1e-6, 0.3, 7.0, 35.9, 36.1, 400.0, 3e4])
def test_poisson_entropy(rate):
    """Over all counts, also where `spread` leaves some out."""
    far = int(rate + 40 * np.sqrt(rate) + 60)
    exact = brute(stats.poisson(rate), 0, far)
    np.testing.assert_allclose(scg.Poisson(rate).entropy(), exact, rtol=2e-10)


def test_poisson_entropy_of_a_large_rate():
    """Evans and Boersma (1988): ½ log 2πeλ − 1/(12λ) − 1/(24λ²) − 19/(360λ³) − ..."""
    for rate in (1e4, 1e6, 1e12):
        series = 0.5 * np.log(2 * np.pi * np.e * rate) - 1 / (12 * rate) - 1 / (24 * rate**2)
        np.testing.assert_allclose(scg.Poisson(rate).entropy(), series, rtol=1e-12)


@pytest.mark.parametrize(
    ("n", "p"), [(5, 0.3), (231, 0.999), (232, 0.5), (1000, 1e-4), (1000, 0.4), (10**5, 0.99999)]
)
def test_binomial_entropy(n, p):
    exact = brute(stats.binom(n, p), 0, n + 1)
    np.testing.assert_allclose(scg.Binomial(n, probs=p).entropy(), exact, rtol=3e-10)


@pytest.mark.parametrize("shape", [1e-3, 0.3, 1.0, 2.5, 60.0, 1e3])
@pytest.mark.parametrize("p", [1e-6, 0.35, 0.95])
def test_negative_binomial_entropy_and_divergence(shape, p):
    frozen = stats.nbinom(shape, 1 - p)
    k = np.arange(float(frozen.mean() + 40 * frozen.std() + 50 / (1 - p)))
    d, q = scg.NegativeBinomial(shape, probs=p), scg.NegativeBinomial(2.0, probs=0.5)
    logp = d.log_prob(k, elementwise=True)
    gap = logp - q.log_prob(k, elementwise=True)
    np.testing.assert_allclose(d.entropy(), -np.exp(logp) @ logp, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(d.kl(q), np.exp(logp) @ gap, rtol=1e-9)


def test_negative_binomial_at_one_failure_is_geometric():
    for p in (1e-9, 0.2, 1 - 1e-8):
        one, other = scg.NegativeBinomial(1.0, probs=p), scg.Geometric(probs=1 - p)
        np.testing.assert_allclose(one.entropy(), other.entropy(), rtol=3e-8)


MULTINOMIALS = [
    (4, [0.2, 0.5, 0.3]),
    (7, [0.1, 0.1, 0.8]),
    (3, [0.25] * 4),
    (5, [0.0, 0.4, 0.6]),
    (1, [0.3, 0.7]),
]


@pytest.mark.parametrize(("n", "p"), MULTINOMIALS)
def test_multinomial(n, p):
    d, q = scg.Multinomial(n, probs=p), scg.Multinomial(n, probs=np.roll(p, 1))
    values = d.enumerate_support()
    frozen = stats.multinomial(n, p)
    logp = frozen.logpmf(values)
    w = np.exp(logp)
    with np.errstate(divide="ignore", invalid="ignore"):
        np.testing.assert_allclose([d.log_prob(x) for x in values], logp, rtol=1e-12, atol=1e-13)
        gap = np.where(w > 0, w * (logp - stats.multinomial(n, np.roll(p, 1)).logpmf(values)), 0)
        np.testing.assert_allclose(d.kl(q), gap.sum(), rtol=1e-11)
    np.testing.assert_allclose(d.mean(), w @ values, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(d.variance(), w @ (values - d.mean()) ** 2, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(d.entropy(), frozen.entropy(), rtol=1e-11)
    assert np.sum(d.mode()) == n and d.log_prob(d.mode()) >= logp.max() - 1e-12


def test_multinomial_of_many_draws():
    """Of two classes it is binomial."""
    two, one = scg.Multinomial(10**5, probs=[0.3, 0.7]), scg.Binomial(10**5, probs=0.3)
    np.testing.assert_allclose(two.entropy(), one.entropy(), rtol=1e-9)
    np.testing.assert_array_equal(two.mode(), [one.mode(), 10**5 - one.mode()])


# --- continuous laws ------------------------------------------------------------------------------
@pytest.mark.parametrize("scales", [(1.0, 1.0), (0.3, 4.0), (5.0, 0.02), (1e-3, 1e3)])
@pytest.mark.parametrize("distance", [0.0, 0.4, -30.0])
def test_logistic_divergence(scales, distance):
    """By quadrature over log-odds; of equal scales it is d coth(d / 2) − 2."""
    s, t = scales
    d, q = scg.Logistic(distance, s), scg.Logistic(0.0, t)
    z = np.arange(-60.0, 60.0, 1 / 512)
    weight = np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2 / 512
    x = distance + s * z
    exact = weight @ (d.log_prob(x, elementwise=True) - q.log_prob(x, elementwise=True))
    np.testing.assert_allclose(d.kl(q), exact, rtol=1e-9, atol=1e-12)
    if s == t and distance:
        np.testing.assert_allclose(d.kl(q), distance / np.tanh(distance / 2) - 2, rtol=1e-12)
    assert abs(d.kl(d)) < 1e-14


@pytest.mark.parametrize(("tau", "logit"), [(0.05, -0.2), (0.7, 0.4), (2.0, -1.0), (30.0, 8.0)])
def test_relaxed_bernoulli(tau, logit):
    """By quadrature over the log-odds before their division by the temperature."""
    d, q = (scg.RelaxedBernoulli(tau * r, logits=logit + r - 1) for r in (1.0, 1.4))
    z = np.arange(-50.0, 50.0, 1 / 4096)
    w = np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))) ** 2 / 4096
    y = (logit + z) / tau
    x = expit(y)
    np.testing.assert_allclose(d.mean(), w @ x, rtol=1e-10)
    np.testing.assert_allclose(d.variance(), w @ (x - w @ x) ** 2, rtol=1e-9)
    log_z = stats.logistic.logpdf
    slope = -np.logaddexp(0, y) - np.logaddexp(0, -y)  # log σ'(y)
    other = log_z(1.4 * tau * y - logit - 0.4) + np.log(1.4 * tau)
    np.testing.assert_allclose(d.entropy(), -w @ (log_z(z) + np.log(tau) - slope), rtol=1e-9)
    np.testing.assert_allclose(d.kl(q), w @ (log_z(z) + np.log(tau) - other), rtol=1e-9)


@pytest.mark.parametrize("df", [1e-3, 0.4, 1.0, 7.5, 1e6])
def test_student_quantile(df):
    """Its CDF is `u`, in the tails, at the median, and where it overflows."""
    u = np.array([1e-12, 1e-3, 0.24, 0.26, 0.4999999, 0.5000001, 0.9, 1 - 1e-9])
    with np.errstate(over="ignore"):
        t = scg.StudentT(df).quantile(u)
    assert np.isfinite(t).all() and np.all(np.diff(t) >= 0)
    inside = np.abs(t) < 1e150
    t, u = t[inside], u[inside]
    centre = 0.5 + 0.5 * np.sign(t) * betainc(0.5, df / 2, t**2 / (df + t**2))
    tail = 0.5 * np.where(
        t**2 < df,
        betaincc(0.5, df / 2, t**2 / (df + t**2)),
        betainc(df / 2, 0.5, df / (df + t**2)),
    )
    cdf = np.where(np.abs(u - 0.5) < 0.25, centre, np.where(t < 0, tail, 1 - tail))
    np.testing.assert_allclose(cdf, u, rtol=1e-12)
    assert scg.StudentT(df).quantile(np.array(0.5)) == pytest.approx(0.0, abs=1e-100)


def test_quantiles_have_derivatives():
    u = np.array([0.03, 0.3, 0.8])
    check_gradient(lambda a, b: scg.Beta(a, b).quantile(u), [0.8, 2.5, 40.0], [1.4, 0.6, 3.0])
    check_gradient(lambda v: scg.StudentT(v).quantile(u), [0.8, 2.5, 40.0], rtol=1e-5)
    check_gradient(lambda u: scg.Beta(0.7, 2.0).quantile(u), u)
    check_gradient(lambda u: scg.StudentT(2.0).quantile(u), u)


def test_pathwise_derivative_of_the_mean_under_the_quantile():
    """∫ F⁻¹(u) du over the noise is the mean, and so are their derivatives."""
    t, weight = np.polynomial.legendre.leggauss(120)
    t, weight = (t + 1) / 2, weight / 2
    u, du = t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3), 140 * t**3 * (1 - t) ** 3
    g = scg.Graph()
    a, b = g.parameter("a", 1.7), g.parameter("b", 0.6)
    mean = np.sum(scg.Beta(a, b).quantile(u) * (weight * du))
    outputs = {"m": mean, "a": scg.grad(mean, a), "b": scg.grad(mean, b)}
    out = finish(outputs).run({"a": np.array(1.7), "b": np.array(0.6)}, None, {})
    expected = {"m": 1.7 / 2.3, "a": 0.6 / 2.3**2, "b": -1.7 / 2.3**2}
    for key, value in expected.items():
        np.testing.assert_allclose(out[key][0], value, rtol=1e-8)


def test_von_mises_variance_within_a_turn():
    for k in (1e-3, 0.8, 12.0):
        d = scg.VonMises(0.4, k)
        exact = scipy.integrate.quad(
            lambda x, d=d: (x - 0.4) ** 2 * np.exp(d.log_prob(x)), 0.4 - np.pi, 0.4 + np.pi
        )[0]
        np.testing.assert_allclose(d.variance(), exact, rtol=1e-10)
    np.testing.assert_allclose(scg.VonMises(0.0, 1e6).variance(), 1e-6 + 5e-13, rtol=1e-11)


# --- derivatives, single precision ----------------------------------------------------------------
SUMMARIES = {
    "Poisson entropy": lambda a, b: scg.Poisson(a * b).entropy(),
    "Binomial entropy": lambda a, b: scg.Binomial(7, logits=a - b).entropy(),
    "Binomial entropy of many": lambda a, b: scg.Binomial(700, logits=a - b).entropy(),
    "NegativeBinomial entropy": lambda a, b: scg.NegativeBinomial(a, logits=b - 1).entropy(),
    "NegativeBinomial KL": lambda a, b: scg.NegativeBinomial(a, logits=b - 1).kl(
        scg.NegativeBinomial(b, logits=a - 1)
    ),
    "Multinomial entropy": lambda a, b: scg.Multinomial(
        5, logits=np.stack([a, b, 0.3 * a])
    ).entropy(),
    "Logistic KL": lambda a, b: scg.Logistic(a, b).kl(scg.Logistic(b, a)),
    "RelaxedBernoulli mean": lambda a, b: scg.RelaxedBernoulli(a, logits=b).mean(),
    "RelaxedBernoulli entropy": lambda a, b: scg.RelaxedBernoulli(a, logits=b).entropy(),
    "RelaxedBernoulli KL": lambda a, b: scg.RelaxedBernoulli(a, logits=b).kl(
        scg.RelaxedBernoulli(b, logits=a)
    ),
    "Gamma KL": lambda a, b: scg.Gamma(a, b).kl(scg.Gamma(b, a)),
    "Beta entropy": lambda a, b: scg.Beta(a, b).entropy(),
    "Beta KL": lambda a, b: scg.Beta(a, b).kl(scg.Beta(b, a)),
    "Dirichlet KL": lambda a, b: scg.Dirichlet(np.stack([a, b, 2.0 * a])).kl(
        scg.Dirichlet(np.stack([b, b, a]))
    ),
    "StudentT entropy": lambda a, b: scg.StudentT(a, 0.0, b).entropy(),
    "VonMises variance": lambda a, b: scg.VonMises(a, b).variance(),
}


@pytest.mark.parametrize("name", SUMMARIES)
def test_derivatives_of_summaries(name):
    check_gradient(SUMMARIES[name], np.array(1.3), np.array(0.8), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", SUMMARIES)
def test_summaries_in_single_precision(name):
    g = scg.Graph()
    a, b = g.data("a", ()), g.data("b", ())
    value = SUMMARIES[name](a, b)
    outputs = {"value": value, "a": scg.grad(value, a), "b": scg.grad(value, b)}
    at = {a: 1.3, b: 0.8}
    double = law.evaluate(outputs, {leaf: np.float32(v) for leaf, v in at.items()})
    single = law.evaluate(outputs, at, np.float32)
    for key in outputs:
        np.testing.assert_allclose(single[key], double[key], rtol=2e-5, atol=2e-6, err_msg=key)


def test_a_mean_field_pass_goes_through_a_relaxed_node():
    """MuProp above a relaxed Bernoulli: its mean takes the place of its draw."""
    g = scg.Graph("above")
    a = g.parameter("a", 0.4)
    b = g.sample("b", scg.Bernoulli(logits=a))
    x = g.sample("x", scg.RelaxedBernoulli(0.8, logits=2.0 * b - 1.0))
    g.cost("c", (x - 0.3) ** 2)
    step = scg.compile(g, {"b": scg.MuProp(), "x": scg.Reparameterization()})

    def cost(logit):
        d = scg.RelaxedBernoulli(0.8, logits=logit)
        return d.variance() + (d.mean() - 0.3) ** 2

    p = expit(0.4)
    exact = p * (1 - p) * (cost(1.0) - cost(-1.0))
    np.testing.assert_allclose(scg.moments(step, {"a": 0.4}).mean["a"], exact, rtol=1e-6)
