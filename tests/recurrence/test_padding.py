"""Padded steps teach nothing: neither the parameters nor what estimators keep and learn."""

import numpy as np
import pytest

import scg

OWN = {
    "moving average": scg.ScoreFunction(scg.baselines.MovingAverage(0.9)),
    "per unit": scg.ScoreFunction(scg.baselines.PerUnit()),
    "network": scg.ScoreFunction(scg.baselines.Network((3,))),
    "critic": scg.ScoreFunction(scg.Critic(("here",), hidden=(3,))),
    "critic of data": scg.ScoreFunction(scg.Critic(("x", "here"), hidden=(3,))),
    "trace": scg.ScoreFunction(scg.Critic(("here",), (3,), trace=0.7), allow_biased=True),
    "normalized": scg.MuProp(variance_normalization=True, allow_biased=True),
}


def walk(free=False):
    """Moves of a batch of walkers, whose episodes end at different steps.

    If they are `free`, no carry leads to their moves.
    """
    g, t, batch = scg.Graph("walk"), scg.Time("t"), scg.Plate("batch", reduce="mean")
    x, there = g.data("x", plates=(batch, t)), g.data("there", plates=(batch, t), kind="int")
    theta = g.parameter("theta", 0.3)

    def cell(s, x):
        here = g.deterministic("here", s)
        a = g.sample("a", scg.Bernoulli(logits=theta * (1.0 if free else here) + x))
        new = np.tanh(0.5 * s + a - 0.3 * x)
        g.cost("c", (new - 0.2) ** 2)
        return new

    g.scan(cell, init=0.2, xs=x, over=t, mask=there, discount=0.9)
    return g


def longer(values, fill):
    """A step more at the end, and one in the middle."""
    return np.insert(values, [2, 3], fill, axis=0)


@pytest.mark.parametrize("estimator", OWN.values(), ids=OWN)
@pytest.mark.parametrize(("backend", "free"), [("numpy", False), ("numpy", True), ("numba", False)])
def test_estimators_learn_the_same_from_padded_sequences(estimator, backend, free):
    g, rng = walk(free), np.random.default_rng(0)
    step, params = scg.compile(g, estimator, backend=backend), g.init(seed=0)
    state, there = step.init(seed=1), np.array([[1, 1], [1, 1], [1, 0]])
    short = {"x": rng.normal(size=(3, 2)), "there": there}
    long = {"x": longer(short["x"], np.nan), "there": longer(there, 0)}
    noise = step.noise(seed=3, runs=1, data=short)
    padded = {name: longer(value[0], 0.5)[None] for name, value in noise.items()}
    steps = [(step, short, noise), (step, long, padded)]
    if backend == "numpy":
        (made,) = g.scans.values()
        steps.append((step.unrolled({made.plate: 5}), long, padded))
    wanted, *others = (s(params, noise=n, data=d, state=state) for s, d, n in steps)
    for found in others:
        np.testing.assert_allclose(found.grads["theta"], wanted.grads["theta"], rtol=1e-12)
        for one, other in (
            (found.state, wanted.state),
            (found.estimator_grads, wanted.estimator_grads),
        ):
            for name, value in other.get("a", {}).items():
                np.testing.assert_allclose(one["a"][name], value, rtol=1e-12, atol=1e-14)
    assert wanted.state != state


def test_a_call_without_a_present_step_keeps_what_was_learned():
    g = walk()
    step = scg.compile(g, OWN["network"], backend="numpy")
    state, data = step.init(seed=1), {"x": np.zeros((3, 2)), "there": np.zeros((3, 2), int)}
    (made,) = g.scans.values()
    for s in (step, step.unrolled({made.plate: 3})):
        out = s(g.init(seed=0), seed=0, data=data, state=state)
        assert all(not np.any(grad) for grad in out.estimator_grads["a"].values())
        assert out.state["a"]["average"] == 0.0 == out.grads["theta"]


@pytest.mark.parametrize("how", ["mini-batches", "iterable", "windows"])
def test_fit_takes_what_pads_sequences(how):
    g, rng = walk(), np.random.default_rng(0)
    there = np.array([[1, 1, 0, 1], [0, 1, 1, 1], [1, 0, 1, 0]])
    x = rng.normal(size=there.shape)

    def trained(fill):
        data = {"x": np.where(there, x, fill), "there": there}
        own = {"truncate": scg.UORO(), "stream": True} if how == "windows" else {}
        step = scg.compile(g, OWN["network"], backend="numpy", **own)
        options = {"mini-batches": {"batch_size": 2}, "windows": {"stream": True, "window": 2}}
        given = [data, data] if how == "iterable" else data
        run = scg.fit(step, data=given, seed=0, epochs=2, **options.get(how, {}))
        return run.params["theta"], run.history[-1]["cost"]

    assert trained(np.nan) == trained(0.0)
    with pytest.raises(scg.CallError, match="not finite"):
        there[:] = 1
        x[1, 1] = np.nan
        trained(0.0)
