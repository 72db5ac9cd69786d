"""Law 7: ``stop_gradient`` cuts credit of both kinds, and jumps are never differentiated."""

import math
import warnings

import numpy as np
import pytest

import scg

from .choices import (
    CHOICES,
    DISCRETE,
    SMOOTH,
    assert_close,
    assert_unbiased,
    compiled,
    moments,
    quiet_exact,
)
from .graphs import ROWS, STOP_BOTH, STOPS
from .oracle_moments import score_moments


@pytest.mark.parametrize("row", [*STOPS, *STOP_BOTH], ids=str)
def test_exact_equals_the_oracle(row):
    truth = quiet_exact(row)
    assert float(truth.cost) == pytest.approx(row.cost, abs=DISCRETE)
    assert_close(truth.grads, row.grads, DISCRETE, "grads")


@pytest.mark.parametrize("row", STOPS, ids=str)
def test_a_stopped_cost_adds_no_variance(row):
    m = moments(scg.compile(row.build(), estimator=scg.ScoreFunction()), row)
    mean, variance = score_moments(row.model, row.params)
    assert_close(m.mean, mean, DISCRETE, "mean")
    assert_close(m.variance, variance, DISCRETE, "variance")


@pytest.mark.parametrize("first", ["score", "loo2", "muprop", "enumeration"])
@pytest.mark.parametrize("second", ["score+selfcritical", "loo2", "muprop-rollout", "enumeration"])
def test_pairs_across_a_stop(first, second):
    row = ROWS["node_below_stop"]
    classes = {"a": first, "b": second, "c": "score"}
    assert_unbiased(row, compiled(row, classes))


@pytest.mark.parametrize(
    "name", ["score", "score+moving", "loo2", "loo3", "muprop", "muprop-rollout", "enumeration"]
)
def test_a_node_on_both_kinds_of_path_gets_full_credit_and_a_warning(name):
    row = ROWS["stop_both_paths"]
    with pytest.warns(scg.StopWarning, match="'b'"):
        step = compiled(row, name)
    assert_unbiased(row, step)


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", ["score", "muprop", "rebar"])
def test_a_stop_before_a_draw_is_no_stop_for_a_relaxed_replay(name, order):
    """a reaches the cost openly, and through b's stopped parameter: all of it is a's credit."""
    g = scg.Graph("below")
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.3)))
    b = g.sample("b", scg.Bernoulli(logits=1.3 * scg.stop_gradient(a) - 0.4))
    g.cost("c", (b - 0.3 * a) ** 3 + a * b)
    with pytest.warns(scg.StopWarning, match="'a'"):
        step = scg.compile(g, CHOICES[name](g), order=order)
    m = scg.moments(step, {"t": 0.3})
    p, q = (1 / (1 + np.exp(-x)) for x in (0.3, np.array([-0.4, 0.9])))
    c = (1 - q) * np.array([0.0, -0.027]) + q * np.array([1.0, 1.343])
    assert float(m.mean["t"]) == pytest.approx(p * (1 - p) * (c[1] - c[0]), abs=1e-9)
    if order == 2:
        second = p * (1 - p) * (1 - 2 * p) * (c[1] - c[0])
        assert float(m.hessian["t"]["t"]) == pytest.approx(second, abs=1e-9)


def test_a_jump_behind_a_stop_counts_where_the_cost_is_credited():
    """The relaxed cost would miss the jump of the stopped part; a cost without credit may jump."""

    def jumping_twice(*costs):
        g = scg.Graph("jumps")
        b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.3)))
        jump = scg.stop_gradient(scg.where(b > 0.5, 2.0, 1.0))
        for name, cost in costs:
            g.cost(name, cost(b, jump))
        return scg.compile(g, scg.REBAR())

    m = scg.moments(jumping_twice(("open", lambda b, _: b**3), ("cut", lambda _, j: j)), {"t": 0.3})
    p = 1 / (1 + math.exp(-0.3))
    assert float(m.mean["t"]) == pytest.approx(p * (1 - p), abs=1e-9)
    with pytest.raises(scg.EstimatorError, match="a path to its costs is not continuous"):
        jumping_twice(("both", lambda b, j: b * j))


@pytest.mark.parametrize("row", STOPS, ids=str)
def test_no_warning_where_paths_do_not_mix(row):
    with warnings.catch_warnings():
        warnings.simplefilter("error", scg.StopWarning)
        scg.compile(row.build(), estimator=scg.ScoreFunction())


def product_with_its_stop():
    g = scg.Graph("product")
    x = g.sample("x", scg.Normal(g.parameter("m", 0.6), 1.0))
    g.cost("square", x * scg.stop_gradient(x))
    return g


def test_on_both_kinds_of_path_pathwise_and_score_differ_as_the_warning_says():
    """E[x stop(x)] = m² + 1: the score sees 2m, the open path alone m."""
    for estimator, slope in ((scg.Reparameterization(), 0.6), (scg.ScoreFunction(), 1.2)):
        with pytest.warns(scg.StopWarning, match="'x'"):
            step = scg.compile(product_with_its_stop(), estimator=estimator)
        m = scg.moments(step, {"m": np.array(0.6)})
        assert float(m.cost) == pytest.approx(1.36, abs=SMOOTH)
        assert float(m.mean["m"]) == pytest.approx(slope, abs=SMOOTH)


# --- continuity ----------------------------------------------------------------------------------
MEAN = 0.3
DENSITY = math.exp(-0.5 * MEAN**2) / math.sqrt(2 * math.pi)
TRUTH = 2 * MEAN + 3 * DENSITY  # d/dm of m² + 1 + 3 Φ(m)

JUMPS = {
    "where": lambda x: np.where(x > 0, 3.0, 0.0),
    "product": lambda x: 3.0 * (x > 0),
    "swapped": lambda x: np.where(0 >= x, 0.0, 3.0),
}


def jumping(kind):
    g = scg.Graph("jump")
    x = g.sample("x", scg.Normal(g.parameter("m", MEAN), 1.0))
    g.cost("loss", x**2 + JUMPS[kind](x))
    return g


@pytest.mark.parametrize("kind", JUMPS)
def test_a_jump_is_scored_not_differentiated(kind):
    step = scg.compile(jumping(kind), estimator=scg.ScoreFunction())
    m = scg.moments(step, {"m": np.array(MEAN)})
    assert float(m.mean["m"]) == pytest.approx(TRUTH, abs=SMOOTH)
    value = MEAN**2 + 1 + 1.5 * (1 + math.erf(MEAN / math.sqrt(2)))
    assert float(m.cost) == pytest.approx(value, abs=SMOOTH)


@pytest.mark.parametrize("kind", JUMPS)
def test_the_automatic_plan_does_not_reparameterize_a_jump(kind):
    plan = str(scg.compile(jumping(kind)).plan)
    assert "Reparameterization" not in plan
    assert "LeaveOneOut" in plan
    two = scg.compile(jumping(kind), estimator=scg.LeaveOneOut(samples=2))
    m = scg.moments(two, {"m": np.array(MEAN)})
    assert float(m.mean["m"]) == pytest.approx(TRUTH, abs=SMOOTH)


@pytest.mark.parametrize("kind", JUMPS)
def test_reparameterizing_a_jump_is_an_error_that_names_the_comparison(kind):
    with pytest.raises(scg.EstimatorError, match=r"greater|less") as caught:
        scg.compile(jumping(kind), estimator=scg.Reparameterization())
    message = str(caught.value)
    assert "'x'" in message
    assert "Reparameterization" in message
    assert "LeaveOneOut" in message, "the error must name estimators that fit"


def test_kinks_are_continuous():
    """relu, abs and max may be reparameterized: their derivative misses nothing."""
    g = scg.Graph("kinks")
    x = g.sample("x", scg.Normal(g.parameter("m", MEAN), 1.0))
    g.cost("loss", scg.relu(x) + np.abs(x) + np.maximum(x, 0.0))
    step = scg.compile(g, estimator=scg.Reparameterization())
    m = scg.moments(step, {"m": np.array(MEAN)})
    below = 0.5 * (1 + math.erf(MEAN / math.sqrt(2)))
    # d/dm E[relu] = Φ(m), d/dm E|x| = 2 Φ(m) - 1
    assert float(m.mean["m"]) == pytest.approx(2 * below + 2 * below - 1, abs=SMOOTH)


@pytest.mark.parametrize("estimator", [scg.MuProp(), scg.MuProp("rollout"), scg.DoubleCV()])
def test_a_node_without_a_mean_below_a_stop_stays_as_drawn(estimator):
    """Neither the credited cost nor the mean-field pass of that cost depends on it."""
    g = scg.Graph("stopped")
    w = g.parameter("w", np.array([0.4, -0.3, 0.8]))
    a = g.sample("a", scg.Bernoulli(logits=w[0]))
    below = scg.stop_gradient(a)
    k = g.sample("k", scg.Categorical(logits=np.stack([below, w[0], w[1] * below])))
    g.cost("credited", (a - 0.3) ** 2 * w[2])
    g.cost("stopped", w[k])
    params = g.init(seed=0)
    step = scg.compile(g, {"a": estimator, "k": scg.ScoreFunction()})
    truth, found = scg.exact(g, params), scg.moments(step, params)
    np.testing.assert_allclose(found.mean["w"], truth.grads["w"], atol=1e-10)
