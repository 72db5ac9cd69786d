"""Multi-sample bounds and their rewrites: sticking the landing, DReG, reweighted wake-sleep."""

import numpy as np
import pytest

import scg

from .graphs import params_of, sigmoid

X, MU, LOG_S, THETA = 0.7, 0.2, -0.4, 0.3


def gaussian(kind, length=2, mu=MU, log_s=LOG_S):
    """z ~ N(mu, s²) under q; z ~ N(theta, 1), x ~ N(z, 1) under p."""
    g = scg.Graph(kind)
    particles = scg.Plate("particles", length=length)
    loc, theta = g.parameter("mu", mu), g.parameter("theta", THETA)
    scale = np.exp(g.parameter("log_s", log_s))
    z = g.sample("z", scg.Normal(loc=loc, scale=scale), plates=particles)

    def joint(v):
        prior = scg.Normal(loc=theta, scale=1.0).log_prob(v)
        return prior + scg.Normal(loc=v, scale=1.0).log_prob(X * np.ones(()))

    if kind == "iwae":
        g.cost("bound", scg.iwae(joint(z) - z.log_prob(), particles))
    elif kind == "dreg":
        g.cost("bound", scg.dreg(joint, z, particles))
    elif kind == "rws":
        g.cost("bound", scg.reweighted_wake_sleep(joint, z, particles))
    else:
        log_q = z.log_prob(stop_params=kind == "sticking")
        g.cost("bound", scg.plate_mean(log_q - joint(z), particles))
    return g


def formula(kind, eps):
    """The published estimates, one run: gradients in mu, log_s and theta."""
    s = np.exp(LOG_S)
    z = MU + s * eps
    log_w = -0.5 * (z - THETA) ** 2 - 0.5 * (X - z) ** 2 + 0.5 * eps**2 + LOG_S
    w = np.exp(log_w) / np.sum(np.exp(log_w))
    by_z = -(z - THETA) + (X - z) + eps / s  # ∂ log w/∂z with q's parameters fixed
    dz = np.array([np.ones_like(z), s * eps])
    score = np.array([eps / s, eps**2 - 1])  # ∂ log q/∂(mu, log_s) at fixed z
    if kind == "dreg":
        own = -np.sum(w**2 * by_z * dz, axis=1)
    elif kind == "rws":
        own = -np.sum(w * score, axis=1)
    elif kind == "sticking":
        w = np.full(len(z), 1 / len(z))
        own = -np.mean(by_z * dz, axis=1)
    elif kind == "iwae":
        own = -np.sum(w * (by_z * dz - score), axis=1)
    return {"mu": own[0], "log_s": own[1], "theta": -np.sum(w * (z - THETA))}


@pytest.mark.parametrize("kind", ["iwae", "dreg", "rws", "sticking"])
def test_equals_the_published_formula_on_the_same_noise(kind):
    step = scg.compile(gaussian(kind, length=3))
    noise = step.noise(seed=6, runs=10)
    (leaf,) = noise
    for run in range(10):
        out = step(params_of(step.graph), noise={leaf: noise[leaf][run : run + 1]})
        for name, value in formula(kind, noise[leaf][run]).items():
            assert out.grads[name] == pytest.approx(value, abs=1e-10), name


@pytest.mark.parametrize(("kind", "plain"), [("dreg", "iwae"), ("sticking", "elbo")])
def test_rewrites_keep_cost_and_mean_gradient(kind, plain):
    new, old = (
        scg.moments(scg.compile(gaussian(k)), params_of(gaussian(k))) for k in (kind, plain)
    )
    assert new.cost == pytest.approx(old.cost, abs=1e-7)
    for name in old.mean:
        assert new.mean[name] == pytest.approx(float(old.mean[name]), abs=1e-6), name
    assert new.mean["log_s"] != pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("kind", ["dreg", "sticking"])
def test_no_variance_at_the_exact_posterior(kind):
    """q = p(z | x) = N((theta + x)/2, 1/2): the landing sticks."""
    exact = gaussian(kind, mu=(THETA + X) / 2, log_s=0.5 * np.log(0.5))
    plain = gaussian("elbo", mu=(THETA + X) / 2, log_s=0.5 * np.log(0.5))
    noisy = scg.moments(scg.compile(plain), params_of(plain))
    m = scg.moments(scg.compile(exact), params_of(exact))
    for name in ("mu", "log_s"):
        assert m.variance[name] == pytest.approx(0.0, abs=1e-9)
        assert noisy.variance[name] > 0.1


# --- reweighted wake-sleep on a discrete model, by enumeration ------------------------------------
def discrete(length, rws=True):
    g = scg.Graph("discrete")
    particles = scg.Plate("particles", length=length)
    prior = g.parameter("prior", [0.6, -0.4])
    z = g.sample("z", scg.Bernoulli(logits=g.parameter("q", [0.2, -0.3])), plates=particles)

    def joint(v):
        return scg.Bernoulli(logits=prior).log_prob(v) + 0.8 * v[0] * v[1] - 0.5 * v[1]

    cost = scg.reweighted_wake_sleep(joint, z, particles) if rws else None
    g.cost("bound", scg.iwae(joint(z) - z.log_prob(), particles) if cost is None else cost)
    return g


def test_reweighted_wake_sleep_has_the_bounds_gradient_in_the_model():
    rws = scg.moments(scg.compile(discrete(3), scg.ScoreFunction()), params_of(discrete(3)))
    bound = scg.exact(discrete(3, rws=False), params_of(discrete(3)))
    assert rws.cost == pytest.approx(bound.cost, abs=1e-12)
    np.testing.assert_allclose(rws.mean["prior"], bound.grads["prior"], atol=1e-10)
    assert np.max(np.abs(rws.mean["q"] - bound.grads["q"])) > 1e-2  # another objective


def test_its_bias_in_the_wake_phase_falls_with_the_particles():
    z = np.array(list(np.ndindex(2, 2)), dtype=float)
    log_p = z @ np.array([0.6, -0.4]) + 0.8 * z[:, 0] * z[:, 1] - 0.5 * z[:, 1]
    posterior = np.exp(log_p) / np.sum(np.exp(log_p))
    truth = -(posterior @ (z - sigmoid([0.2, -0.3])))  # ∇ KL(p(z|x) ‖ q) in q's logits
    errors = []
    for length in (2, 4, 6):
        g = discrete(length)
        m = scg.moments(scg.compile(g, scg.ScoreFunction()), params_of(g))
        errors.append(np.max(np.abs(m.mean["q"] - truth)))
    assert errors[0] > 1e-2
    assert errors[1] < 0.75 * errors[0]
    assert errors[2] < 0.75 * errors[1]


def test_errors_say_what_to_do():
    g = scg.Graph("wrong")
    particles = scg.Plate("particles", length=2)
    a = g.sample("a", scg.Normal(loc=0.0, scale=1.0), plates=particles)
    z = g.sample("z", scg.Normal(loc=a, scale=1.0))
    with pytest.raises(scg.DeclarationError, match="depends on node 'a'"):
        scg.dreg(lambda v: v, z, particles)
    with pytest.raises(scg.DeclarationError, match="expected a stochastic node on plate"):
        scg.reweighted_wake_sleep(lambda v: v, a + 1.0, particles)


def test_vr_iwae_lies_between_iwae_and_the_elbo():
    """Brute force over two binary particles; α = 0 is the importance-weighted bound."""

    def model(bound):
        g = scg.Graph("bound")
        particles = scg.Plate("particles", length=2)
        b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)), plates=particles)
        g.cost("bound", bound(1.5 * b - b.log_prob(), particles))
        return g

    p = np.array([1 - sigmoid(0.4), sigmoid(0.4)])
    w, pair = np.exp([0.0, 1.5]) / p, np.outer(p, p)
    costs = {}
    for alpha in (0.0, 0.5, 0.999):
        mean = (w[:, None] ** (1 - alpha) + w[None, :] ** (1 - alpha)) / 2
        g = model(lambda log_w, plate, a=alpha: scg.vr_iwae(log_w, plate, a))
        exact = scg.exact(g, params_of(g))
        costs[alpha] = exact.cost
        assert exact.cost == pytest.approx(-np.sum(pair * np.log(mean)) / (1 - alpha), abs=1e-10)
        m = scg.moments(scg.compile(g, scg.ScoreFunction()), params_of(g))
        np.testing.assert_allclose(m.mean["theta"], exact.grads["theta"], atol=1e-10)
    iwae, elbo = (
        scg.exact(g, params_of(g)).cost
        for g in (model(scg.iwae), model(lambda log_w, plate: -scg.plate_mean(log_w, plate)))
    )
    assert costs[0.0] == pytest.approx(iwae, abs=1e-12)
    assert iwae < costs[0.5] < costs[0.999] < elbo
    assert costs[0.999] == pytest.approx(elbo, abs=1e-3)
    with pytest.raises(scg.DeclarationError, match=r"alpha must be a number in \[0, 1\)"):
        model(lambda log_w, plate: scg.vr_iwae(log_w, plate, 1.0))
