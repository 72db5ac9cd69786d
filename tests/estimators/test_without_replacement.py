"""What unordered set, sum and sample and stratified sampling share: laws, plates, layers."""

import numpy as np
import pytest

import scg

from .graphs import assert_exact, classes, two_layers

MAKE = {
    "set": lambda k: scg.UnorderedSet(k),
    "set without baseline": lambda k: scg.UnorderedSet(k, baseline=False),
    "sum and sample": lambda k: scg.SumAndSample(k),
    "sum and sample, baseline": lambda k: scg.SumAndSample(k, scg.baselines.Constant(1.5)),
    "stratified": lambda k: scg.Stratified(k),
    "stratified, baseline": lambda k: scg.Stratified(k, scg.baselines.MovingAverage(0.9)),
}


def on_a_plate(mixing=False):
    g = scg.Graph("plate")
    batch = scg.Plate("batch", length=2, reduce="mean")
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("s", 0.4)))
    probs = scg.softmax(g.parameter("t", [0.2, -0.6, 0.5]))
    x = g.sample("x", scg.OneHotCategorical(probs=probs), plates=batch)
    value = np.sum(x * np.array([0.3, -1.0, 0.7])) + 0.4 * a
    g.cost("each", np.exp(value) + 0.3 * np.sum(probs**2))
    g.cost("upper", (a - 0.2) ** 3)
    if mixing:
        g.cost("both", scg.plate_mean(value, batch) ** 2)
    return g


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("count", [2, 3])
def test_unbiased(name, count):
    make = MAKE[name]
    assert_exact(classes(), {"x": make(count), "y": make(2)})
    assert_exact(two_layers(), {"h": make(count), "k": scg.ScoreFunction()})
    assert_exact(two_layers(), {"h": scg.ScoreFunction(), "k": make(count)})


@pytest.mark.parametrize("name", MAKE)
def test_unbiased_on_a_plate(name):
    assert_exact(on_a_plate(), {"a": MAKE[name](2), "x": MAKE[name](2)})


@pytest.mark.parametrize("make", [scg.UnorderedSet, scg.SumAndSample, scg.Stratified])
def test_a_plate_must_survive(make):
    with pytest.raises(scg.EstimatorError, match="mixes the elements of plate 'batch'"):
        scg.compile(on_a_plate(mixing=True), {"a": scg.ScoreFunction(), "x": make()})


@pytest.mark.parametrize("make", [scg.UnorderedSet, scg.SumAndSample])
def test_no_more_draws_than_values(make):
    g = classes()
    with pytest.raises(scg.EstimatorError, match="2 values, fewer than the 3 samples"):
        scg.compile(g, {"x": scg.ScoreFunction(), "y": make(3)})


@pytest.mark.parametrize("make", [scg.UnorderedSet, scg.SumAndSample])
def test_the_whole_support_is_exact(make):
    g = scg.Graph("whole")
    x = g.sample("x", scg.Categorical(logits=g.parameter("t", [0.2, -0.6, 0.5])))
    g.cost("loss", np.exp(0.5 * x))
    m = assert_exact(g, make(3))
    np.testing.assert_allclose(m.variance["t"], 0.0, atol=1e-15)


def test_an_infinite_support_is_refused():
    g = scg.Graph("normal")
    x = g.sample("x", scg.Normal(loc=g.parameter("t", 0.2), scale=1.0))
    g.cost("loss", x**2)
    for make in (scg.UnorderedSet, scg.SumAndSample, scg.Stratified):
        with pytest.raises(scg.EstimatorError, match="Normal has no finite support"):
            scg.compile(g, make())
