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


TABLES = {
    "three binary variables": [[0.4, 0.0], [-1.1, 0.0], [0.0, 0.7]],
    "two variables of three classes": [[0.2, -0.6, 0.5], [1.0, 0.0, -0.4]],
    "an impossible value": [[0.4, 0.0], [0.0, -np.inf], [-0.3, 0.2]],
    "fewer possible values than samples": [[0.4, -np.inf], [0.0, 0.3], [-np.inf, 0.0]],
    "a peak": [[30.0, 0.0], [0.0, 35.0], [0.0, 0.1]],
}
COST = {2: np.array([0.3, -1.0, 2.0, 0.7, 5.0, -0.2, 1.1, 0.6]), 3: np.arange(9.0) ** 2 / 9}


def of_tables(logits, joint):
    """Independent variables, or one variable whose classes are all their joint values."""
    logits = np.array(logits)
    g, (count, classes) = scg.Graph("tables"), logits.shape
    t = g.parameter("t", np.where(np.isfinite(logits), logits, 0.0))
    law = scg.log_softmax(t + np.where(np.isfinite(logits), 0.0, logits))
    every = np.stack(np.meshgrid(*[range(classes)] * count, indexing="ij"), -1).reshape(-1, count)
    if joint:
        x = g.sample("x", scg.Categorical(logits=law))
        place = np.sum(x * classes ** np.arange(count)[::-1])
    else:
        hot = np.eye(classes)[every]
        chances = np.sum(np.where(hot > 0, law, 0.0), axis=(-2, -1))
        place = g.sample("x", scg.Categorical(logits=chances))
    g.cost("loss", np.sum(scg.one_hot(place, len(every)) * COST[classes]))
    return g


@pytest.mark.parametrize("case", TABLES)
@pytest.mark.parametrize("name", ["set", "set without baseline", "sum and sample"])
def test_variables_are_drawn_jointly(name, case):
    """Mean and variance are those of one variable with all joint values."""
    found = [
        assert_exact(of_tables(TABLES[case], joint), MAKE[name](3)).variance["t"]
        for joint in (True, False)
    ]
    np.testing.assert_allclose(*found, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("make", [scg.UnorderedSet, scg.SumAndSample])
def test_all_joint_values_are_exact(make):
    g = of_tables(TABLES["an impossible value"], joint=True)
    m = assert_exact(g, make(8))
    np.testing.assert_allclose(m.variance["t"], 0.0, atol=1e-12)


@pytest.mark.parametrize("size", [1.0, 12.0])
def test_probabilities_of_many_variables_are_smaller_than_floats(size):
    """200 binary variables: values of probability 1e-50, or one of 0.999 among them."""
    g, signs, weights = scg.Graph("many"), (-1.0) ** np.arange(200), np.linspace(0.0, 1.0, 200)
    t, batch = g.parameter("t", size), scg.Plate("batch", length=20)
    x = g.sample("x", scg.Bernoulli(logits=t * signs), plates=batch)
    g.cost("loss", np.sum(x * weights))
    p = 1 / (1 + np.exp(-size * signs))
    step = scg.compile(g, scg.UnorderedSet(3), dtype="float32", backend="numpy")
    out = step(g.init(seed=0), seed=1, runs=100)
    error = out.grads["t"] - np.sum(p * (1 - p) * signs * weights)
    assert abs(error) < 5 * out.stderr["t"]
    assert abs(out.cost - np.sum(p * weights)) < 0.2
