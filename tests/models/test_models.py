"""The built-in models are the probability models that they claim to be, and they learn."""

import inspect
import itertools

import numpy as np
import pytest

import scg
from scg.data import load_digits
from scg.models import MODELS, policy

TINY = {
    "sbn1": {"hidden": (2,)},
    "sbn2": {"hidden": (2, 2)},
    "sbn3": {"hidden": (2, 1, 2)},
    "fdarn": {"hidden": 3},
    "bernoulli_vae": {"hidden": 3},
    "bernoulli_vae_nonlinear": {"hidden": 3, "layers": (3, 2)},
    "categorical_vae": {"variables": 2, "classes": 3, "layers": (3,)},
    "structured": {"hidden": (2, 2)},
    "structured_categorical": {"hidden": (2, 1), "classes": 3},
    "mixture": {"components": 4},
}
PIXELS = 4
ROWS = np.array(list(itertools.product([0.0, 1.0], repeat=PIXELS)))


def tiny(name):
    """A tiny model with parameters far from any symmetry."""
    g = MODELS[name](np.array([0.2, 0.9, 0.5, 0.4]), **TINY[name])
    rng = np.random.default_rng(7)
    return g, {
        key: value + 0.7 * rng.standard_normal(value.shape) for key, value in g.init(0).items()
    }


def exact_cost(g, params, row):
    return scg.exact(g, params, data={"x": row[None]}).cost


@pytest.mark.parametrize("name", TINY)
def test_the_model_is_normalised_and_its_cost_is_the_negative_elbo(name):
    g, params = tiny(name)
    costs = [exact_cost(g, params, row) for row in ROWS]
    log_weight = g.named("log_weight")
    g.cost("mean log-weight", log_weight)
    with_mean = [exact_cost(g, params, row) for row in ROWS]
    np.testing.assert_allclose(with_mean, 0.0, atol=1e-10)  # cost + E[log w] = 0
    g.cost("weight", np.exp(log_weight))
    p = np.array([exact_cost(g, params, row) for row in ROWS])  # E[w] = p(x), or p(lower | upper)
    assert np.all(-np.array(costs) < np.log(p) + 1e-12)  # Jensen
    total = p.reshape(4, 4).sum(axis=1) if name.startswith("structured") else p.sum()
    np.testing.assert_allclose(total, 1.0, rtol=1e-10)


def test_the_gaussian_model_is_normalised():
    """By the trapezoidal rule; weights have no variance, so that samples would not tell."""
    g = MODELS["gaussian_vae"](np.array([0.2, 0.9]), hidden=2, layers=(3,))
    g.cost("log-weight", g.named("log_weight"))
    g.cost("weight", np.exp(g.named("log_weight")))
    step = scg.compile(g, scg.Reparameterization(), backend="numpy")
    t = np.linspace(-12.0, 12.0, 61)
    density = np.exp(-0.5 * t**2) / np.sqrt(2 * np.pi) * (t[1] - t[0])
    points = np.stack(np.meshgrid(t, t), axis=-1).reshape(-1, 1, 2)
    total = 0.0
    for row in itertools.product([0.0, 1.0], repeat=2):
        values, sizes, _ = step.checked(g.init(0), {"x": np.array([row])}, None)
        out = step.outcomes(values, {"h/n": points}, sizes, len(points))
        mean = {c: np.outer(density, density).ravel() @ out["costs", c] for c in g.costs}
        total += mean["weight"]
        # the closed form and the mean of one divergence
        assert mean["loss"] == pytest.approx(-mean["log-weight"], abs=1e-10)
    assert total == pytest.approx(1.0, abs=1e-10)


def digits_for(g):
    digits = load_digits(binary=True)
    every = {"x": digits.train, "labels": digits.train_labels}
    return {name: every[name] for name in g.data_nodes}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_learns(name):
    make = MODELS[name]
    images = "means" in inspect.signature(make).parameters
    g = make(load_digits(binary=True).train.mean(axis=0)) if images else make()
    step, data = scg.compile(g), digits_for(g)
    size = {"batch_size": 50} if data else {"steps_per_epoch": 20}
    start = g.init(0)
    run = scg.fit(step, data=data, seed=0, optimizer=scg.optim.Adam(1e-2), epochs=1, **size)
    before, after = (step(p, seed=1, data=data).cost for p in (start, run.params))
    assert after < before - 0.02 * abs(before)  # 3 % and more


@pytest.mark.parametrize("name", ["structured", "sbn1", "sbn2", "bernoulli_vae"])
def test_the_cost_is_the_bound_of_the_particles(name):
    """−E log (w₁ + w₂)/2 of two, by the probabilities and weights of all values of the latents."""
    g, params = tiny(name)
    g.deterministic("log_q", sum(h.log_prob() for h in g.stochastic.values()))
    x = np.array([1.0, 0.0, 0.0, 1.0])
    log_w, log_q = [], []
    sizes = [h.shape[-1] for h in g.stochastic.values()]
    for values in itertools.product([0.0, 1.0], repeat=sum(sizes)):
        do = dict(zip(g.stochastic, np.split(np.array(values), np.cumsum(sizes)[:-1]), strict=True))
        found = g.simulate(
            params, nodes=["log_weight", "log_q"], do=do, seed=0, data={"x": x[None]}
        )
        log_w.append(found["log_weight"].item()), log_q.append(found["log_q"].item())
    mean = np.logaddexp.outer(log_w, log_w) - np.log(2)
    particles = scg.Plate("particles", length=2)
    g = MODELS[name](np.array([0.2, 0.9, 0.5, 0.4]), **TINY[name], particles=particles)
    bound = -np.exp(np.add.outer(log_q, log_q)).ravel() @ mean.ravel()
    assert exact_cost(g, params, x) == pytest.approx(bound)


def test_fdarn_needs_the_connections_of_its_prior():
    """Trained with them, it loses nats when they are cut."""
    digits = load_digits(binary=True)
    g = MODELS["fdarn"](digits.train.mean(axis=0))
    run = scg.fit(
        scg.compile(g, scg.MuProp(baseline=scg.baselines.MovingAverage())),
        data={"x": digits.train},
        seed=0,
        batch_size=50,
        epochs=20,
        optimizer=scg.optim.Adam(1e-2),
    )
    cut = {**run.params, "prior/W": np.zeros((32, 32))}
    whole, without = (
        scg.evaluate(g, params, {"x": digits.test}, samples=5, seed=1).elbo
        for params in (run.params, cut)
    )
    assert whole > -20  # four seeds end between −19.5 and −19.3
    assert whole > without + 2


def best_return(steps, slip):
    """Largest expected return of the corridor, by dynamic programming."""
    reward, value = np.array([0.2, 0, 0, 0, 1.0]), np.zeros(5)
    for _ in range(steps):
        landed = reward + value
        left, right = np.maximum(np.arange(5) - 1, 0), np.minimum(np.arange(5) + 1, 4)
        value = np.maximum(
            *(
                (1 - slip) * landed[to] + slip * landed[other]
                for to, other in ((left, right), (right, left))
            )
        )
    return value[1]


def test_the_policy_finds_the_best_return():
    step = scg.compile(policy(steps=5), estimator=scg.LeaveOneOut(samples=4))
    best = best_return(5, 0.1)
    optimizer = scg.optim.Adam(0.1)
    run = scg.fit(step, seed=0, epochs=1, steps_per_epoch=150, optimizer=optimizer)
    found = -step(run.params, seed=1, runs=50).cost  # 4000 episodes
    assert 0.95 * best < found < 1.05 * best
    assert -step(step.graph.init(0), seed=1, runs=50).cost < 0.7 * best


@pytest.mark.parametrize(
    ("steps", "return_variance", "togo_variance"),
    [(3, 0.3392, 0.2564), (6, 4.44218125, 2.60838125)],
)
def test_an_action_is_credited_with_rewards_to_go(steps, return_variance, togo_variance):
    togo = policy(steps=steps, episodes=1)
    whole = togo.unroll(t=steps)
    for name in list(whole.costs):
        del whole.costs[name]
    whole.cost("loss", -whole.named("return"))
    params = togo.init(seed=0)
    of_return, of_togo = (
        scg.moments(scg.compile(g, scg.ScoreFunction(), backend="numpy"), params)
        for g in (whole, togo)
    )
    np.testing.assert_allclose(
        of_return.mean["preferences"], of_togo.mean["preferences"], atol=1e-14
    )
    assert abs(of_return.variance["preferences"].sum() - return_variance) < 1e-12
    assert abs(of_togo.variance["preferences"].sum() - togo_variance) < 1e-12


def test_the_policy_is_reached_by_scores_alone():
    with pytest.raises(scg.EstimatorError):
        scg.compile(policy(), estimator=scg.MuProp())


def test_logistic_regression_tells_odd_from_even_digits():
    digits = load_digits()
    g = MODELS["logistic"](digits.train.mean(axis=0))
    data = {"x": digits.train, "labels": digits.train_labels}
    run = scg.fit(
        scg.compile(g), data=data, seed=0, batch_size=100, epochs=15, optimizer=scg.optim.Adam(0.02)
    )
    held_out = {"x": digits.test, "labels": digits.test_labels}
    drawn = g.simulate(run.params, nodes=["score"], seed=0, runs=50, data=held_out)["score"]
    right = (drawn.mean(axis=0) > 0) == (digits.test_labels % 2 == 1)
    assert right.mean() > 0.85
