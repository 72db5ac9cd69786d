"""Exact moments against closed forms, and what they refuse."""

import copy
import math
import pickle
import sys

import numpy as np
import pytest

import scg


def normal_graph(cost, mean=0.3):
    g = scg.Graph("normal")
    x = g.sample("x", scg.Normal(g.parameter("mu", mean), 1.0))
    g.cost("cost", cost(x))
    return g


def moments(g, estimator, **options):
    return scg.moments(scg.compile(g, estimator), g.init(seed=0), **options)


def test_score_function_of_a_coin():
    g = scg.Graph("coin")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("cost", (b - 0.3) ** 2)
    p = 1.0 / (1.0 + math.exp(-0.4))
    values = {1: 0.49 * (1.0 - p), 0: 0.09 * -p}
    mean = p * values[1] + (1 - p) * values[0]
    variance = p * values[1] ** 2 + (1 - p) * values[0] ** 2 - mean**2
    m = moments(g, scg.ScoreFunction())
    assert m.outcomes == 2 and m.error == 0.0
    assert m.mean["theta"] == pytest.approx(mean, abs=1e-15)
    assert m.variance["theta"] == pytest.approx(variance, abs=1e-15)


def test_the_table_lists_draws_probabilities_and_gradients():
    g = scg.Graph("coin")
    b = g.sample("b", scg.Bernoulli(probs=0.25 + 0.0 * g.parameter("theta", 0.0)))
    g.cost("cost", 2.0 * b)
    head, first, second = moments(g, scg.ScoreFunction()).table().splitlines()
    with pytest.raises(
        scg.CallError, match=r"moments\.table: rows must be a positive integer, got"
    ):
        moments(g, scg.ScoreFunction()).table("all")
    assert head.split() == ["probability", "b", "cost", "∂/∂theta"]
    assert {first.split()[0], second.split()[0]} == {"0.250000", "0.750000"}
    assert {tuple(line.split()[1:3]) for line in (first, second)} == {("1", "2"), ("0", "0")}


@pytest.fixture(scope="module")
def pair():
    g = scg.Graph("pair")
    t = g.parameter("t", [0.4, -0.3])
    w = g.parameter("w", 0.7)
    b = g.sample("b", scg.Bernoulli(logits=t))
    g.cost("cost", np.sum((b - 0.3) ** 2) * w + b[0] * b[1])
    return moments(g, scg.LeaveOneOut(samples=2))


def test_rows_are_arrays_of_all_outcomes(pair):
    rows = pair.rows()
    assert rows.outcome["b"].shape == (16, 2, 2) and rows.estimate["t"].shape == (16, 2)
    assert rows.probability.sum() == pytest.approx(1.0, abs=1e-15)
    assert rows.probability @ rows.cost == pytest.approx(pair.cost, abs=1e-14)
    for name, values in rows.estimate.items():
        mean = np.tensordot(rows.probability, values, 1)
        np.testing.assert_allclose(mean, pair.mean[name], atol=1e-14)
        square = np.tensordot(rows.probability, values**2, 1) - mean**2
        np.testing.assert_allclose(square, pair.variance[name], atol=1e-14)


def test_covariances_are_those_of_the_outcomes(pair):
    rows, covariance = pair.rows(), pair.covariance
    flat = np.concatenate([rows.estimate["t"], rows.estimate["w"][:, None]], axis=1)
    expected = np.cov(flat.T, aweights=rows.probability, ddof=0)
    np.testing.assert_allclose(covariance["t"]["t"], expected[:2, :2], atol=1e-13)
    np.testing.assert_allclose(covariance["t"]["w"], expected[:2, 2], atol=1e-13)
    np.testing.assert_allclose(covariance["w"]["t"], expected[2, :2], atol=1e-13)
    assert covariance["w"]["w"] == pytest.approx(pair.variance["w"], abs=1e-13)


def test_covariances_of_integrated_noise():
    """x = μ + σ ε, cost x²: the pathwise gradient is (2x, 2xε), of covariance 4 μ σ."""
    g = scg.Graph("normal")
    x = g.sample("x", scg.Normal(g.parameter("mu", 0.3), g.parameter("sigma", 1.2)))
    g.cost("cost", x**2)
    m = moments(g, scg.Reparameterization())
    assert m.covariance["mu"]["sigma"] == pytest.approx(4 * 0.3 * 1.2, abs=1e-7)
    assert m.covariance["sigma"]["sigma"] == pytest.approx(m.variance["sigma"], abs=1e-7)
    with pytest.raises(scg.EnumerationError, match="no separate outcomes"):
        m.rows()


def test_the_plot_shows_the_distribution_of_each_component(pair, tmp_path):
    figure = pair.plot(tmp_path / "outcomes.png")
    assert [axes.get_title() for axes in figure.axes] == ["∂/∂t[0]", "∂/∂t[1]", "∂/∂w"]
    bars = figure.axes[2].collections[0].get_segments()
    assert sum(bar[1][1] for bar in bars) == pytest.approx(1.0, abs=1e-12)
    assert (tmp_path / "outcomes.png").stat().st_size > 1000


def test_pathwise_and_score_function_of_a_square():
    """x ~ N(μ, 1), f = x²: pathwise 2x has variance 4; the score's is E[x⁴ε²] − (2μ)²."""
    mu = 0.3
    assert moments(normal_graph(np.square), scg.Reparameterization()).variance["mu"] == (
        pytest.approx(4.0, abs=1e-9)
    )
    score = moments(normal_graph(np.square), scg.ScoreFunction())
    fourth = mu**4 + 6 * mu**2 * 3 + 15  # E[(μ + ε)⁴ ε²], odd moments vanish
    assert score.mean["mu"] == pytest.approx(2 * mu, abs=1e-9)
    assert score.variance["mu"] == pytest.approx(fourth - 4 * mu**2, abs=1e-8)


def test_a_threshold_in_a_normal_is_found():
    g = normal_graph(lambda x: np.where(x > 0.5, 1.0, 0.0))
    density = math.exp(-0.5 * 0.2**2) / math.sqrt(2 * math.pi)
    m = moments(g, scg.ScoreFunction())
    assert m.mean["mu"] == pytest.approx(density, abs=1e-9)


def test_an_unbounded_count_is_summed():
    """n ~ Poisson(λ): the score's mean for (n − 1.2)² is λ (2 λ + 1 − 2.4) in log λ."""
    g = scg.Graph("count")
    n = g.sample("n", scg.Poisson(rate=np.exp(g.parameter("t", 0.3))))
    g.cost("cost", (n - 1.2) ** 2)
    rate = math.exp(0.3)
    m = moments(g, scg.ScoreFunction())
    assert m.cost == pytest.approx((rate - 1.2) ** 2 + rate, abs=1e-12)
    assert abs(m.mean["t"] - rate * (2.0 * rate - 1.4)) <= m.error < 1e-9


def test_too_many_outcomes_are_refused():
    g = scg.Graph("wide")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", np.zeros(25))))
    g.cost("cost", np.sum(b) ** 2)
    with pytest.raises(scg.EnumerationError, match="too many for exact moments"):
        moments(g, scg.ScoreFunction())


def test_the_largest_number_of_outcomes_is_what_the_caller_says():
    g = scg.Graph("three")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", np.zeros(3))))
    g.cost("cost", np.sum(b) ** 2)
    step = scg.compile(g, scg.ScoreFunction())
    assert scg.moments(step, g.init(seed=0), limit=8).outcomes == 8
    with pytest.raises(scg.EnumerationError, match="more than 7 joint outcomes"):
        scg.moments(step, g.init(seed=0), limit=7)


def test_implicit_gradient_of_a_gamma():
    """E[x] = α/β: the pathwise mean is 1/β in α and −α/β² in β."""
    g = scg.Graph("gamma")
    x = g.sample("x", scg.Gamma(g.parameter("a", 2.5), g.parameter("b", 1.5)))
    g.cost("cost", x)
    m = moments(g, scg.Reparameterization())
    assert m.mean["a"] == pytest.approx(1 / 1.5, abs=1e-6)
    assert m.mean["b"] == pytest.approx(-2.5 / 1.5**2, abs=1e-6)


def test_a_parameter_without_elements():
    g = scg.Graph("empty")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("w", np.zeros(0))))
    g.cost("cost", np.sum(b))
    m = moments(g, scg.ScoreFunction())
    assert m.mean["w"].shape == m.variance["w"].shape == (0,)
    assert m.by_node() == {"b": 0.0} and m.covariance["w"]["w"].shape == (0, 0)


# --- results as values ----------------------------------------------------------------------------
@pytest.mark.parametrize("limit", [1 << 20, 1])
def test_later_numbers_are_those_of_the_call(monkeypatch, limit):
    """Parameters updated in place change neither a Hessian nor a covariance computed afterwards."""
    monkeypatch.setattr(sys.modules[scg.exact.__module__], "LIMIT", limit)
    g, batch = scg.Graph("later"), scg.Plate("batch")
    x, theta = g.data("x", plates=batch), g.parameter("theta", [0.3, -0.8])
    b = g.sample("b", scg.Bernoulli(logits=theta * x))
    g.cost("loss", (np.sum(b) - x) ** 2)
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    params, data = g.init(seed=0), {"x": np.array([0.5, 1.5])}
    found = [(scg.exact(g, params, data), scg.moments(step, params, data)) for _ in range(2)]
    truth, moments = found[0]
    expected = truth.hessian["theta"]["theta"], moments.covariance["theta"]["theta"]
    params["theta"] += 1.0
    data["x"] *= 2.0
    truth, moments = found[1]
    np.testing.assert_array_equal(truth.hessian["theta"]["theta"], expected[0])
    np.testing.assert_array_equal(moments.covariance["theta"]["theta"], expected[1])
    for copied in (copy.deepcopy(truth), pickle.loads(pickle.dumps(found[1][0]))):
        np.testing.assert_array_equal(copied.hessian["theta"]["theta"], expected[0])
    again = copy.deepcopy(moments)
    assert again.mean["theta"] is not moments.mean["theta"]
    np.testing.assert_array_equal(again.covariance["theta"]["theta"], expected[1])
    with pytest.raises(TypeError, match=r"a step of graph 'later' cannot be pickled, .* arrays"):
        pickle.dumps(moments)
