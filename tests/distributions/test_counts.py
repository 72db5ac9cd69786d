"""Discrete families against SciPy, mpmath and sums over their support."""

import itertools

import mpmath as mp
import numpy as np
import pytest
from scipy import stats

import scg

from . import law

P = 0.35
LOGIT = np.log(P / (1 - P))
CUTS = np.array([-1.1, 0.2, 1.7])


def cut_probabilities(eta):
    below = 1 / (1 + np.exp(-(CUTS - eta)))
    return np.diff(np.concatenate([[0.0], below, [1.0]]))


ORDERED = stats.rv_discrete(values=(np.arange(4), cut_probabilities(0.6)))

# family, parameters, SciPy's law, values, other parameters for the divergence
ROWS = {
    "Bernoulli": (
        scg.Bernoulli,
        dict(logits=LOGIT),
        stats.bernoulli(P),
        np.arange(2.0),
        dict(logits=0.4),
    ),
    "Bernoulli probs": (
        scg.Bernoulli,
        dict(probs=P),
        stats.bernoulli(P),
        np.arange(2.0),
        dict(probs=0.6),
    ),
    "Poisson": (scg.Poisson, dict(rate=3.4), stats.poisson(3.4), np.arange(60.0), dict(rate=2.0)),
    "Poisson small": (
        scg.Poisson,
        dict(rate=0.02),
        stats.poisson(0.02),
        np.arange(30.0),
        dict(rate=2.0),
    ),
    "Binomial": (
        lambda **p: scg.Binomial(7, **p),
        dict(logits=LOGIT),
        stats.binom(7, P),
        np.arange(8.0),
        dict(logits=0.4),
    ),
    "Binomial probs": (
        lambda **p: scg.Binomial(7, **p),
        dict(probs=P),
        stats.binom(7, P),
        np.arange(8.0),
        dict(probs=0.6),
    ),
    "Binomial of many": (
        lambda **p: scg.Binomial(1000, **p),
        dict(probs=P),
        stats.binom(1000, P),
        np.arange(250.0, 450.0),
        None,
    ),
    "Geometric": (
        scg.Geometric,
        dict(logits=LOGIT),
        stats.geom(P, loc=-1),
        np.arange(90.0),
        dict(logits=0.4),
    ),
    "Geometric probs": (
        scg.Geometric,
        dict(probs=P),
        stats.geom(P, loc=-1),
        np.arange(90.0),
        dict(probs=0.6),
    ),
    "NegativeBinomial": (
        scg.NegativeBinomial,
        dict(total_count=2.5, logits=LOGIT),
        stats.nbinom(2.5, 1 - P),
        np.arange(90.0),
        dict(total_count=1.7, logits=0.4),
    ),
    "NegativeBinomial probs": (
        scg.NegativeBinomial,
        dict(total_count=0.3, probs=P),
        stats.nbinom(0.3, 1 - P),
        np.arange(90.0),
        dict(total_count=4.0, probs=0.3),
    ),
    "OrderedLogistic": (
        lambda predictor: scg.OrderedLogistic(predictor, CUTS),
        dict(predictor=0.6),
        ORDERED,
        np.arange(4),
        dict(predictor=-0.7),
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_log_prob(name):
    make, parameters, frozen, values, _ = ROWS[name]
    x = values[:: max(1, len(values) // 6)][:6]
    spread = {key: np.full(x.shape, value) for key, value in parameters.items()}
    float32 = 2e-3 if name == "Binomial of many" else 3e-5  # a sum of terms of 700
    law.check_log_prob(make, spread, x, frozen.logpmf(x), rtol=1e-11, float32=float32)


@pytest.mark.parametrize("name", ROWS)
def test_statistics(name):
    make, parameters, frozen, values, other = ROWS[name]
    d = make(**parameters)
    family = type(d)
    assert d.support.contains(np.asarray(values)).all()
    assert not d.support.contains(np.asarray([-1.0, 0.5])).any()
    logp = d.log_prob(values, elementwise=True)
    if family.supports("mean"):
        np.testing.assert_allclose(d.mean(), frozen.mean(), rtol=1e-12)
        np.testing.assert_allclose(d.variance(), frozen.var(), rtol=1e-11)
    if family.supports("entropy_elementwise"):
        np.testing.assert_allclose(d.entropy(), frozen.entropy(), rtol=1e-9)
    assert logp.max() <= d.log_prob(np.asarray(d.mode())) + 1e-12
    if family.supports("quantile"):
        u = np.array([1e-9, 0.1, 0.5, 0.7, 0.999, 1 - 1e-9])
        np.testing.assert_array_equal(d.quantile(u), frozen.ppf(u))
    if other is not None:
        q = make(**other)
        exact = np.sum(np.exp(logp) * (logp - q.log_prob(values, elementwise=True)))
        np.testing.assert_allclose(d.kl(q), exact, rtol=1e-10)
    if family.supports("cardinality") and name != "Binomial of many":
        support = d.enumerate_support()
        assert len(support) == d.cardinality()
        np.testing.assert_array_equal(support, values)


def test_quantiles_of_large_laws():
    """Smallest k with F(k) ≥ u, also where the mean is large or the law is heavy."""
    u = np.array([1e-12, 1e-3, 0.5, 0.9, 1 - 1e-12])
    for d, frozen in (
        (scg.Poisson(1e6), stats.poisson(1e6)),
        (scg.Poisson(1e-3), stats.poisson(1e-3)),
        (scg.Binomial(10**6, probs=0.2), stats.binom(10**6, 0.2)),
        (scg.NegativeBinomial(1e-3, logits=5.0), stats.nbinom(1e-3, 1 / (1 + np.exp(5.0)))),
        (scg.NegativeBinomial(1e6, logits=0.0), stats.nbinom(1e6, 0.5)),
    ):
        np.testing.assert_array_equal(d.quantile(u), frozen.ppf(u))


# --- extremes -----------------------------------------------------------------------------------
def log1pexp(x):
    return mp.log1p(mp.exp(x))


EXTREMES = [
    (scg.Bernoulli, {}, lambda z, k: k * z - log1pexp(z), [0.0, 1.0]),
    (
        lambda logits: scg.Binomial(5, logits=logits),
        {},
        lambda z, k: mp.log(mp.binomial(5, k)) + k * z - 5 * log1pexp(z),
        [0.0, 2.0, 5.0],
    ),
    (scg.Geometric, {}, lambda z, k: -k * log1pexp(z) - log1pexp(-z), [0.0, 1.0, 9.0]),
    (
        lambda logits: scg.NegativeBinomial(2.5, logits=logits),
        {},
        lambda z, k: mp.log(mp.binomial(k + 1.5, k)) - k * log1pexp(-z) - 2.5 * log1pexp(z),
        [0.0, 3.0],
    ),
]


@pytest.mark.parametrize("row", EXTREMES)
@pytest.mark.parametrize("logit", [-800.0, -40.0, 0.0, 40.0, 800.0])
def test_logits_at_extremes(row, logit):
    make, _, exact, counts = row
    with mp.workdps(800):
        expected = [float(exact(mp.mpf(logit), mp.mpf(k))) for k in counts]
        slope = [float(mp.diff(lambda z, k=k: exact(z, mp.mpf(k)), mp.mpf(logit))) for k in counts]
    for dtype, rtol in ((np.float64, 1e-12), (np.float32, 2e-6)):
        for k, value, derivative in zip(counts, expected, slope, strict=True):
            out = law.log_prob_and_gradients(make, {"logits": logit}, k, dtype)
            np.testing.assert_allclose(out["value"], value, rtol=rtol, atol=rtol)
            np.testing.assert_allclose(out["logits"], derivative, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("rate", [1e-3, 1.0, 1e6])
def test_poisson_at_extremes(rate):
    for k in (np.floor(rate), np.floor(rate + 3 * np.sqrt(rate))):
        with mp.workdps(50):
            value = float(k * mp.log(rate) - rate - mp.loggamma(mp.mpf(k) + 1))
        out = law.log_prob_and_gradients(scg.Poisson, {"rate": rate}, k)
        np.testing.assert_allclose(out["value"], value, rtol=1e-10)
        np.testing.assert_allclose(out["rate"], k / rate - 1, rtol=1e-9, atol=1e-15)
        single = law.log_prob_and_gradients(scg.Poisson, {"rate": rate}, k, np.float32)
        np.testing.assert_allclose(single["value"], value, rtol=1e-4)
        np.testing.assert_allclose(single["rate"], k / rate - 1, rtol=1e-3, atol=2e-7)


def test_ordered_logistic_far_from_its_cutpoints():
    for eta in (-800.0, 800.0):
        with mp.workdps(800):
            below = [1 / (1 + mp.exp(-(mp.mpf(c) - eta))) for c in CUTS]
            edges = [mp.mpf(0), *below, mp.mpf(1)]
            expected = [float(mp.log(b - a)) for a, b in itertools.pairwise(edges)]
        for dtype, rtol in ((np.float64, 1e-12), (np.float32, 1e-6)):
            out = law.log_prob_and_gradients(
                lambda predictor, cutpoints: scg.OrderedLogistic(predictor, cutpoints),
                {"predictor": np.full(4, eta), "cutpoints": CUTS},
                np.arange(4),
                dtype,
            )
            np.testing.assert_allclose(out["value"], expected, rtol=rtol, atol=1e-30)
            assert np.isfinite(out["predictor"]).all() and np.isfinite(out["cutpoints"]).all()


@pytest.mark.parametrize(
    "total", [0, 2.5, np.nan, -np.inf, True, "3", scg.Graph().parameter("n", 3.0)]
)
def test_total_count_is_a_positive_integer(total):
    with pytest.raises(scg.DeclarationError, match="total_count must be a positive integer"):
        scg.Binomial(total, logits=0.0)


def test_binomial_enumerates_and_agrees_with_bernoulli_sums():
    """The exact objective of n trials is that of their sum."""
    values = {}
    for name in ("trials", "sum"):
        g = scg.Graph(name)
        theta = g.parameter("theta", 0.3)
        if name == "sum":
            k = g.sample("k", scg.Binomial(3, logits=theta))
        else:
            k = np.sum(g.sample("b", scg.Bernoulli(logits=theta * np.ones(3))))
        g.cost("c", (k - 1.3) ** 2)
        truth = scg.exact(g, g.init(seed=0))
        values[name] = truth.cost, truth.grads["theta"]
    np.testing.assert_allclose(values["sum"], values["trials"], rtol=1e-12)


def test_moments_of_a_binomial_node():
    """A draw is a comparison with the CDF, so that its noise can be split exactly."""
    g = scg.Graph()
    theta = g.parameter("theta", 0.3)
    k = g.sample("k", scg.Binomial(3, logits=theta))
    g.cost("c", (k - 1.3) ** 2)
    params = g.init(seed=0)
    step = scg.compile(g, estimator=scg.MuProp())
    truth = scg.exact(g, params)
    np.testing.assert_allclose(scg.moments(step, params).mean["theta"], truth.grads["theta"])
