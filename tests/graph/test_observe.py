"""Observations and masks: costs that are summed, and elements that are not there."""

import numpy as np
import pytest
import scipy.stats

import scg

PARAMS = {"mu": np.array(0.3), "s": np.array(1.5)}
X = np.array([0.4, -1.0, 2.0, 0.1])


def normal(plate, mask=False, shape=()):
    g = scg.Graph("normal")
    law = scg.Normal(g.parameter("mu", 0.0) * np.ones(shape), g.parameter("s", 1.0))
    there = g.data("there", shape=shape, plates=plate, kind="int") if mask else None
    g.observe("seen", law, g.data("x", shape=shape, plates=plate), mask=there)
    return g


def reference(x):
    return -scipy.stats.norm(PARAMS["mu"], PARAMS["s"]).logpdf(x)


@pytest.mark.parametrize(
    ("options", "factor"),
    [({}, 1.0), ({"reduce": "mean"}, 1 / 4), ({"reduce": "sum"}, 1.0), ({"size": 40}, 10.0)],
)
def test_an_observation_is_summed_unless_its_plate_says_otherwise(options, factor):
    g = normal(scg.Plate("batch", **options))
    out = scg.compile(g)(PARAMS, seed=1, x=X)
    np.testing.assert_allclose(out.cost, factor * reference(X).sum(), rtol=1e-13)
    slope = -factor * np.sum((X - 0.3) / 1.5**2)
    np.testing.assert_allclose(out.grads["mu"], slope, rtol=1e-12)
    np.testing.assert_allclose(scg.exact(g, PARAMS, {"x": X}).cost, out.cost, rtol=1e-13)


def test_a_mask_takes_elements_away():
    there = np.array([1, 0, 0, 1])
    out = scg.compile(normal(scg.Plate("batch"), mask=True))(PARAMS, seed=1, x=X, there=there)
    alone = scg.compile(normal(scg.Plate("batch")))(PARAMS, seed=1, x=X[there == 1])
    np.testing.assert_allclose(out.cost, alone.cost, rtol=1e-13)
    for name in PARAMS:
        np.testing.assert_allclose(out.grads[name], alone.grads[name], rtol=1e-12)


def test_a_mask_of_the_event_shape_takes_coordinates_away():
    there = np.array([[1, 0], [1, 1]])
    x = X.reshape(2, 2)
    out = scg.compile(normal(scg.Plate("batch"), True, (2,)))(PARAMS, seed=1, x=x, there=there)
    np.testing.assert_allclose(out.cost, np.sum(reference(x) * there), rtol=1e-13)


def test_ragged_sequences_get_the_credit_of_their_length():
    """A padded batch has the objective and gradient of the two sequences one after the other."""

    def build(length, masked):
        g = scg.Graph("ragged")
        time = scg.Plate("time", length=length, reduce="sum")
        b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.0)), plates=time)
        there = g.data("there", plates=time) if masked else None
        g.cost("loss", (b - 0.3) ** 3, mask=there)
        return g

    padded = scg.exact(build(5, True), {"t": 0.4}, {"there": np.array([1.0, 1, 1, 0, 0])})
    short = scg.exact(build(3, False), {"t": 0.4})
    np.testing.assert_allclose(padded.cost, short.cost, rtol=1e-12)
    np.testing.assert_allclose(padded.grads["t"], short.grads["t"], rtol=1e-12)
    step = scg.compile(build(5, True), scg.ScoreFunction())
    moments = scg.moments(step, {"t": 0.4}, {"there": np.array([1.0, 1, 1, 0, 0])})
    np.testing.assert_allclose(moments.mean["t"], short.grads["t"], rtol=1e-10)
    alone = scg.moments(scg.compile(build(3, False), scg.ScoreFunction()), {"t": 0.4})
    np.testing.assert_allclose(moments.variance["t"], alone.variance["t"], rtol=1e-10)


def test_an_observation_survives_writing_and_reading():
    g = normal(scg.Plate("batch"), mask=True)
    h = scg.Graph.from_json(g.to_json())
    data = {"x": X, "there": np.array([1, 0, 1, 1])}
    both = [scg.compile(graph)(PARAMS, seed=1, data=data).cost for graph in (g, h)]
    assert both[0] == both[1]


def test_explain_says_how_an_observation_enters():
    g = normal(scg.Plate("batch"))
    assert "sum over batch" in str(scg.compile(g).explain())


def test_a_masked_mean_divides_by_all_or_by_what_is_there():
    """Three sequences of lengths 1, 2, 3: as declared, and as the docstring of cost says."""
    there = np.tril(np.ones((3, 3)))
    f = np.arange(9.0).reshape(3, 3)

    def gradient(observed_only):
        g = scg.Graph("ragged")
        both = (scg.Plate("batch"), scg.Plate("time"))
        mask, weight = g.data("there", plates=both), g.data("f", plates=both)
        b = g.sample("b", scg.Bernoulli(probs=g.parameter("p", 0.3)), plates=both)
        value = weight * b
        if observed_only:
            value = value / scg.plate_mean(mask, both)
        g.cost("loss", value, mask=mask)
        truth = scg.exact(g, {"p": 0.3}, {"there": there, "f": f})
        step = scg.compile(g, scg.ScoreFunction())
        moments = scg.moments(step, {"p": 0.3}, {"there": there, "f": f})
        np.testing.assert_allclose(moments.mean["p"], truth.grads["p"])
        return truth.grads["p"], moments.variance["p"]

    every, _ = gradient(False)
    present, variance = gradient(True)
    np.testing.assert_allclose(every, np.sum(f * there) / 9)
    np.testing.assert_allclose(present, np.mean(f[there > 0]))
    # each draw is credited with its own element alone: Σ Var(w b (b − p) / (p (1 − p)))
    np.testing.assert_allclose(variance, np.sum((f[there > 0] / 6) ** 2) * (1 / 0.3 - 1))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["observed", "pathwise", "scored"])
def test_a_scale_that_a_computation_makes_negative(kind, dtype):
    """Without check_finite: what parameters alone decide is checked in every call."""
    g = scg.Graph()
    law = scg.Normal(0.0, g.parameter("s", 4.0) - 3.0)
    if kind == "observed":
        g.observe("z", law, 0.5)
    else:
        g.cost("c", g.sample("z", law) ** 2)
    estimator = scg.ScoreFunction() if kind == "scored" else scg.Reparameterization()
    step = scg.compile(g, None if kind == "observed" else estimator, dtype=dtype, backend="numpy")
    assert np.isfinite(step({"s": 4.0}, seed=0).cost)
    with pytest.raises(scg.CallError, match=r"'z' \(Normal\): scale must be positive, got -2"):
        step({"s": 1.0}, seed=0)
    with pytest.raises(scg.CallError, match="scale must be positive"):
        step.bind({"s": 3.0})


def test_what_is_known_to_be_positive_is_not_computed_twice():
    from scg.run.checks import checks_of

    g = scg.Graph()
    s, w = g.parameter("s", 1.0), g.data("w", 2)
    g.observe("a", scg.Normal(0.0, np.exp(s)), 1.0)
    g.observe("b", scg.Normal(0.0, scg.softplus(s)), 1.0)
    g.observe("c", scg.Normal(0.0, w @ w + s), 1.0)
    assert checks_of(g).computed == []


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("runs", [1, 7])
def test_a_nan_cost_is_explained_by_an_invalid_argument(backend, runs):
    """Data or samples make the scale negative, and a cost contains its logarithm."""
    days = scg.Plate("days")
    g = scg.Graph()
    g.observe("o", scg.Normal(0.0, g.data("s", plates=days) - 3.0), 0.5)
    step = scg.compile(g, backend=backend)
    with pytest.raises(
        scg.CallError, match=r"'o' \(Normal\): scale must be positive, got -0.5 at index 1"
    ):
        step({}, seed=0, runs=runs, s=[4.0, 2.5])
    g = scg.Graph()
    z = g.sample("z", scg.Normal(g.parameter("m", -9.0), 1.0))
    x = g.sample("x", scg.Normal(0.0, z))
    g.cost("c", x.log_prob())
    step = scg.compile(g, scg.ScoreFunction(), backend=backend)
    assert np.isfinite(step({"m": 9.0}, seed=0, runs=runs).cost)
    with pytest.raises(scg.CallError, match=r"'x' \(Normal\): scale must be positive, got -.* run"):
        step({"m": -9.0}, seed=0, runs=runs)
    g = scg.Graph()
    g.cost("c", np.log(g.data("v")))
    assert np.isnan(scg.compile(g, backend=backend)({}, seed=0, v=-1.0).cost)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("x", [0.0, 1.0])
def test_a_weibull_scale_of_zero_is_the_same_error_in_both_backends(backend, x):
    g = scg.Graph()
    g.observe("o", scg.Weibull(g.data("s") - 3.0, g.parameter("k", 2.0)), x)
    with pytest.raises(scg.CallError, match=r"'o' \(Weibull\): scale must be positive, got 0. in"):
        scg.compile(g, backend=backend)({"k": 2.0}, seed=0, s=3.0)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_nan_may_mark_what_is_missing(backend):
    g = scg.Graph("missing")
    x = g.data("x", plates=scg.Plate("days"))
    g.observe("seen", scg.Normal(g.parameter("mu", 0.3), 1.0), x, mask=~np.isnan(x))
    step, params = scg.compile(g, backend=backend), g.init(seed=0)
    found, expected = (step(params, seed=0, x=x) for x in ([1.0, np.nan, 2.0], [1.0, 2.0]))
    assert found.cost == pytest.approx(expected.cost, rel=1e-15)
    assert found.grads["mu"] == expected.grads["mu"]
