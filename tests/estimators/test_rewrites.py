"""Bounds of several layers with other gradients: DReG, GDReG, reweighted wake-sleep, TVO."""

import itertools
from functools import partial

import numpy as np
import pytest

import scg

from .graphs import params_of, sigmoid

X, S1, S2, S0 = 0.7, 0.8, 0.6, 1.2
AT = {"mu": 0.2, "b": 0.7, "c": -0.3, "t": 0.4, "a": 0.6, "r": -0.2, "th": 0.9}


# --- two normal layers: q draws z1, then z2; the prior draws z2, then z1 --------------------------
def layered(bound, length=2):
    g = scg.Graph(bound)
    particles = scg.Plate("particles", length=length)
    mu, b, c, t, a, r, th = (g.parameter(name, value) for name, value in AT.items())
    z1 = g.sample("z1", scg.Normal(mu, S1), plates=particles)
    z2 = g.sample("z2", scg.Normal(b * z1 + c, S2))

    def prior(v1, v2):
        return scg.Normal(a * v2, np.exp(r)), scg.Normal(t, S0)

    def log_likelihood(v1, v2):
        return scg.Normal(th * v1, 1.0).log_prob(X * np.ones(()))

    def joint(v1, v2):
        one, two = prior(v1, v2)
        return log_likelihood(v1, v2) + one.log_prob(v1) + two.log_prob(v2)

    if bound == "dreg":
        cost = scg.dreg(joint, (z1, z2), particles)
    elif bound == "gdreg":
        cost = scg.gdreg(prior, log_likelihood, (z1, z2), particles)
    else:
        cost = scg.iwae(joint(z1, z2) - z1.log_prob() - z2.log_prob(), particles)
    g.cost("bound", cost)
    return g


def normal(x, loc, scale):
    return -0.5 * ((x - loc) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)


def formula(kind, e1, e2, at=AT):
    """The bound and its published gradients on noise of shape (..., particles)."""
    mu, b, c, t, a, r, th = at.values()
    z1 = mu + S1 * e1
    z2 = b * z1 + c + S2 * e2
    s = np.exp(r)
    log_w = normal(z2, t, S0) + normal(z1, a * z2, s) + normal(X, th * z1, 1.0)
    log_w = log_w - normal(z1, mu, S1) - normal(z2, b * z1 + c, S2)
    w = np.exp(log_w)
    bound = -np.log(np.mean(w, axis=-1))
    w = w / np.sum(w, axis=-1, keepdims=True)
    likelihood, first = th * (X - th * z1), (z1 - a * z2) / s**2
    score2 = (z2 - b * z1 - c) / S2**2
    by1 = likelihood - first + (z1 - mu) / S1**2 - (0.0 if kind == "naive" else b * score2)
    by2 = -(z2 - t) / S0**2 + a * first + score2
    one, zero = np.ones_like(z1), np.zeros_like(z1)
    q = [w**2 * (by1 * d1 + by2 * d2) for d1, d2 in ((one, b), (zero, z1), (zero, one))]
    if kind == "gdreg":
        up, down = w * likelihood - w**2 * by1, w * a * first - w**2 * by2
        p = [down, up * z2, up * (z1 - a * z2)]
    else:
        p = [w * (z2 - t) / S0**2, w * first * z2, w * ((z1 - a * z2) * first - 1.0)]
    rows = [*q, *p, w * (X - th * z1) * z1]
    return bound, {n: -np.sum(row, axis=-1) for n, row in zip(AT, rows, strict=True)}


@pytest.mark.parametrize("kind", ["dreg", "gdreg"])
def test_layers_equal_the_formula_on_the_same_noise(kind):
    step = scg.compile(layered(kind, length=3))
    noise = step.noise(seed=2, runs=6)
    bound, grads = formula(kind, noise["z1/n"], noise["z2/n"])
    for run in range(6):
        out = step(AT, noise={leaf: value[run : run + 1] for leaf, value in noise.items()})
        assert out.cost == pytest.approx(bound[run], abs=1e-12)
        for name, values in grads.items():
            assert out.grads[name] == pytest.approx(values[run], abs=1e-10), name


@pytest.fixture(scope="module")
def quadrature():
    """Gauss-Hermite points of two particles of two layers, and their weights."""
    x, weight = np.polynomial.hermite_e.hermegauss(24)
    points = np.stack(np.meshgrid(x, x, x, x, indexing="ij"), axis=-1).reshape(-1, 2, 2)
    weights = np.prod(np.stack(np.meshgrid(*[weight] * 4, indexing="ij")), axis=0).ravel()
    return points[:, 0], points[:, 1], weights / np.sum(weights)


@pytest.fixture(scope="module")
def truth(quadrature):
    """The gradient of the bound of two particles, by differences."""
    e1, e2, weight = quadrature

    def bound(name, h):
        return weight @ formula("dreg", e1, e2, AT | {name: AT[name] + h})[0]

    return {name: (bound(name, 1e-5) - bound(name, -1e-5)) / 2e-5 for name in AT}


@pytest.mark.parametrize("kind", ["dreg", "gdreg"])
def test_layers_are_unbiased(kind, quadrature, truth):
    e1, e2, weight = quadrature
    for name, values in formula(kind, e1, e2)[1].items():
        assert weight @ values == pytest.approx(truth[name], abs=1e-6), name


def test_naive_dreg_of_layers_is_biased(quadrature, truth):
    """The scores of the second layer reach the first layer's parameters through z1."""
    e1, e2, weight = quadrature
    values = formula("naive", e1, e2)[1]
    assert abs(weight @ values["mu"] - truth["mu"]) > 0.2
    assert weight @ values["b"] == pytest.approx(truth["b"], abs=1e-6)
    z2 = layered("iwae").named("z2")
    with pytest.raises(scg.DeclarationError, match=r"depends on node 'z1'; list all layers"):
        scg.dreg(lambda v: v, z2, z2.plates[0])


@pytest.mark.parametrize(("m", "s", "sigma"), [(0.3, 0.9, 1.1), (-0.5, 1.3, 1.3)])
def test_variance_of_gdreg_in_closed_form(m, s, sigma):
    """One particle, ∇μ E_q log N(z; μ, σ²): by GDReG it is (1/s² − 1/σ²)(z − m) + (μ − m)/σ²."""
    g = scg.Graph("prior")
    particles = scg.Plate("particles", length=1)
    z = g.sample("z", scg.Normal(m, s), plates=particles)
    mu = g.parameter("mu", 0.2)
    g.cost("b", scg.gdreg(lambda v: scg.Normal(mu, sigma), lambda v: 0.0 * v, z, particles))
    found = scg.moments(scg.compile(g), params_of(g))
    assert found.mean["mu"] == pytest.approx((0.2 - m) / sigma**2, abs=1e-8)
    assert found.variance["mu"] == pytest.approx(s**2 * (s**-2 - sigma**-2) ** 2, abs=1e-8)


FAMILIES = {
    "normal": lambda p: scg.Normal(p, 1.0 + p**2),
    "laplace": lambda p: scg.Laplace(p, 1.0 + p),
    "logistic": lambda p: scg.Logistic(p, 1.0 + p),
    "cauchy": lambda p: scg.Cauchy(p, 1.0 + p),
    "gumbel": lambda p: scg.Gumbel(p, 1.0 + p),
    "log-normal": lambda p: scg.LogNormal(p, 1.0 + p),
    "half-normal": lambda p: scg.HalfNormal(1.0 + p),
    "exponential": lambda p: scg.Exponential(1.0 + p),
    "weibull": lambda p: scg.Weibull(1.0 + p, 2.0 - p),
    "gamma": lambda p: scg.Gamma(1.0 + p, 2.0 + p),
    "inverse gamma": lambda p: scg.InverseGamma(1.0 + p, 2.0 + p),
    "block": lambda p: scg.Independent(scg.Gamma(1.0 + p * np.ones(2), 2.0)),
    "tril": lambda p: scg.MultivariateNormal(
        p * np.ones(2), scale_tril=np.array([[1.0, 0.0], [0.4, 0.8]]) * (1.0 + p)
    ),
    "low rank": lambda p: scg.MultivariateNormal(
        p * np.ones(2), cov_factor=p * np.array([[1.0], [0.4]]), cov_diag=p**2 * np.ones(2)
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_opened_value_moves_as_a_sample(family, h=1e-6):
    make, u, w = FAMILIES[family], np.array([0.3, 0.9]), np.array([1.0, 0.3])
    x = make(0.4).coupling(u)
    g = scg.Graph("opened")
    value = make(g.parameter("p", 0.4)).opened(g.data("x", shape=(2,)))
    g.cost("c", np.sum(value * w))
    out = scg.compile(g)(params_of(g), data={"x": x}, seed=0)
    slope = (make(0.4 + h).coupling(u) - make(0.4 - h).coupling(u)) / (2 * h)
    assert out.cost == pytest.approx(x @ w, abs=1e-12)
    assert out.grads["p"] == pytest.approx(slope @ w, abs=1e-6)


@pytest.mark.parametrize("family", ["normal", "laplace", "exponential", "weibull", "gamma"])
def test_an_opened_value_moves_far_in_the_tail(family):
    """Where the density underflows in float32, the derivative is that of float64."""
    g = scg.Graph("tail")
    value = FAMILIES[family](g.parameter("p", 0.4)).opened(g.data("x"))
    g.cost("c", value)
    single, double = (
        scg.compile(g, dtype=dtype)(params_of(g), data={"x": 120.0}, seed=0).grads["p"]
        for dtype in ("float32", "float64")
    )
    assert np.isfinite(double)
    assert single == pytest.approx(double, rel=1e-5)


# --- two binary layers, by enumeration ------------------------------------------------------------
Q, P = np.array([0.4, -0.3, 0.8]), np.array([0.5, -0.9])
STATES = np.array(list(itertools.product((0.0, 1.0), repeat=2)))


def binary(bound, length):
    g = scg.Graph("binary")
    particles = scg.Plate("particles", length=length)
    q, p = g.parameter("q", Q), g.parameter("p", P)
    z1 = g.sample("z1", scg.Bernoulli(logits=q[0]), plates=particles)
    z2 = g.sample("z2", scg.Bernoulli(logits=q[1] + q[2] * z1))

    def joint(v1, v2):
        return scg.Bernoulli(logits=p[0]).log_prob(v1) + p[1] * v1 * v2 - 0.3 * v2

    g.cost("bound", bound(joint, (z1, z2), particles))
    return g


def tables():
    """log p and log q of the four states, and their gradients."""
    z1, z2 = STATES.T
    logit = Q[1] + Q[2] * z1
    log_q = z1 * Q[0] - np.log1p(np.exp(Q[0])) + z2 * logit - np.log1p(np.exp(logit))
    log_p = z1 * P[0] - np.log1p(np.exp(P[0])) + P[1] * z1 * z2 - 0.3 * z2
    score_q = np.stack([z1 - sigmoid(Q[0]), z2 - sigmoid(logit), z1 * (z2 - sigmoid(logit))], 1)
    score_p = np.stack([z1 - sigmoid(P[0]), z1 * z2], 1)
    return log_p, log_q, score_p, score_q


def mean_of(estimate, length):
    """Mean of an estimate over all states of the particles; it takes indices of states."""
    _, log_q, _, _ = tables()
    total = 0.0
    for states in itertools.product(range(4), repeat=length):
        total = total + np.exp(np.sum(log_q[list(states)])) * estimate(np.array(states))
    return total


def tvo_estimate(beta, length):
    log_p, log_q, score_p, score_q = tables()
    log_w = log_p - log_q

    def estimate(k):
        total, count = np.zeros(6), len(k)
        for b, size in zip(beta, length, strict=True):
            w = np.exp(b * log_w[k]) / np.sum(np.exp(b * log_w[k]))
            mean = w @ log_w[k]
            c = count / max(count - 1, 1) * w * (log_w[k] - mean)
            in_p = w @ score_p[k] + b * c @ score_p[k]
            in_q = -w @ score_q[k] + (1 - b) * c @ score_q[k]
            total -= size * np.concatenate([[mean], in_p, in_q])
        return total

    return estimate


def wake_estimate(k):
    log_p, log_q, score_p, score_q = tables()
    w = np.exp(log_p - log_q)[k]
    bound, w = np.log(np.mean(w)), w / np.sum(w)
    return -np.concatenate([[bound], w @ score_p[k], w @ score_q[k]])


RULES = {
    "left": ((0.0, 0.3), (0.3, 0.7)),
    "right": ((0.3, 1.0), (0.3, 0.7)),
    "trapezoid": ((0.0, 0.3, 1.0), (0.15, 0.5, 0.35)),
}


@pytest.mark.parametrize("kind", ["wake", *RULES])
@pytest.mark.parametrize("length", [1, 3])
def test_binary_layers_equal_enumeration(kind, length):
    if kind == "wake":
        g, estimate = binary(scg.reweighted_wake_sleep, length), wake_estimate
    else:
        g = binary(lambda *args: scg.tvo(*args, partition=(0, 0.3, 1), rule=kind), length)
        estimate = tvo_estimate(*RULES[kind])
    m = scg.moments(scg.compile(g, scg.ScoreFunction()), params_of(g))
    found = np.concatenate([[m.cost], m.mean["p"], m.mean["q"]])
    np.testing.assert_allclose(found, mean_of(estimate, length), atol=1e-12)


def test_the_left_end_of_one_interval_is_the_elbo_without_bias():
    g = binary(lambda *args: scg.tvo(*args, partition=(0, 1)), 2)
    m = scg.moments(scg.compile(g, scg.ScoreFunction()), params_of(g))
    log_p, log_q, score_p, score_q = tables()
    q, log_w = np.exp(log_q), log_p - log_q
    assert m.cost == pytest.approx(-q @ log_w, abs=1e-12)
    np.testing.assert_allclose(m.mean["p"], -q @ score_p, atol=1e-12)
    np.testing.assert_allclose(m.mean["q"], -(q * log_w) @ score_q, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
def test_tvo_brackets_the_evidence_and_its_bias_falls(rule):
    """Sums over all states; the mean gradient of K particles tends to that of the objective."""

    def objective(q, p):
        z1, z2 = STATES.T
        logit = q[1] + q[2] * z1
        log_q = z1 * q[0] - np.log1p(np.exp(q[0])) + z2 * logit - np.log1p(np.exp(logit))
        log_p = z1 * p[0] - np.log1p(np.exp(p[0])) + p[1] * z1 * z2 - 0.3 * z2
        total = 0.0
        for b, size in zip(*RULES[rule], strict=True):
            w = np.exp(b * log_p + (1 - b) * log_q)
            total -= size * (w / np.sum(w)) @ (log_p - log_q)
        return total, -np.log(np.sum(np.exp(log_p)))

    value, evidence = objective(Q, P)
    assert {"left": value > evidence, "right": value < evidence}.get(rule, True)
    h = 1e-6
    truth = [(objective(Q + h * e, P)[0] - objective(Q - h * e, P)[0]) / (2 * h) for e in np.eye(3)]
    means = [mean_of(tvo_estimate(*RULES[rule]), k)[3:] for k in (2, 4, 6)]
    errors = [np.max(np.abs(mean - truth)) for mean in means]
    assert errors[0] > 1e-3
    assert errors[1] < 0.75 * errors[0]
    assert errors[2] < 0.75 * errors[1]


@pytest.mark.parametrize("kind", ["wake", "tvo"])
def test_normalised_weights_are_marked(kind):
    bound = scg.reweighted_wake_sleep
    if kind == "tvo":
        bound = lambda *args: scg.tvo(*args, partition=(0, 0.5, 1))  # noqa: E731
    step = scg.compile(binary(bound, 2), scg.ScoreFunction())
    assert not step.plan.unbiased
    assert not step(params_of(step.graph), seed=0).unbiased
    said = "normalised weights in the gradient of 'bound': BIASED"
    assert said in str(step.explain())
    assert said in str(step.plan)


@pytest.mark.parametrize("kind", ["dreg", "gdreg"])
@pytest.mark.parametrize(
    "estimator",
    [scg.ScoreFunction(), scg.LeaveOneOut(samples=2), scg.MeasureValued(), scg.LAX(hidden=(3,))],
    ids=str,
)
def test_doubly_reparameterized_gradients_need_paths(kind, estimator):
    g = layered(kind)
    for chosen in (estimator, {"z2": estimator}):
        with pytest.raises(scg.EstimatorError, match=r"'z[12]'.*pathwise samples alone; scg\.iwae"):
            scg.compile(g, chosen)
    recorded = scg.Recorded(ratios="product")
    with pytest.raises(scg.EstimatorError, match=r"'z[12]'.*pathwise samples alone"):
        scg.compile(g, given={"z1": recorded, "z2": recorded})
    scg.compile(layered("iwae"), estimator, backend="numpy")


def test_a_node_without_parameters_may_have_any_estimator():
    g, particles = scg.Graph("fixed"), scg.Plate("particles", length=2)
    z, m = g.sample("z", scg.Normal(0.0, 1.0), plates=particles), g.parameter("m", 0.4)
    g.cost("bound", scg.dreg(lambda v: scg.Normal(m, 1.0).log_prob(v), z, particles))
    score, path = (
        scg.compile(g, estimator, backend="numpy")({"m": 0.4}, seed=0).grads["m"]
        for estimator in (scg.ScoreFunction(), None)
    )
    assert score == path != 0.0


@pytest.mark.parametrize("kind", ["dreg", "gdreg", "wake", "tvo"])
def test_other_gradients_have_no_second_order(kind):
    bounds = {"wake": scg.reweighted_wake_sleep, "tvo": partial(scg.tvo, partition=(0, 0.5, 1))}
    g = binary(bounds[kind], 2) if kind in bounds else layered(kind)
    with pytest.raises(scg.EstimatorError, match=r"'bound' .* no derivative of order 2; scg\.iwae"):
        scg.compile(g, order=2)
    scg.compile(layered("iwae"), order=2, backend="numpy")


@pytest.mark.parametrize("kind", ["wake", "left", "right"])
def test_impossible_particles_count_nothing(kind):
    g = scg.Graph("impossible")
    particles = scg.Plate("particles", length=3)
    z = g.sample("z", scg.Bernoulli(logits=g.parameter("q", 0.3)), plates=particles)
    p = g.parameter("p", 0.4)

    def joint(v):
        return scg.Categorical(probs=np.stack([p, 0.0 * p, 1.0 - p])).log_prob(v)

    rule = {"partition": (0, 0.4, 1), "rule": kind}
    bound = scg.reweighted_wake_sleep if kind == "wake" else lambda *a: scg.tvo(*a, **rule)
    g.cost("bound", bound(joint, z, particles))
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    noise = {"z/u": np.array([[0.9, 0.1, 0.2]])}
    out = step(params_of(g), noise=noise)
    if kind != "left":  # an evidence lower bound of an impossible value is infinite
        assert np.isfinite(out.cost)
        assert np.isfinite(out.grads["q"])
        assert np.isfinite(out.grads["p"])


def test_errors_say_what_to_do():
    g = scg.Graph("wrong")
    particles = scg.Plate("particles", length=2)
    z = g.sample("z", scg.Normal(g.parameter("m", 0.0), 1.0), plates=particles)
    b = g.sample("b", scg.Bernoulli(logits=z))
    with pytest.raises(scg.DeclarationError, match=r"samples of 'b' \(Bernoulli\) have no path"):
        scg.dreg(lambda x, y: x, (z, b), particles)
    with pytest.raises(scg.DeclarationError, match="prior must return a distribution, got"):
        scg.gdreg(lambda v: v, lambda v: v, z, particles)
    with pytest.raises(scg.DeclarationError, match="prior must return a distribution"):
        scg.gdreg(lambda v: [scg.Normal()] * 2, lambda v: v, z, particles)
    with pytest.raises(scg.UnsupportedError, match="StudentT has no path through given values"):
        scg.gdreg(lambda v: scg.StudentT(3.0), lambda v: v, z, particles)
    for log_joint in (lambda v: None, lambda v: np.stack([v, v])):
        for bound in (scg.dreg, scg.reweighted_wake_sleep, partial(scg.tvo, partition=(0, 1))):
            with pytest.raises(scg.DeclarationError, match="log_joint must return a scalar"):
                bound(log_joint, z, particles)
        with pytest.raises(scg.DeclarationError, match="log_likelihood must return a scalar"):
            scg.gdreg(lambda v: scg.Normal(), log_joint, z, particles)
    for layers in ([], [z, z]):
        with pytest.raises(scg.DeclarationError, match="each layer of the approximation once"):
            scg.dreg(lambda *v: v[0], layers, particles)
    wrong = (0.0, 0.5), (0.0, 0.5, 0.5, 1.0), (1.0,), 0.5, (0.0, np.nan, 1.0), (0.0, "half", 1.0)
    for partition in wrong:
        with pytest.raises(scg.DeclarationError, match="partition must rise from 0 to 1"):
            scg.tvo(lambda v: v, z, particles, partition)
    with pytest.raises(scg.DeclarationError, match="rule must be"):
        scg.tvo(lambda v: v, z, particles, (0, 1), rule="middle")


def test_a_contrast_of_samples_has_no_second_order():
    g = scg.Graph("machine")
    machine = scg.RBM([0.1, -0.2], [0.3, 0.1], g.parameter("W", np.full((2, 2), 0.2)))
    g.cost("fit", -machine.contrast(np.array([1.0, 0.0]), g.sample("z", machine)))
    with pytest.raises(scg.EstimatorError, match=r"'fit' .* no derivative of order 2; .*log_prob"):
        scg.compile(g, scg.ScoreFunction(), order=2)
    z = np.array([1.0, 1.0])
    assert scg.RBM([0.0, 0.0], [0.0], np.ones((2, 1))).contrast(z, z) > 0  # of arrays
