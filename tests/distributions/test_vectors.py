"""Families of vectors, relaxations, and laws made of other laws."""

import itertools

import numpy as np
import pytest
from scipy import stats

import scg

from . import law

rng = np.random.default_rng(11)
A = np.array([0.7, 2.3, 1.4])
MU = np.array([0.3, -1.2, 0.8])
L = np.array([[1.3, 0.0, 0.0], [0.4, 0.9, 0.0], [-0.6, 0.2, 1.1]])
F = np.array([[0.5], [-0.8], [0.3]])
D = np.array([0.9, 0.4, 1.2])
LOGITS = np.array([0.2, -0.7, 1.1])
PROBS = np.exp(LOGITS) / np.exp(LOGITS).sum()
X = np.array([0.9, -0.4, 0.2])
SIMPLEX = np.array([0.2, 0.5, 0.3])
GAUSSIANS = {
    "tril": (dict(loc=MU, scale_tril=L), L @ L.T),
    "diag": (dict(loc=MU, scale_diag=D), np.diag(D**2)),
    "low rank": (dict(loc=MU, cov_factor=F, cov_diag=D), F @ F.T + np.diag(D)),
}


def normal_vector(loc, scale_tril=None, **given):
    """The law, with a factor of which finite differences keep the shape."""
    factor = None if scale_tril is None else scale_tril * np.tri(3)
    return scg.MultivariateNormal(loc, scale_tril=factor, **given)


@pytest.mark.parametrize("form", GAUSSIANS)
def test_multivariate_normal(form):
    parameters, covariance = GAUSSIANS[form]
    frozen = stats.multivariate_normal(MU, covariance)
    law.check_log_prob(normal_vector, parameters, X, frozen.logpdf(X))
    d = scg.MultivariateNormal(**parameters)
    np.testing.assert_allclose(d.covariance(), covariance, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(d.mean(), MU)
    np.testing.assert_allclose(d.variance(), np.diag(covariance), rtol=1e-13)
    np.testing.assert_allclose(d.entropy(), frozen.entropy(), rtol=1e-13)
    for other, (given, c) in GAUSSIANS.items():
        q = scg.MultivariateNormal(**{**given, "loc": X})
        inverse = np.linalg.inv(c)
        exact = 0.5 * (
            np.trace(inverse @ covariance)
            + (MU - X) @ inverse @ (MU - X)
            - 3
            + np.log(np.linalg.det(c) / np.linalg.det(covariance))
        )
        np.testing.assert_allclose(d.kl(q), exact, rtol=1e-12, err_msg=other)
    law.check_pathwise(normal_vector, parameters)


def test_dirichlet():
    frozen = stats.dirichlet(A)
    law.check_log_prob(scg.Dirichlet, {"concentration": A}, SIMPLEX, frozen.logpdf(SIMPLEX))
    d = scg.Dirichlet(A)
    np.testing.assert_allclose(d.mean(), frozen.mean(), rtol=1e-13)
    np.testing.assert_allclose(d.variance(), frozen.var(), rtol=1e-13)
    np.testing.assert_allclose(d.entropy(), frozen.entropy(), rtol=1e-12)
    np.testing.assert_allclose(scg.Dirichlet(A + 1).mode(), A / A.sum(), rtol=1e-13)
    assert np.isnan(d.mode()).all()
    two, other = scg.Dirichlet(A[:2]), scg.Dirichlet([1.1, 0.8])
    pair = scg.Beta(*A[:2]).kl(scg.Beta(1.1, 0.8))
    np.testing.assert_allclose(two.kl(other), pair, rtol=1e-12)
    np.testing.assert_allclose(two.entropy(), scg.Beta(*A[:2]).entropy(), rtol=1e-12)
    n = 400
    grid = (np.arange(n) + 0.5) / n
    d = scg.RelaxedOneHotCategorical(1.5, logits=LOGITS)
    total = 0.0
    for a in grid:
        b = grid * (1 - a)
        rows = np.stack([np.full(n, a), b, 1 - a - b], axis=-1)
        total += np.exp(d.log_prob(rows, elementwise=True)).sum() * (1 - a) / n**2
    np.testing.assert_allclose(total, 1.0, atol=2e-3)


@pytest.mark.statistical
def test_relaxed_draws(seed):
    tau = 0.7
    x = law.draws(scg.RelaxedBernoulli(tau, logits=0.4), seed)
    law.check_continuous_draws(tau * np.log(x / (1 - x)), stats.logistic(0.4).cdf)
    x = law.draws(scg.RelaxedOneHotCategorical(tau, logits=LOGITS), seed)
    gap = tau * (np.log(x[:, 0]) - np.log(x[:, 1]))
    law.check_continuous_draws(gap, stats.logistic(LOGITS[0] - LOGITS[1]).cdf)
    hits = np.bincount(x.argmax(axis=1), minlength=3)
    law.check_counts(hits, PROBS * len(x))


@pytest.mark.parametrize("logit", [-800.0, 800.0])
def test_relaxations_at_extreme_logits(logit):
    for dtype in (np.float64, np.float32):
        for x in (1e-6, 0.5, 1 - 2**-20):
            out = law.log_prob_and_gradients(
                scg.RelaxedBernoulli, {"temperature": 0.5, "logits": logit}, x, dtype
            )
            z = abs(0.5 * np.log(x / (1 - x)) - logit)
            value = np.log(0.5) - np.log(x * (1 - x)) - z
            np.testing.assert_allclose(out["value"], value, rtol=1e-5)
            np.testing.assert_allclose(out["logits"], -np.sign(logit), rtol=1e-6)


# --- laws made of laws ----------------------------------------------------------------------------
def mixture(w, m0, s0, m1, s1):
    return scg.Mixture([scg.Normal(m0, s0), scg.Normal(m1, s1)], logits=w)


MIXED = dict(w=np.array([0.3, -0.6]), m0=-1.0, s0=0.6, m1=1.5, s1=1.1)


def test_mixture():
    weights = np.exp(MIXED["w"]) / np.exp(MIXED["w"]).sum()
    parts = [stats.norm(-1.0, 0.6), stats.norm(1.5, 1.1)]
    for x in (-3.0, 0.2, 40.0):
        exact = np.logaddexp(
            *(np.log(w) + p.logpdf(x) for w, p in zip(weights, parts, strict=True))
        )
        law.check_log_prob(mixture, MIXED, x, exact)
    d = mixture(**MIXED)
    mean = weights @ [-1.0, 1.5]
    np.testing.assert_allclose(d.mean(), mean, rtol=1e-13)
    spread = weights @ [0.36 + (-1 - mean) ** 2, 1.21 + (1.5 - mean) ** 2]
    np.testing.assert_allclose(d.variance(), spread, rtol=1e-13)
    assert not scg.Mixture.reparameterized
    with pytest.raises(scg.DeclarationError, match="2 components need a vector of as many weights"):
        scg.Mixture([scg.Normal(), scg.Normal()], probs=[0.2, 0.3, 0.5])
    with pytest.raises(scg.DeclarationError, match="component 1 draws floats of shape"):
        scg.Mixture([scg.Normal(), scg.Normal(np.zeros(2))], probs=[0.5, 0.5])


W, B = rng.normal(size=(3, 3)), rng.normal(size=3)


def autoregressive(weights, bias):
    return scg.Autoregressive(scg.Bernoulli, weights, bias)


def test_autoregressive():
    d = autoregressive(W, B)
    support = d.enumerate_support()
    assert len(support) == d.cardinality() == 8
    probabilities = []
    for x in support:
        p = 1.0
        for i in range(3):
            q = 1 / (1 + np.exp(-(B[i] + W[i, :i] @ x[:i])))
            p *= q if x[i] else 1 - q
        probabilities.append(p)
        np.testing.assert_allclose(d.log_prob(x), np.log(p), rtol=1e-12)
    np.testing.assert_allclose(np.sum(probabilities), 1.0, rtol=1e-13)
    x = support[5]
    parts = [d.log_prob(x, elementwise=True)]
    law.check_log_prob(autoregressive, dict(weights=W, bias=B), x, parts[0])
    with pytest.raises(scg.DeclarationError, match=r"family must be scg\.Bernoulli"):
        scg.Autoregressive(scg.Normal, W, B)
    with pytest.raises(scg.DeclarationError, match="do not fit"):
        autoregressive(W, B[:2])


def test_autoregressive_moments_are_exact():
    g = scg.Graph()
    x = g.sample("x", autoregressive(g.parameter("W", W), g.parameter("b", B)))
    g.cost("c", (np.sum(x) - 1.2) ** 2)
    params = g.init(seed=0)
    truth = scg.exact(g, params)
    found = scg.moments(scg.compile(g, estimator=scg.ScoreFunction()), params)
    np.testing.assert_allclose(found.mean["W"], truth.grads["W"], atol=1e-12)
    np.testing.assert_allclose(found.mean["b"], truth.grads["b"], atol=1e-12)


def test_independent_has_the_traits_of_its_base():
    base = scg.Normal(np.zeros((2, 3)), 1.0)
    d = scg.Independent(base, 1)
    x = rng.normal(size=(2, 3))
    np.testing.assert_allclose(
        d.log_prob(x, elementwise=True), base.log_prob(x, elementwise=True).sum(-1)
    )
    np.testing.assert_allclose(d.log_prob(x), base.log_prob(x))
    np.testing.assert_allclose(
        d.kl(scg.Independent(scg.Normal(x, 2.0))), base.kl(scg.Normal(x, 2.0))
    )
    assert d.entropy(elementwise=True).shape == (2,)
    assert type(d).reparameterized and not type(d).supports("cardinality")
    assert type(scg.Independent(scg.Bernoulli(logits=np.zeros(2)))).supports("cardinality")
    assert type(d) is type(scg.Independent(scg.Normal(np.zeros(4), 1.0)))
    with pytest.raises(scg.DeclarationError, match="axes must be from 1 to 2"):
        scg.Independent(base, 3)


@pytest.mark.parametrize("estimator", [scg.MuProp(), scg.Enumeration()])
def test_independent_in_a_graph(estimator):
    gradients = {}
    for wrapped in (False, True):
        g = scg.Graph(str(wrapped))
        dist = scg.Bernoulli(logits=g.parameter("a", np.array([0.3, -0.8])))
        b = g.sample("b", scg.Independent(dist) if wrapped else dist)
        g.cost("c", np.prod(b - 0.4) + np.sum(b) ** 2)
        step = scg.compile(g, estimator=estimator)
        gradients[wrapped] = scg.moments(step, g.init(seed=0)).mean["a"]
    np.testing.assert_allclose(gradients[True], gradients[False], rtol=1e-12)


def test_delta():
    d = scg.Delta(np.array([1.0, 2.0]))
    assert d.log_prob(np.array([1.0, 2.0])) == 0 and d.log_prob(np.array([1.0, 2.5])) == -np.inf
    assert d.entropy() == 0 and d.kl(scg.Delta([1.0, 2.0])) == 0 and d.kl(scg.Delta(0.0)) == np.inf
    g = scg.Graph()
    a = g.parameter("a", 1.5)
    g.cost("c", g.sample("x", scg.Delta(a)) ** 2)
    out = scg.compile(g)(g.init(seed=0), seed=0)
    assert out.cost == 2.25 and out.grads["a"] == 3.0


@pytest.mark.parametrize("n", [2, 3])
def test_every_joint_row_is_enumerated(n):
    """Supports of several elements are products."""
    for d in (scg.Binomial(2, logits=np.zeros(n)), scg.OrderedLogistic(np.zeros(n), [0.0, 1.0])):
        rows = {tuple(row) for row in d.enumerate_support().tolist()}
        assert rows == set(itertools.product(range(3), repeat=n)) and d.cardinality() == 3**n
