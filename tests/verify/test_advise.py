"""Advice finds the known best plan, and is a plan that `compile` takes."""

import numpy as np
import pytest

import scg


def small():
    """One categorical node: the sum over three values has no variance."""
    g = scg.Graph("small")
    k = g.sample("k", scg.Categorical(logits=g.parameter("theta", [0.1, -0.4, 0.3])))
    g.cost("loss", (k - 0.7) ** 2)
    return g


def normal(jumps):
    g = scg.Graph("normal")
    z = g.sample("z", scg.Normal(g.parameter("m", 0.3), g.parameter("s", 0.8)))
    g.cost("loss", np.where(z > 0.5, 1.0, 0.2 * z) if jumps else (z - 1.0) ** 2 + np.sin(z))
    return g


def wide(cost, size):
    """Bits below learned logits."""
    rng = np.random.default_rng(1)
    g = scg.Graph("wide")
    theta = g.parameter("theta", rng.normal(size=size) * 0.5)
    g.cost("loss", cost(g, g.sample("b", scg.Bernoulli(logits=theta)), rng))
    return g


def bent(b, rng):
    """A layer that hardly bends."""
    w, v = rng.normal(size=(b.size, 30)) / 10.0, rng.normal(size=30)
    return np.sum(np.tanh(0.1 * (b @ w)) * v)


def nearly_linear(g, b, rng):
    """The same with a gain that is learned from the same samples."""
    return g.parameter("gain", 1.0) * bent(b, rng)


def black_box(g, b, rng):
    w = rng.normal(size=b.size)
    return scg.op(lambda bits: np.float64((bits @ w) ** 2 > 1.0), name="simulator")(b)


BEST = {
    "small": (small, {scg.Enumeration}),
    "smooth": (lambda: normal(jumps=False), {scg.Reparameterization}),
    "nearly linear": (lambda: wide(nearly_linear, 100), {scg.MuProp}),
    "black box": (lambda: wide(black_box, 12), {scg.LeaveOneOut, scg.DisARM, scg.ARMS, scg.ARM}),
    "jump": (lambda: normal(jumps=True), {scg.MeasureValued, scg.ScoreFunction}),
}


@pytest.mark.parametrize("case", BEST)
def test_the_known_best_plan_is_found(case):
    make, best = BEST[case]
    g = make()
    advice = scg.advise(g, g.init(seed=0), runs=400)
    (node,) = advice
    first = advice.ranking[node][0]
    others = [found.product for found in advice.ranking[node] if type(found.estimator) not in best]
    assert type(advice[node]) in best, f"\n{advice}"
    assert first.product == 0.0 or 1.5 * first.product < min(others)
    assert scg.compile(g, advice).plan.unbiased
    assert all(found.estimator.unbiased for found in advice.ranking[node])
    assert ("Reparameterization()" in advice.refused[node]) == (case != "smooth")


def test_muprop_is_the_best_plan_for_a_plainly_wide_layer_by_evaluations():
    """RAM replays the cost for both values of each of 200 units."""
    g = wide(lambda g, b, rng: bent(b, rng), 200)
    advice = scg.advise(g, g.init(seed=0), runs=400, price="evaluations")
    first, *others = advice.ranking["b"]
    assert type(first.estimator) is scg.MuProp and first.price == 2
    assert 1.4 * first.product < min(found.product for found in others)
    assert {found.price for found in others if isinstance(found.estimator, scg.RAM)} == {401}
    assert advice.priced == "evaluations"


def test_the_factors_of_muprop_and_local_expectations_on_a_quadratic_cost():
    """Variances n/2 apart, evaluations (2n + 1)/2: their products 2 + 1/n."""
    size = 40
    h = np.random.default_rng(0).normal(size=(size, size))
    h = (np.triu(h, 1) + np.triu(h, 1).T) / size
    g = scg.Graph("quadratic")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", np.zeros(size))))
    g.cost("loss", 0.5 * np.sum((b @ h) * b))
    tried = [scg.MuProp(), scg.RAM()]
    advice = scg.advise(g, g.init(seed=0), candidates=tried, runs=20_000, price="evaluations")
    by = {type(found.estimator): found for found in advice.ranking["b"]}
    muprop, ram = by[scg.MuProp], by[scg.RAM]
    assert muprop.error / ram.error == pytest.approx(size / 2, rel=0.1)
    assert (muprop.price, ram.price) == (2, 2 * size + 1)


def test_without_other_parameters_a_local_expectation_beats_muprop_by_work():
    """Its variance falls faster with the width than its price, that of replays, grows."""
    g = wide(lambda g, b, rng: bent(b, rng), 100)
    tried = [scg.MuProp(), scg.RAM()]
    first, second = scg.advise(g, g.init(seed=0), candidates=tried, runs=400).ranking["b"]
    assert type(first.estimator) is scg.RAM
    assert first.price > 8 * second.price and first.error < second.error / 50


def test_black_boxes_are_priced_by_evaluations_and_the_winner_beats_one_sample():
    """K coupled samples cost K evaluations; the known order is by K at equal evaluations."""
    g = wide(black_box, 12)
    advice = scg.advise(g, g.init(seed=0), runs=400)
    assert advice.priced == "evaluations"
    by = {repr(found.estimator): found for found in advice.ranking["b"]}
    assert by["LeaveOneOut(samples=8)"].price == 8
    assert advice.ranking["b"][0].product < by["ScoreFunction()"].product / 3


def test_the_numbers_are_those_of_a_comparison():
    g = normal(jumps=False)
    advice = scg.advise(g, g.init(seed=0), runs=500, seed=3)
    choice = {"path": scg.Reparameterization(), "score": scg.ScoreFunction()}
    table = scg.compare(g, choice, g.init(seed=0), runs=500, seed=3)
    for name, estimator in choice.items():
        found = next(f for f in advice.ranking["z"] if repr(f.estimator) == repr(estimator))
        assert found.error == pytest.approx(table.rows[name].variance, rel=1e-12)
        assert found.price == scg.compile(g, estimator).explain().work


def test_bias_counts_as_variance():
    """Straight-through has little variance; its bias makes it lose against the exact sum."""
    g = scg.Graph("toy")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 1.0)))
    g.cost("loss", (b - 0.1) ** 2)
    biased, unbiased = scg.StraightThrough(), scg.Enumeration()
    advice = scg.advise(
        g, {"theta": 1.0}, candidates=[biased, unbiased], allow_biased=True, runs=4000
    )
    assert advice["b"] is unbiased and "(BIASED)" in str(advice)
    found = next(f for f in advice.ranking["b"] if f.estimator is biased)
    step = scg.compile(g, scg.StraightThrough(allow_biased=True))
    m, truth = scg.moments(step, {"theta": 1.0}), scg.exact(g, {"theta": 1.0}).grads["theta"]
    expected = float(m.variance["theta"] + (m.mean["theta"] - truth) ** 2)
    assert found.error == pytest.approx(expected, rel=0.15)
    without = scg.advise(g, {"theta": 1.0}, candidates=[biased, unbiased])
    assert list(without.refused["b"]) == [repr(biased)]


def test_each_node_gets_its_own_advice():
    """The plan of two nodes cannot be improved at either of them, by independent measurements."""
    g = scg.Graph("two")
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.4)))
    z = g.sample("z", scg.Normal(a * g.parameter("w", 0.7), 1.0))
    g.cost("loss", (z - 0.3) ** 2)
    tried = [scg.Enumeration(), scg.Reparameterization(), scg.ScoreFunction(), scg.MuProp()]
    advice = scg.advise(g, g.init(seed=0), candidates=tried, runs=300, seed=2)
    fits = {"a": (0, 2, 3), "z": (1, 2, 3)}
    plans = {
        f"{node} {k}": {**advice, node: tried[k]} for node, own in fits.items() for k in own
    } | {"best": advice}
    rows = scg.compare(g, plans, g.init(seed=0), runs=300, seed=2).rows
    products = {
        name: row.variance * scg.compile(g, plans[name]).explain().work
        for name, row in rows.items()
    }
    assert products["best"] <= min(products.values()) * (1.0 + 1e-12)
    assert [len(own) for own in advice.ranking.values()] == [3, 3]
    assert set(advice.to_frame()["node"]) == {"a", "z"}
    assert advice.to_dict()["rows"][0]["rank"] == 1 and "<table" in advice._repr_html_()


def test_times_can_be_the_price():
    choice = [scg.Enumeration(), scg.ScoreFunction()]
    g = small()
    advice = scg.advise(g, g.init(seed=0), candidates=choice, price="time", runs=200)
    assert advice.priced == "time" and advice["k"] is choice[0]
    assert all(found.price > 0.0 for found in advice.ranking["k"])


def test_what_cannot_be_advised_is_refused():
    g = normal(jumps=True)
    with pytest.raises(scg.CallError, match=r"no candidate fits node 'z': .*is not continuous"):
        scg.advise(g, g.init(seed=0), candidates=[scg.Reparameterization()])
    with pytest.raises(scg.CallError, match='price must be "work", "evaluations" or "time"'):
        scg.advise(g, g.init(seed=0), price="money")
    for wrong in ({"z": scg.RAM()}, scg.RAM(), [scg.RAM], ["RAM"], "RAM", []):
        with pytest.raises(scg.CallError, match="candidates must be a list of estimators"):
            scg.advise(g, g.init(seed=0), candidates=wrong)
    with pytest.raises(scg.CallError, match=r"no argument 'prize'.*'price'.*backend"):
        scg.advise(g, g.init(seed=0), prize="time")
    plain = scg.Graph("plain")
    plain.cost("loss", plain.parameter("w", 1.0) ** 2)
    with pytest.raises(scg.CallError, match="no stochastic node"):
        scg.advise(plain, {"w": 1.0})
    fixed = scg.Graph("fixed")
    fixed.cost("loss", fixed.sample("b", scg.Bernoulli(logits=0.3)))
    with pytest.raises(scg.CallError, match="graph 'fixed' has no parameter"):
        scg.advise(fixed, {})


def test_numbers_that_are_none_are_refused_by_the_name_of_the_parameter():
    g = scg.Graph("toy")
    x, t = g.data("x"), g.parameter("theta", 0.4)
    g.parameter("unused", 1.0)
    g.cost("loss", g.sample("b", scg.Bernoulli(logits=t * x)))
    with pytest.raises(scg.CallError, match="advise: parameter 'theta' is NaN here"):
        scg.advise(g, {"theta": np.nan, "unused": 1.0}, {"x": 1.0}, runs=2)
    with pytest.raises(scg.CallError, match="advise: the gradient of 'theta' is NaN here"):
        scg.advise(g, {"theta": 0.4, "unused": 1.0}, {"x": np.nan}, runs=2)
    given = {"theta": np.inf, "unused": np.nan}  # the one is certain, the other has no effect
    assert scg.advise(g, given, {"x": 1.0}, runs=2)["b"].unbiased


def test_estimators_that_learn_on_the_variance_compile_without_parameters():
    g = scg.Graph("fixed")
    g.cost("loss", g.sample("b", scg.Bernoulli(logits=0.3)))
    for estimator in (scg.LAX(), scg.DoubleCV(2), scg.RELAX()):
        assert not scg.compile(g, estimator, backend="numpy")({}, seed=1).grads
