"""Truncation: factors at the boundaries between steps, for derivatives and for scores."""

import warnings

import numpy as np
import pytest

import scg

from ..recurrence.recurrent import Recurrent, gap

HAZARDS = [scg.ARTBP(mean=2.5), scg.ARTBP(mean=1.6, tail=3.5)]
WINDOWS = [scg.Truncated(k, allow_biased=True) for k in (1, 2)]


def mixed(reverse=False, masked=False):
    """A bit that the carry and the cost read, with parameters in the score, carry and cost."""
    g, t = scg.Graph("mixed"), scg.Time("t")
    x = g.data("x", plates=t)
    mask = g.data("there", plates=t, kind="int") if masked else None
    theta, w = g.parameter("theta", 0.4), g.parameter("w", -0.7)

    def cell(carry, x):
        h, z_before = carry
        z = g.sample("z", scg.Bernoulli(logits=theta * h + x))
        y = g.sample("y", scg.Bernoulli(logits=w * z + h * z_before))
        g.cost("fit", (z - 0.3 * h) ** 2 + w * y)
        g.cost("before", h * theta)
        return np.tanh(h + y - theta * z), z

    init = (g.parameter("start", 0.8), 0.0)
    options = {"reverse": reverse, "mask": mask, "discount": 0.9}
    (last, _), _ = g.scan(cell, init=init, xs=x, over=t, **options)
    g.cost("end", last**2 * w)
    data = {"x": [0.3, -0.6, 0.2], "there": [1, 0, 1]}
    return g, data if masked else {"x": data["x"]}


def largest_bias(step, g, data):
    found = scg.moments(step, g.init(seed=0), data, variance=False).mean
    truth = scg.exact(g, g.init(seed=0), data).grads
    return max(np.max(np.abs(found[name] - truth[name])) for name in truth)


@pytest.mark.parametrize("truncation", HAZARDS, ids=str)
@pytest.mark.parametrize(
    ("options", "estimator"),
    [
        ({}, scg.ScoreFunction()),
        ({"reverse": True}, scg.ScoreFunction(scg.baselines.Constant(0.3))),
        ({"masked": True}, {"z": scg.MuProp(), "y": scg.ScoreFunction()}),
    ],
    ids=["score", "reverse", "masked"],
)
def test_random_truncation_is_unbiased(options, estimator, truncation):
    g, data = mixed(**options)
    step = scg.compile(g, estimator, backend="numpy", truncate=truncation)
    assert step.plan.unbiased
    assert largest_bias(step, g, data) < 1e-10


@pytest.mark.parametrize(
    "estimator",
    [
        scg.LeaveOneOut(samples=2),
        {"z": scg.DisARM(), "y": scg.Enumeration()},
        {"z": scg.LocalExpectation(), "y": scg.RAM()},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore::scg.PathsWarning")
def test_random_truncation_is_unbiased_below_estimators_with_signals(estimator):
    g, t = scg.Graph("small"), scg.Time("t", length=2)
    theta = g.parameter("theta", 0.4)

    def cell(h):
        z = g.sample("z", scg.Bernoulli(logits=theta * h))
        y = g.sample("y", scg.Bernoulli(logits=z - theta * h))
        g.cost("c", (z - 0.3 * h) ** 2 + theta * y * h)
        return np.tanh(h + y - theta * z)

    g.scan(cell, init=0.8, over=t)
    step = scg.compile(g, estimator, backend="numpy", truncate=HAZARDS[0])
    assert largest_bias(step, g, {}) < 1e-10


def test_pathwise_and_scored_nodes_together():
    """A walk of normal steps moves the bits: both kinds of credit cross the same boundaries."""
    g, t = scg.Graph("walk"), scg.Time("t", length=3)
    a = g.parameter("a", 0.3)

    def cell(x):
        now = g.sample("now", scg.Normal(a * x + a, 0.5))
        z = g.sample("z", scg.Bernoulli(logits=a - 0.2))
        g.cost("c", now**2 * a + z * now)
        return now + a * z

    g.scan(cell, init=1.0, over=t)
    chosen = {"now": scg.Reparameterization(), "z": scg.ScoreFunction()}
    whole, cut = (
        scg.moments(
            scg.compile(g, chosen, backend="numpy", truncate=how), {"a": 0.3}, variance=False
        )
        for how in (None, HAZARDS[0])
    )
    assert cut.mean["a"] == pytest.approx(whole.mean["a"], abs=1e-10)


@pytest.mark.parametrize("truncation", WINDOWS, ids=str)
def test_fixed_windows_are_biased_and_say_so(truncation):
    g, data = mixed()
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy", truncate=truncation)
    assert largest_bias(step, g, data) > 1e-2
    assert not scg.check(step, g.init(seed=0), seed=0, data=data)
    assert not step(g.init(seed=0), seed=0, data=data).unbiased
    assert "BIASED; credit between steps: Truncated" in step.plan._repr_html_()
    assert "BIASED" in str(step.plan) and "BIASED" in str(step.explain())
    assert step.explain().to_dict()["unbiased"] is False


def test_a_window_of_the_whole_sequence_cuts_nothing():
    g, data = mixed()
    step = scg.compile(
        g, scg.ScoreFunction(), backend="numpy", truncate=scg.Truncated(3, allow_biased=True)
    )
    assert largest_bias(step, g, data) < 1e-10


def test_a_score_is_cut_with_the_carry():
    """Windows of one step: each score meets the cost of its own step alone, by definition."""
    g, t = scg.Graph("bits"), scg.Time("t", length=3)
    theta = g.parameter("theta", 0.4)

    def cell(h):
        z = g.sample("z", scg.Bernoulli(logits=theta))
        g.cost("c", (h + z) ** 2)
        return h + z

    g.scan(cell, init=0.0, over=t)
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy", truncate=WINDOWS[0])
    p = 1 / (1 + np.exp(-0.4))
    # Σ_t d/dp E[(h + z)²] with h ~ Binomial(t, p) kept: E[1 + 2 h] = 1 + 2 t p.
    wanted = sum(1 + 2 * t * p for t in range(3)) * p * (1 - p)
    found = scg.moments(step, {"theta": 0.4}, variance=False).mean["theta"]
    assert found == pytest.approx(wanted, abs=1e-10)


def products(truncation, u):
    """m before each step, by a loop over steps."""
    found, age = [1.0], 1
    for draw in u[1:]:
        if isinstance(truncation, scg.Truncated):
            m = float(age < truncation.k)
        else:
            a, mean = truncation.tail, truncation.mean
            c = 1 / mean if a is None else (a - 1) / ((a - 2) * mean + age)
            m = (draw >= c) / (1 - c)
        age = age + 1 if m else 1
        found.append(m)
    return np.array(found)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("truncation", [*HAZARDS, WINDOWS[1]], ids=str)
def test_factors_are_those_of_the_definition(backend, truncation):
    """h_t = Σ_{s ≤ t} a_s: the slope in a_s is the sum over t ≥ s of the factors between."""
    g, t = scg.Graph("sum"), scg.Time("t")
    a, slope = g.data("a", plates=t), g.parameter("slope", 1.0)

    def cell(h, a):
        g.cost("c", h + slope * a)
        return h + slope * a

    g.scan(cell, init=0.0, xs=a, over=t)
    step = scg.compile(g, backend=backend, truncate=truncation, data_grads=("a",))
    data = {"a": np.linspace(0.5, 2.0, 9)}
    noise = step.noise(seed=3, runs=1, data=data)
    (u,) = (np.ravel(x) for x in noise.values()) if noise else (np.full(9, 0.5),)
    m = products(truncation, u)
    wanted = [sum(np.prod(m[s + 1 : t + 1]) for t in range(s, 9)) for s in range(9)]
    found = step({"slope": 1.0}, noise=noise, data=data).data_grads["a"]
    assert np.ravel(found) == pytest.approx(wanted, rel=1e-12)
    assert 0 < np.sum(m == 0) < 8


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 7, 10, 14])
def test_loops_and_unrolled_graphs_agree(seed):
    case = Recurrent(seed)
    chosen = case.estimators(("score", "mixed", "leave-one-out")[seed % 3])
    truncation = [*HAZARDS, WINDOWS[1]][seed % 4 % 3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step = scg.compile(case.graph, chosen, backend="numpy", truncate=truncation)
    assert step.rolled is not None
    params, state = case.graph.init(seed=0), step.init(seed=1)
    data = case.data(3)
    noise = step.noise(seed=3, runs=2, data=data)
    a = step(params, noise=noise, data=data, state=state)
    b = step.unrolled({case.t: 3})(params, noise=noise, data=data, state=state)
    assert a.cost == pytest.approx(b.cost, rel=1e-12)
    assert max(gap(a.grads[name], b.grads[name]) for name in params) < 1e-12


def test_the_mean_length_of_segments():
    """With c = (a − 1)/((a − 2) L + l) segments have the mean L: Σ_l Π_{j ≤ l} (1 − c_j) = L."""
    a, mean, count = 4.0, 16.0, 200_000
    lengths = np.arange(1, count)
    survival = np.cumprod(1 - (a - 1) / ((a - 2) * mean + lengths))
    assert 1 + survival.sum() == pytest.approx(mean, rel=1e-6)
    assert np.log(survival[-1] / survival[count // 2]) / np.log(2) == pytest.approx(1 - a, abs=1e-3)


def test_errors_and_warnings():
    g, _ = mixed()
    plain = scg.Graph("plain")
    plain.cost("c", plain.parameter("a", 0.0) ** 2)
    with pytest.raises(scg.EstimatorError, match="has no scan; declare"):
        scg.compile(plain, truncate=scg.ARTBP(mean=4))
    with pytest.raises(scg.EstimatorError, match=r"first derivatives.*order=1"):
        scg.compile(g, truncate=scg.ARTBP(mean=4), order=2)
    with pytest.warns(scg.BiasWarning, match=r"Truncated\(.*allow_biased=True.*ARTBP"):
        scg.compile(g, scg.ScoreFunction(), backend="numpy", truncate=scg.Truncated(2))
    for wrong in (1, 0.5):
        with pytest.raises(scg.EstimatorError, match="mean must be above 1"):
            scg.ARTBP(mean=wrong)
    with pytest.raises(scg.EstimatorError, match="tail must be above 2"):
        scg.ARTBP(mean=4, tail=2)
    with pytest.raises(scg.EstimatorError, match="k must be a positive integer"):
        scg.Truncated(0)
    with pytest.raises(scg.CallError, match="truncate must be a truncation"):
        scg.compile(g, truncate=scg.MuProp())


def test_a_scan_in_a_scan_is_refused():
    g, t, s = scg.Graph("nested"), scg.Time("t", length=2), scg.Time("s", length=2)
    a = g.parameter("a", 0.3)

    def outer(h):
        last, _ = g.scan(lambda x: x * h + a, init=h, over=s, name="inner")
        g.cost("c", last)
        return last

    g.scan(outer, init=0.5, over=t)
    with pytest.raises(
        scg.EstimatorError, match=r"'inner' lies on several ordered plates \(s, t\)"
    ):
        scg.compile(g, truncate=scg.ARTBP(mean=4))


@pytest.mark.parametrize("directions", [(0, 0), (0, 1), (0, 1, 0)], ids=str)
def test_scans_over_the_outputs_of_scans(directions):
    """A path may go forward, back and forward again: each scan has boundaries of its own."""
    g, t = scg.Graph("smoother"), scg.Time("t", length=2)
    a, out = g.parameter("a", 0.4), g.parameter("b", 0.1)
    for i, reverse in enumerate(directions):

        def cell(h, x, i=i):
            z = g.sample(f"z{i}", scg.Bernoulli(logits=a * h + x))
            g.cost(f"c{i}", (z - h) ** 2 * a + h)
            return np.tanh(h * a + z + x * a), z * a + h

        options = {"over": t, "reverse": bool(reverse)}
        if i == 0:
            _, out = g.scan(lambda h, c=cell, b=out: c(h, b), init=0.5, **options)
        else:
            _, out = g.scan(cell, init=0.5, xs=out, **options)
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy", truncate=HAZARDS[0])
    assert largest_bias(step, g, {}) < 1e-10


def test_exact_and_sampled_variances_agree():
    g, data = mixed()
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy", truncate=HAZARDS[1])
    params = g.init(seed=0)
    exact = scg.moments(step, params, data).variance
    out = step(params, seed=5, runs=40_000, data=data)
    for name, variance in exact.items():
        assert out.stderr[name] ** 2 * 40_000 == pytest.approx(variance, rel=0.15)
    whole = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    assert exact["theta"] > 1.1 * scg.moments(whole, params, data).variance["theta"]
    with pytest.raises(scg.CallError, match="belongs to no node"):
        scg.attribute(step, params, data=data)


def test_the_derivation_has_a_line():
    g, _ = mixed()
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy", truncate=HAZARDS[0])
    assert "multiplied by a factor of mean 1" in " ".join(str(step.explain()).split())


def test_references():
    g, _ = mixed()
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy", truncate=HAZARDS[0])
    assert "tallec2017" in str(scg.cite(step))
