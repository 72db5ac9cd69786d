"""Curves along a parameter, a datum and an option: against closed forms, as rows and pictures."""

import sys

import numpy as np
import pytest

import scg

THETA = np.linspace(-2.0, 2.0, 5)
CHOICE = {
    "score": scg.ScoreFunction(),
    "loo": scg.LeaveOneOut(samples=2),
    "st": scg.StraightThrough(),
}


def coin(target=0.3):
    g = scg.Graph("coin")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("cost", (b - target) ** 2)
    return g


@pytest.fixture(scope="module")
def curves():
    return scg.sweep(coin(), CHOICE, over={"theta": THETA})


def closed_forms(theta, target=0.3):
    """Truth, mean of straight-through and variance of the score: sums over two outcomes."""
    p = 1.0 / (1.0 + np.exp(-theta))
    f1, f0, q = (1.0 - target) ** 2, target**2, p * (1.0 - p)
    truth = q * (f1 - f0)
    straight = q * (p * 2.0 * (1.0 - target) - (1.0 - p) * 2.0 * target)
    score = p * (f1 * (1.0 - p)) ** 2 + (1.0 - p) * (f0 * p) ** 2 - truth**2
    return truth, straight, score


def test_curves_are_the_closed_forms(curves):
    truth, straight, score = closed_forms(THETA)
    np.testing.assert_allclose(curves.truth["theta"], truth, atol=1e-14)
    for name in ("score", "loo"):
        assert curves[name].unbiased
        np.testing.assert_allclose(curves[name].mean["theta"], truth, atol=1e-14)
        np.testing.assert_allclose(curves[name].bias2, 0.0, atol=1e-28)
    np.testing.assert_allclose(curves["score"].variance, score, atol=1e-14)
    np.testing.assert_allclose(curves["st"].mean["theta"], straight, atol=1e-14)
    np.testing.assert_allclose(curves["st"].bias2, (straight - truth) ** 2, atol=1e-14)
    assert not curves["st"].unbiased and curves.exact


def test_errors_compare_at_equal_evaluations(curves):
    """The mean of n/e runs of e evaluations each has the variance of one run times e/n."""
    assert list(curves["loo"].evaluations) == [2] * 5
    np.testing.assert_array_equal(curves["loo"].mse(1000), curves["loo"].variance * 2 / 1000)
    st = curves["st"]
    np.testing.assert_array_equal(st.mse(1000), st.bias2 + st.variance / 1000)


def test_rows_frame_and_dict_hold_the_same_numbers(curves):
    rows = curves.rows(evaluations=10)
    frame = curves.to_frame(evaluations=10)
    assert len(rows) == len(frame) == 15
    last = frame.iloc[-1]
    assert (last["estimator"], last["theta"]) == ("st", 2.0)
    assert last["mse"] == rows[-1]["mse"] == curves["st"].mse(10)[-1]
    assert last["mean theta"] == curves["st"].mean["theta"][-1]
    values = curves.to_dict()
    assert values["over"]["theta"] == list(THETA)
    assert values["curves"]["loo"]["variance"] == curves["loo"].variance.tolist()
    assert "st (BIASED)" in str(curves) and "<table" in curves._repr_html_()


def test_a_class_takes_the_values_of_its_option():
    choice = {"relaxed": scg.GumbelSoftmax, "score": scg.ScoreFunction()}
    curves = scg.sweep(coin(), choice, over={"temperature": [0.2, 1.0]})
    for i, temperature in enumerate((0.2, 1.0)):
        fixed = {"one": scg.GumbelSoftmax(temperature=temperature)}
        one = scg.sweep(coin(), fixed, over={"theta": [0.4]})["one"]
        assert one.variance[0] == curves["relaxed"].variance[i]
    assert np.ptp(curves["score"].variance) == 0.0 < np.ptp(curves["relaxed"].variance)


def test_evaluations_follow_the_option():
    curves = scg.sweep(coin(), {"loo": lambda k: scg.LeaveOneOut(samples=k)}, over={"k": [2, 3, 4]})
    assert list(curves["loo"].evaluations) == [2, 3, 4]
    np.testing.assert_allclose(np.diff(curves["loo"].mse()), 0.0, atol=0.02)


def test_data_and_several_names_are_swept_together():
    g = scg.Graph("target")
    t = g.data("t")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", np.zeros(2))))
    g.cost("cost", np.sum((b - t) ** 2))
    curves = scg.sweep(g, CHOICE, over={"t": [0.3, 0.4], "theta": [-1.0, 1.0]})
    for i, (target, theta) in enumerate(((0.3, -1.0), (0.4, 1.0))):
        truth = closed_forms(theta, target)[0]
        np.testing.assert_allclose(curves.truth["theta"][i], [truth, truth], atol=1e-14)
    assert list(curves.over["t"]) == [0.3, 0.4]


def test_where_no_node_can_be_enumerated_the_truth_is_an_unbiased_mean():
    """x ~ N(μ, 1), f = x²: the gradient is 2 μ, pathwise with variance 4."""
    g = scg.Graph("normal")
    x = g.sample("x", scg.Normal(g.parameter("mu", 0.3), 1.0))
    g.cost("cost", x**2)
    curves = scg.sweep(g, {"path": scg.Reparameterization()}, over={"mu": [-1.0, 0.5]})
    np.testing.assert_allclose(curves.truth["mu"], [-2.0, 1.0], atol=1e-9)
    np.testing.assert_allclose(curves["path"].variance, 4.0, atol=1e-8)


def test_sampled_curves_lie_near_exact_ones(curves):
    sampled = scg.sweep(coin(), CHOICE, over={"theta": THETA[:2]}, exact=False, runs=4000, seed=3)
    assert not sampled.exact
    for name, curve in sampled.items():
        far = np.abs(curve.variance - curves[name].variance[:2])
        # 6 standard errors, 6 numbers, one fixed seed
        assert np.all(far <= 6.0 * curve.variance_stderr + 1e-12), name
    assert np.all(np.abs(sampled["score"].bias2) < 1e-4)
    np.testing.assert_allclose(sampled["st"].bias2, curves["st"].bias2[:2], rtol=0.3)


def test_plots(curves, tmp_path):
    figure = curves.plot(tmp_path / "curves.svg")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[:3] == ["mean gradient", "variance of one run", "bias²"] and len(titles) == 4
    styles = {line.get_label(): line.get_linestyle() for line in figure.axes[1].get_lines()}
    assert styles == {"score": "-", "loo": "-", "st (BIASED)": "--"}
    assert (tmp_path / "curves.svg").read_text().startswith("<?xml")
    (mse,) = curves.plot(of="mse", evaluations=100).axes
    np.testing.assert_array_equal(mse.get_lines()[0].get_ydata(), curves["score"].mse(100))
    with pytest.raises(scg.CallError, match="of must be among 'mean'"):
        curves.plot(of="bias")


@pytest.mark.parametrize(
    ("over", "match"),
    [
        ({"thet": [0.0]}, "'thet' is neither a parameter nor a datum.*mean 'theta'"),
        ({}, "over names what is swept"),
        ({"theta": 0.3}, "as many values of each name"),
        ({"theta": []}, "as many values of each name"),
        ({"theta": [[0.0, 1.0]]}, "theta"),
    ],
)
def test_wrong_sweeps_say_what_to_write(over, match):
    with pytest.raises(scg.CallError, match=match):
        scg.sweep(coin(), CHOICE, over=over)


def test_swept_parameters_need_no_other_value():
    swept = [scg.sweep(coin(), CHOICE, over={"theta": THETA}, params=p) for p in (None, {})]
    np.testing.assert_array_equal(*(curves["score"].mean["theta"] for curves in swept))


def test_sampling_needs_a_seed_and_frames_need_pandas(curves, monkeypatch):
    with pytest.raises(scg.CallError, match="needs a seed"):
        scg.sweep(coin(), CHOICE, over={"theta": THETA}, exact=False)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(scg.ScgError, match="pip install 'scgrad\\[frame\\]'"):
        curves.to_frame()


def test_moments_that_cannot_be_computed_are_refused():
    g = scg.Graph("wide")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", np.zeros(25))))
    g.cost("cost", np.sum(b) ** 2)
    with pytest.raises(scg.EnumerationError, match=r"'score'.*exact=False, seed=0"):
        scg.sweep(g, {"score": scg.ScoreFunction()}, over={"theta": [0.0]})
