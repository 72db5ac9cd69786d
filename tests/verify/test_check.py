"""The check for bias: computed where possible, else sampled with a stated error."""

import math

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import binom

import scg
from scg.estimators.protocol import Draw, Estimator, control_variate, score_draw


def discrete():
    g = scg.Graph("discrete")
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.4)))
    b = g.sample("b", scg.Bernoulli(logits=a * g.parameter("w", [[0.4, -0.9, 0.2]])))
    g.cost("loss", np.sum((b - 0.3) ** 3) * (a + 0.5))
    return g


def continuous():
    g = scg.Graph("continuous")
    z = g.sample("z", scg.Normal(g.parameter("m", 0.3), g.parameter("s", 1.2)))
    g.cost("loss", z**2)
    return g


TYPES = ("float64", "float32")


class Wrong(Estimator):
    """A score function whose baseline looks at the draw."""

    orders = 1

    def draw(self, dist, noise) -> Draw:
        return score_draw(dist, noise)

    def term(self, dist, draw, downstream, memory):
        return control_variate(draw, 0.1 * draw.value)


def no_moments(monkeypatch):
    def refuse(*args):
        raise scg.EnumerationError("too many")

    monkeypatch.setattr("scg.verify.check.moments", refuse)


@pytest.mark.parametrize(
    "estimator",
    [None, scg.ScoreFunction(), scg.LeaveOneOut(), scg.MuProp(), scg.Enumeration()],
    ids=str,
)
@pytest.mark.parametrize("dtype", TYPES)
def test_computed_and_unbiased(estimator, dtype):
    g = discrete()
    report = scg.check(scg.compile(g, estimator, dtype=dtype), g.init(seed=0), seed=0)
    rounding = " up to float32 rounding (1e-04)" if dtype == "float32" else ""
    assert str(report) == f"exact{rounding}: unbiased"
    assert report and report.exact and math.isnan(report.z) and report.runs == 0


def test_computed_and_biased():
    """A baseline of 0.1 a at node a subtracts 0.1 ∇E[a]."""
    g = discrete()
    step = scg.compile(g, {"a": Wrong(), "b": scg.ScoreFunction()})
    report = scg.check(step, g.init(seed=0), seed=0)
    p = 1 / (1 + np.exp(-0.4))
    assert not report
    assert report.bias == pytest.approx(0.1 * p * (1 - p), rel=1e-12)
    assert str(report) == f"exact: biased by {report.bias:.3g} in 't'"


def test_a_bias_within_the_rounding_of_single_precision_is_not_denied():
    """The bias is 0.025 in 2500, which only double precision can tell from rounding."""
    g = scg.Graph()
    g.cost("loss", 1e4 * g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.0))))
    found = [scg.check(scg.compile(g, Wrong(), dtype=d), {"t": 0.0}, seed=0) for d in TYPES]
    assert str(found[0]) == "exact: biased by 0.025 in 't'"
    assert str(found[1]) == "exact up to float32 rounding (1e-04): unbiased"


def test_the_component_is_named():
    g = discrete()
    step = scg.compile(g, {"b": scg.StraightThrough(allow_biased=True)})
    report = scg.check(step, g.init(seed=0), seed=0)
    deviation = np.abs(
        scg.moments(step, g.init(seed=0)).mean["w"] - scg.exact(g, g.init(seed=0)).grads["w"]
    )
    assert report.where == f"'w'[0, {np.argmax(deviation)}]"
    assert report.bias == pytest.approx(deviation.max())


def test_a_bias_far_below_the_noise_is_still_computed():
    """The bias is 0.1 ∇E[a] = 0.025, a single estimate deviates by 2500."""
    g = scg.Graph()
    g.cost("loss", 1e4 * g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.0))))
    assert scg.check(scg.compile(g, scg.ScoreFunction()), g.init(seed=0), seed=0)
    report = scg.check(scg.compile(g, Wrong()), g.init(seed=0), seed=0)
    assert str(report) == "exact: biased by 0.025 in 't'"


def test_sampled_against_the_exact_gradient(monkeypatch):
    no_moments(monkeypatch)
    g = discrete()
    step = scg.compile(g, scg.ScoreFunction())
    report = scg.check(step, g.init(seed=0), seed=2, runs=4000)
    out, truth = step(g.init(seed=0), seed=2, runs=4000), scg.exact(g, g.init(seed=0))
    limit = -ndtri(0.001 / 8)  # two sides of four components
    wanted = [
        np.max(np.abs(out.grads[k] - truth.grads[k]) + limit * out.stderr[k]) for k in ("t", "w")
    ]
    assert report.bound == pytest.approx(max(wanted), rel=1e-9)
    assert str(report) == (
        f"no bias found; |bias| < {report.bound:.2g} at 99.9 % "
        "(4000 runs against the exact gradient)"
    )


def test_sampled_and_biased(monkeypatch):
    no_moments(monkeypatch)
    g = discrete()
    step = scg.compile(g, {"b": scg.StraightThrough(allow_biased=True)})
    report = scg.check(step, g.init(seed=0), seed=2)
    assert not report and report.z > 10
    assert str(report).startswith(f"bias found: z = {report.z:.1f} in 'w'[0, ")


def test_without_exact_gradient_another_estimator_is_the_reference():
    g = continuous()
    step = scg.compile(g, scg.Reparameterization())
    report = scg.check(step, g.init(seed=0), seed=0, runs=3000)
    assert report and not report.exact
    assert report.reference == "LeaveOneOut"
    # two independent samples, both with an error
    out = step(g.init(seed=0), seed=0, runs=3000)
    against = scg.compile(g, scg.LeaveOneOut(samples=4))(g.init(seed=0), seed=(0, 1), runs=3000)
    wanted = [
        abs(out.grads[k] - against.grads[k])
        - ndtri(0.001 / 4) * np.hypot(out.stderr[k], against.stderr[k])
        for k in ("m", "s")
    ]
    assert report.bound == pytest.approx(max(wanted), rel=1e-9)
    other = scg.check(scg.compile(g, scg.LeaveOneOut()), g.init(seed=0), seed=(0, 3), runs=1000)
    assert other.reference == "ScoreFunction"
    # straight-through gives the scale no gradient at all
    biased = scg.compile(g, scg.StraightThrough(allow_biased=True))
    report = scg.check(biased, g.init(seed=0), seed=0)
    assert not report and report.where == "'s'"
    assert report.bias == pytest.approx(2 * 1.2, rel=0.2)


@pytest.mark.statistical
def test_the_bound_holds_as_often_as_it_says(seed, monkeypatch):
    """At a level of 90 % the bound of an unbiased estimator must hold in 90 % of all calls."""
    monkeypatch.setattr("scg.verify.check.LEVEL", 0.9)
    no_moments(monkeypatch)
    g = scg.Graph()
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.3)))
    g.cost("loss", (a - 0.2) ** 2)
    step = scg.compile(g, scg.ScoreFunction())
    found = [not scg.check(step, g.init(seed=0), seed=(seed, i), runs=1000) for i in range(400)]
    # The mean of 1000 zeros and ones is not quite normal: 0.103, summed over the number of ones.
    # By chance below 1e-9; a bound that holds in 70 % or in 99.7 % of all calls is found.
    low, high = binom.interval(1 - 1e-9, 400, 0.103)
    assert low <= sum(found) <= high


def test_a_relaxation_that_quadrature_resolves_is_biased():
    """A temperature of 0.05 bends the gradient where few points lie."""
    g = scg.Graph()
    z = g.sample("z", scg.OneHotCategorical(logits=g.parameter("t", [0.3, -0.2])))
    g.cost("loss", np.sum(z * np.array([0.09, 0.49])) ** 2)
    step = scg.compile(g, scg.GumbelSoftmax(temperature=0.05, allow_biased=True))
    report = scg.check(step, g.init(seed=0), seed=0)
    assert not report and report.biased == ("GumbelSoftmax at 'z'",)
    assert str(report).endswith("GumbelSoftmax at 'z' is biased by design")
    out = step(g.init(seed=0), seed=1, runs=200_000)
    truth = scg.exact(g, g.init(seed=0))
    bias = np.abs(out.grads["t"] - truth.grads["t"]).max()
    assert report.bias == pytest.approx(bias, abs=6 * out.stderr["t"].max())


def test_black_box_costs_are_sampled_and_it_is_said():
    g = scg.Graph()
    z = g.sample("z", scg.Normal(g.parameter("m", 0.3), 1.0))
    g.cost("loss", scg.op(lambda z: float(abs(z - 0.4) < 1e-3), name="bump")(z))
    step = scg.compile(g, scg.ScoreFunction())
    with pytest.raises(scg.EnumerationError, match=r"'bump'.*cannot be located.*scg\.check"):
        scg.moments(step, g.init(seed=0))
    report = scg.check(step, g.init(seed=0), seed=0, runs=2000)
    assert not report.exact and report.runs == 2000 and report.reason


def test_a_truth_that_is_not_finite_is_an_error():
    g = scg.Graph()
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.3)))
    g.cost("loss", np.log(b))
    step = scg.compile(g, scg.ScoreFunction())
    with pytest.raises(scg.CallError, match="exact gradient of 't' is not finite"):
        scg.check(step, g.init(seed=0), seed=0)
    with pytest.raises(scg.CallError, match="exact gradient of 't' is not finite"):
        scg.compare(g, {"s": scg.ScoreFunction()}, g.init(seed=0), runs=9, seed=0)


class Lost(Estimator):
    """A score function whose estimate is not a number for some draws."""

    orders = 1

    def draw(self, dist, noise) -> Draw:
        return score_draw(dist, noise)

    def term(self, dist, draw, downstream, memory):
        return control_variate(draw, np.log(draw.value - 0.5))


@pytest.mark.parametrize("sampled", [False, True])
def test_an_estimate_that_is_not_finite_is_an_error(sampled, monkeypatch):
    if sampled:
        no_moments(monkeypatch)
    g = scg.Graph()
    g.cost("loss", g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.3))))
    with pytest.raises(scg.CallError, match="estimate of 't' is not finite"):
        scg.check(scg.compile(g, Lost()), g.init(seed=0), seed=0)


def test_notebook_view():
    g = discrete()
    page = scg.check(scg.compile(g, scg.ScoreFunction()), g.init(seed=0), seed=0)._repr_html_()
    assert "exact: unbiased" in page and page.startswith("<table>")


def test_state_is_used():
    g = discrete()
    step = scg.compile(g, scg.ScoreFunction(baseline=scg.baselines.MovingAverage()))
    state = step(g.init(seed=0), seed=1, runs=9).state
    assert str(scg.check(step, g.init(seed=0), seed=0, state=state)) == "exact: unbiased"


def test_a_graph_without_parameters():
    g = scg.Graph()
    g.cost("loss", g.sample("a", scg.Bernoulli(probs=0.5)))
    assert str(scg.check(scg.compile(g), {}, seed=0)) == "exact: unbiased"


def test_messages():
    g = continuous()
    step = scg.compile(g)
    with pytest.raises(scg.CallError, match="runs=1 is too few"):
        scg.check(step, g.init(seed=0), seed=0, runs=1)
    with pytest.raises(scg.CallError, match="seed"):
        scg.check(step, g.init(seed=0), seed=0.5)


def test_rounding_of_a_gradient_of_zero_is_no_bias():
    """All matchings but one are masked out; the exact gradient is rounded, the estimate is 0."""
    g, plate = scg.Graph(), scg.Plate("p", reduce="sum")
    t, m = g.parameter("t", np.linspace(-0.3, 0.5, 4)), g.data("m", shape=4, plates=plate)
    x = g.sample("x", scg.Matching(np.reshape(t + m, (2, 2))), plates=plate)
    weights = np.cos(np.arange(4.0)).reshape(2, 2)
    g.cost("loss", np.sum(weights * x) ** 2 + x.log_prob())
    g.cost("mixed", np.tanh(scg.plate_sum(np.sum(weights * x), plate)))
    mask = np.array([[0.0, -np.inf, 0.0, 0.0], [-np.inf, 0.0, 0.0, 0.0]])
    found = scg.check(scg.compile(g, scg.GO(), backend="numpy"), g.init(seed=0), 0, {"m": mask})
    assert found and found.exact and found.bias < 1e-15


def test_an_empty_plate_that_a_cost_mixes_has_one_outcome():
    """The cost is θ² there, whatever the nodes on the plate are."""
    g = scg.Graph("empty")
    plate, theta = scg.Plate("rows", reduce="sum"), g.parameter("theta", 0.3)
    x = g.data("x", plates=plate)
    b = g.sample("b", scg.Bernoulli(logits=theta * x))
    o = g.sample("o", scg.OneHotCategorical(logits=theta * x + np.arange(3.0)))
    g.cost("cost", (theta + scg.plate_sum(b + o[1], plate)) ** 2)
    data = {"x": np.zeros(0)}
    truth = scg.exact(g, {"theta": 0.3}, data)
    assert (truth.cost, truth.grads["theta"], truth.outcomes) == (0.3**2, 0.6, 1)
    found = scg.check(scg.compile(g, scg.ScoreFunction()), {"theta": 0.3}, 0, data)
    assert found
    assert found.exact
