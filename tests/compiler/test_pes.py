"""Persistent evolution strategies: unbiased for the cost smoothed by a perturbation a window."""

import itertools

import numpy as np
import pytest

import scg

SIGMA = 0.4
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(6)  # exact up to degree 11
WEIGHTS = WEIGHTS / WEIGHTS.sum()
DATA = {"x": np.array([0.3, -0.6, 0.5])}


def cubes(shifts=False):
    """Costs that are polynomials of θ; with data that shift θ at each step, if `shifts`."""
    g, t = scg.Graph("cubes"), scg.Time("t")
    x, theta = g.data("x", plates=t), g.parameter("theta", 0.7)
    moved = theta + g.data("shift", plates=t) if shifts else theta

    def cell(h, x):
        new = moved * h + x * moved**2
        g.cost("c", new**2 + h * moved)
        return new

    g.scan(cell, init=0.5, xs=x, over=t)
    return g


def mean_by_quadrature(cuts, pairs=1):
    """The mean over normal perturbations of the gradients, added up over windows; and of costs."""
    step = scg.compile(cubes(), backend="numpy", truncate=scg.PES(SIGMA, pairs), stream=True)
    grads = costs = 0.0
    for chosen in itertools.product(range(len(NODES)), repeat=len(cuts) * pairs):
        weight, carry, at = np.prod(WEIGHTS[list(chosen)]), None, 0
        for i, length in enumerate(cuts):
            u = NODES[list(chosen[i * pairs : (i + 1) * pairs])].reshape(1, pairs, 1)
            window = {"x": DATA["x"][at : at + length]}
            out = step({"theta": 0.7}, noise={"#perturbation": u}, data=window, carry=carry)
            carry, at = out.carry, at + length
            grads, costs = grads + weight * out.grads["theta"], costs + weight * out.cost
    return grads, costs


def smoothed_gradient(cuts):
    """The gradient of the mean cost with one perturbation a window, and that mean."""
    step, grads, costs = scg.compile(cubes(True), backend="numpy"), 0.0, 0.0
    for chosen in itertools.product(range(len(NODES)), repeat=len(cuts)):
        shift = np.repeat(SIGMA * NODES[list(chosen)], cuts)
        out = step({"theta": 0.7}, seed=0, data={**DATA, "shift": shift})
        weight = np.prod(WEIGHTS[list(chosen)])
        grads, costs = grads + weight * out.grads["theta"], costs + weight * out.cost
    return grads, costs


@pytest.mark.parametrize("cuts", [[3], [2, 1], [1, 1, 1]], ids=str)
def test_the_mean_over_perturbations_is_the_gradient_of_the_smoothed_cost(cuts):
    found, cost = mean_by_quadrature(cuts)
    wanted, smooth = smoothed_gradient(cuts)
    assert found == pytest.approx(wanted, rel=1e-10)
    assert cost == pytest.approx(smooth, rel=1e-10)


def test_windows_smooth_otherwise_than_plain_evolution_strategies():
    plain, _ = smoothed_gradient([3])
    persistent, _ = smoothed_gradient([1, 1, 1])
    declared = scg.compile(cubes(), backend="numpy")({"theta": 0.7}, seed=0, data=DATA)
    assert abs(plain - persistent) > 1e-2
    assert abs(plain - declared.grads["theta"]) > 1e-2


def test_pairs_are_independent_and_antithetic():
    found, _ = mean_by_quadrature([3], pairs=2)
    assert found == pytest.approx(smoothed_gradient([3])[0], rel=1e-10)
    g, t = scg.Graph("line"), scg.Time("t", length=2)
    theta = g.parameter("theta", 0.7)

    def cell(h):
        z = g.sample("z", scg.Normal(theta, 5.0))
        g.cost("c", theta + h + z)
        return h + theta

    g.scan(cell, init=0.0, over=t)
    step = scg.compile(g, backend="numpy", truncate=scg.PES(0.1, 3), stream=True)
    assert step.noise(seed=0)["z/n"].shape == (1, 3, 2)  # pairs and steps: a pair shares it
    out = step({"theta": 0.7}, seed=0, runs=400)
    # A linear cost: noise that a pair shares cancels, and 5 ε² remains, of variance 25 · 2.
    assert out.stderr["theta"] == pytest.approx(50**0.5 / (3 * 400) ** 0.5, rel=0.2)
    assert abs(out.grads["theta"] - 5.0) < 5 * out.stderr["theta"]


def test_check_compares_with_its_own_smoothed_cost():
    """A discrete node that decides about the carry, and two windows."""
    g, t = scg.Graph("jumps"), scg.Time("t")
    x, theta = g.data("x", plates=t), g.parameter("theta", 0.4)

    def cell(h, x):
        z = g.sample("z", scg.Bernoulli(logits=theta * h + x))
        g.cost("c", (z - 0.3 * h) ** 2)
        return h - theta * z + x

    g.scan(cell, init=theta * 0.5, xs=x, over=t)
    windows = [{"x": [0.4]}, {"x": [-0.2]}]
    step = scg.compile(g, backend="numpy", truncate=scg.PES(0.5, pairs=8), stream=True)
    found = scg.check(step, {"theta": 0.4}, seed=3, data=windows, runs=1000)
    assert found and found.reference == "the gradient of the smoothed cost"
    assert found.bound < 0.3
    chosen = {node.name: own for node, own in step.plan.estimators.items()}
    alone = scg.compile(g, chosen, backend="numpy", truncate=scg.PES(0.5))  # as workers do
    with pytest.raises(scg.CallError, match=r"several windows need a step.*stream=True"):
        scg.check(alone, {"theta": 0.4}, seed=3, data=windows, runs=1000)


def test_backends_agree_and_fit_learns():
    g = cubes()
    steps = [
        scg.compile(g, backend=backend, truncate=scg.PES(0.1, 4), stream=True)
        for backend in ("numpy", "numba")
    ]
    noise = steps[0].noise(seed=1, runs=1, data=DATA)
    a, b = (step({"theta": 0.7}, noise=noise, data=DATA) for step in steps)
    assert a.grads["theta"] == pytest.approx(b.grads["theta"], rel=1e-12)
    for name, value in a.carry.items():
        assert np.allclose(value, b.carry[name], rtol=1e-12)
    run = scg.fit(
        steps[1], data=DATA, seed=0, stream=True, window=1, epochs=60,
        optimizer=scg.optim.SGD(3e-3),
    )  # fmt: skip
    before, after = (
        scg.compile(g, backend="numpy")(p, seed=0, data=DATA).cost for p in (g.init(0), run.params)
    )
    assert after < 0.9 * before


def test_words_and_errors():
    g = cubes()
    how = scg.PES(sigma=0.1, pairs=4)
    step = scg.compile(g, backend="numpy", truncate=how, stream=True)
    assert "PES(pairs=4, sigma=0.1), unbiased for the smoothed cost" in str(step.plan)
    assert "mean over 4 pairs of mean over 2 signs" in str(step.surrogate)
    assert "⊠(ℓ(perturbations)) · c" in str(step.surrogate)
    assert "≈ E[∇θ S]" in str(step.explain())
    assert "vicol2021" in str(scg.cite(step))
    with pytest.raises(scg.EstimatorError, match="black box; leave estimator out"):
        scg.compile(g, scg.ScoreFunction(), truncate=how)
    with pytest.raises(scg.EstimatorError, match=r"first derivatives.*order=1"):
        scg.compile(g, truncate=how, order=2)
    jumps, t = scg.Graph("jumps"), scg.Time("t", length=2)

    def cell(h):
        z = jumps.sample("z", scg.Bernoulli(logits=jumps.parameter("w", 0.4) * h))
        jumps.cost("c", z)
        return h + z

    jumps.scan(cell, init=0.0, over=t)
    with pytest.raises(scg.EstimatorError, match=r"recorded values \('z'\).*leave given out"):
        scg.compile(jumps, truncate=how, given={"z": scg.Recorded("product")})
    with pytest.raises(scg.EstimatorError, match="leave data_grads out"):
        scg.compile(g, truncate=how, data_grads=("x",))
    with pytest.raises(scg.EstimatorError, match="sigma must be positive"):
        scg.PES(sigma=0.0)
    with pytest.raises(scg.EstimatorError, match="pairs must be a positive integer"):
        scg.PES(sigma=0.1, pairs=0)
    with pytest.raises(scg.EnumerationError, match="loops alone"):
        scg.moments(scg.compile(g, backend="numpy", truncate=how), {"theta": 0.7}, DATA)
