"""Variance by node and term: against conditional means that are enumerated by hand, and sampled."""

import re

import numpy as np
import pytest

import scg
from scg.engine.program import Program
from scg.verify.sampling import flat
from scg.verify.walk import Walk


def chain():
    """Binary a → b, a categorical k beside them, two costs and a direct term."""
    g = scg.Graph("chain")
    t = g.parameter("t", [0.3, -0.5])
    a = g.sample("a", scg.Bernoulli(logits=t[0]))
    b = g.sample("b", scg.Bernoulli(logits=t[1] * (a - 0.4)))
    k = g.sample("k", scg.OneHotCategorical(logits=np.stack([t[0], t[1], a])))
    g.cost("far", (b - 0.3) ** 2 * (k @ np.array([0.2, 1.0, -0.7])) + t[1] * b)
    g.cost("near", a * t[0])
    return g


PLANS = {
    "score": scg.ScoreFunction(),
    "loo": scg.LeaveOneOut(samples=2),
    "mixed": {"a": scg.Enumeration(), "b": scg.MuProp(), "k": scg.ScoreFunction()},
    "coupled": {"a": scg.DisARM(), "b": scg.ScoreFunction(), "k": scg.SumAndSample(samples=1)},
    "weak": {"a": scg.RAM(), "b": scg.LocalExpectation(), "k": scg.LeaveOneOut(samples=2)},
}


def total_variance(m):
    return sum(float(np.sum(v)) for v in m.variance.values())


def by_conditioning(step, params):
    """E‖M_n‖² of all nodes by grouping enumerated outcomes of the noise."""
    m = scg.moments(step, params)
    branches = m._walk.branches
    estimate = np.concatenate([v.reshape(m.outcomes, -1) for v in m.rows().estimate.values()], 1)
    found, columns = [float(np.sum(flat(m.mean) ** 2))], np.zeros((m.outcomes, 0))
    for node in step.plan.influence.nodes:
        own = [x for leaf, x in branches.noise.items() if leaf.rpartition("/")[0] == node.name]
        columns = np.concatenate([columns, *(x.reshape(m.outcomes, -1) for x in own)], 1)
        _, group = np.unique(columns, axis=0, return_inverse=True)
        weight = np.bincount(group.ravel(), branches.weight)
        means = [np.bincount(group.ravel(), branches.weight * g) / weight for g in estimate.T]
        found.append(float(np.sum(weight * np.square(means))))
    return np.diff(found)


@pytest.mark.parametrize("plan", PLANS)
def test_shares_are_those_of_conditional_means(plan):
    step = scg.compile(chain(), PLANS[plan])
    params = step.graph.init(seed=0)
    found, m = scg.attribute(step, params), scg.moments(step, params)
    assert found.exact and found.nodes == ("a", "b", "k")
    np.testing.assert_allclose(
        list(found.by_node.values()), by_conditioning(step, params), atol=1e-12
    )
    assert abs(found.total - total_variance(m)) < 1e-12
    assert found.by_node == m.by_node()


def test_terms_share_by_their_covariance_with_the_gradient():
    """Part gradients by hand: ∇t has a covariance with g that the table gives it."""
    g = scg.Graph("toy")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("loss", (b - 0.3) ** 2)
    found = scg.attribute(
        scg.compile(g, scg.ScoreFunction(baseline=scg.baselines.Constant(0.2))), {"theta": 0.4}
    )
    p = 1.0 / (1.0 + np.exp(-0.4))
    weight, cost, score = np.array([1 - p, p]), np.array([0.09, 0.49]), np.array([-p, 1 - p])
    whole = (cost - 0.2) * score
    for name, part in {"loss · ∇log p(b)": cost * score, "∇t(b)": -0.2 * score}.items():
        covariance = weight @ (part * whole) - (weight @ part) * (weight @ whole)
        assert found.by_term[name] == pytest.approx(covariance, abs=1e-14)
    assert found.by_term["∇t(b)"] < 0.0 < found.heat["b"] == 1.0


def test_continuous_noise_is_integrated():
    """y = μ + ε₁ + ε₂ and cost y²: the pathwise gradient 2y has variance 4 from each node."""
    g = scg.Graph("normals")
    x = g.sample("x", scg.Normal(g.parameter("mu", 0.3), 1.0))
    g.cost("cost", g.sample("y", scg.Normal(x, 1.0)) ** 2)
    found = scg.attribute(scg.compile(g, scg.Reparameterization()), {"mu": 0.3})
    assert found.by_node == pytest.approx({"x": 4.0, "y": 4.0}, abs=1e-8)
    # score of x: (y² − y-mean) ε₁ with E[y² | x] = x² + 1 and E[y⁴ | x] = x⁴ + 6x² + 3
    score = scg.attribute(
        scg.compile(g, {"x": scg.ScoreFunction(), "y": scg.Reparameterization()}), {"mu": 0.3}
    )
    e, w = np.polynomial.hermite_e.hermegauss(20)
    x, w = 0.3 + e, w / w.sum()
    inner = w @ ((x**2 + 1) * e) ** 2 - (w @ ((x**2 + 1) * e)) ** 2
    outer = w @ ((4 * x**2 + 2) * e**2)
    assert score.by_node == pytest.approx({"x": inner, "y": outer}, abs=1e-7)


def test_noise_that_a_control_variate_uses_counts():
    """REBAR at a relaxes b, which is enumerated: the noise of b matters. Against a grid of it."""
    g = scg.Graph("relaxed")
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.4)))
    b = g.sample("b", scg.Bernoulli(logits=0.5 * a))
    g.cost("cost", (b - 0.45) ** 2)
    step = scg.compile(g, {"a": scg.REBAR(), "b": scg.Enumeration()})
    found, m = scg.attribute(step, {"t": 0.4}), scg.moments(step, {"t": 0.4})
    assert found.exact and abs(found.total - total_variance(m)) < 1e-8
    count = 200
    u = (np.arange(count) + 0.5) / count
    values, sizes, _ = step.checked({"t": 0.4}, None, None)
    grid = {"a/u": np.repeat(u, count), "b/u": np.tile(u, count)}
    grad = step.outcomes(values, grid, sizes, count**2)["grads", "t"].reshape(count, count)
    own = np.var(grad.mean(axis=1))
    assert found.by_node == pytest.approx({"a": own, "b": np.var(grad) - own}, rel=0.02)


@pytest.mark.parametrize("plan", ["score", "loo", "coupled"])
def test_sampled_shares_lie_near_exact_ones(plan):
    step = scg.compile(chain(), PLANS[plan])
    params = step.graph.init(seed=0)
    exact = scg.attribute(step, params)
    found = scg.attribute(step, params, limit=1, runs=4000, seed=5)
    assert not found.exact and "more than 1 joint outcomes" in str(found)
    # 6 standard errors at a fixed seed: about 30 numbers
    assert np.all(np.abs(found.shares - exact.shares) <= 6 * found.stderr[:-1, :-1] + 1e-12)
    rows = np.array(list(found.by_node.values())) - list(exact.by_node.values())
    assert np.all(np.abs(rows) <= 6 * found.stderr[:-1, -1])
    assert abs(found.total - exact.total) <= 6 * found.stderr[-1, -1]
    _, sizes, _ = step.checked(params, None, None)
    noise = step.program.draw_noise((5, 0), range(4000), sizes)
    grads = step.outcomes(step.checked(params, None, None)[0], noise, sizes, 4000)["grads", "t"]
    assert abs(found.total - grads.var(axis=0, ddof=1).sum()) < 1e-10


def test_plates_and_data():
    """Bits on a plate, mixed by one cost: the shares add up to the variance."""
    batch = scg.Plate("batch", reduce="mean")
    g = scg.Graph("mixed")
    x = g.data("x", plates=batch)
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("w", 0.4) * x))
    c = g.sample("c", scg.Bernoulli(logits=b - 0.3))
    g.cost("mix", scg.plate_mean(b, batch) ** 2 + 0.3)
    g.cost("own", c * x)
    step = scg.compile(g, scg.ScoreFunction())
    data = {"x": np.array([0.4, -1.0, 0.7])}
    found = scg.attribute(step, {"w": 0.4}, data)
    assert found.exact
    assert abs(found.total - total_variance(scg.moments(step, {"w": 0.4}, data))) < 1e-12
    assert min(found.by_node.values()) > 0.0


def test_derivatives_in_data_are_no_part_of_the_gradient():
    g = scg.Graph("data")
    x = g.data("x")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.3) * x))
    g.cost("c", (b - 0.3) ** 2)
    g.cost("of data alone", x * x)
    args = {"t": 0.3}, {"x": 0.7}
    plain, both = (scg.compile(g, scg.ScoreFunction(), data_grads=names) for names in ((), ("x",)))
    for limit in (1000, 1):
        found = scg.attribute(both, *args, runs=20, limit=limit)
        assert found.to_dict() == scg.attribute(plain, *args, runs=20, limit=limit).to_dict()
        assert [*found.by_term] == ["c · ∇log p(b)"] and found.total > 0.0


def test_tables_and_frames():
    found = scg.attribute(scg.compile(chain(), scg.ScoreFunction()), {"t": [0.3, -0.5]})
    frame = found.to_frame()
    assert frame["variance"].sum() == pytest.approx(found.total, abs=1e-14)
    assert set(frame.columns) == {"node", "term", "variance", "stderr"}
    assert found.to_dict()["by_node"] == found.by_node
    assert "all terms" in str(found) and "<table" in found._repr_html_()
    assert sum(found.heat.values()) == pytest.approx(1.0)


def test_the_picture_shows_the_shares(tmp_path):
    step = scg.compile(chain(), scg.ScoreFunction())
    found = scg.attribute(step, {"t": [0.3, -0.5]})
    found.draw(tmp_path / "heat.svg")
    assert found.draw().source == step.draw(heat=found.heat).source != step.draw().source
    texts = re.findall(r">([\d.]+)</text>", (tmp_path / "heat.svg").read_text())
    assert texts == [f"{share:.3g}" for share in found.heat.values()]


def test_without_parameters_there_is_nothing_to_attribute():
    g = scg.Graph("no parameters")
    g.cost("loss", g.sample("z", scg.Bernoulli(probs=0.3)))
    found = scg.attribute(scg.compile(g, scg.ScoreFunction()), {})
    assert (found.total, found.by_node, found.by_term) == (0.0, {"z": 0.0}, {})
    assert "all terms" in str(found)


def test_scopes_do_not_confuse_whose_noise_it_is():
    g = scg.Graph("scopes")
    w = g.parameter("w", 0.3)
    with g.scope("m"):
        inner = g.sample("z", scg.Bernoulli(logits=w))
    m = g.sample("m", scg.Bernoulli(logits=inner * w))
    g.cost("loss", (m - inner * 0.3) ** 2)
    step = scg.compile(g, scg.ScoreFunction())
    found = scg.attribute(step, {"w": 0.3})
    np.testing.assert_allclose(
        list(found.by_node.values()), by_conditioning(step, {"w": 0.3}), atol=1e-13
    )
    assert list(found.by_node) == ["m/z", "m"]


def test_without_noise_nothing_varies():
    found = scg.attribute(scg.compile(chain(), scg.Enumeration()), {"t": [0.3, -0.5]})
    assert found.total == pytest.approx(0.0, abs=1e-14) and max(found.heat.values()) <= 1.0


def test_many_outcomes_are_refused_before_a_run(monkeypatch):
    """A chain of 2^12 outcomes: nested sums would meet the limit after many runs."""
    g = scg.Graph("long")
    h = g.parameter("w", 0.3)
    for i in range(12):
        h = g.sample(f"h[{i}]", scg.Bernoulli(logits=0.5 * h))
    g.cost("c", h)
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    monkeypatch.setattr(Walk, "run", None)
    found = scg.attribute(step, {"w": 0.3}, runs=2, limit=1 << 6)
    assert found.reason == "more than 64 joint outcomes of the noise"


def test_blocks_of_runs_add_up(monkeypatch):
    step = scg.compile(chain(), scg.LeaveOneOut(samples=2), backend="numpy")
    args = {"params": step.graph.init(seed=0), "runs": 50, "limit": 1}
    whole = scg.attribute(step, **args)
    monkeypatch.setattr(Program, "block_length", lambda program, sizes: 7)
    found = scg.attribute(step, **args)
    np.testing.assert_allclose(found.shares, whole.shares, atol=1e-14)
