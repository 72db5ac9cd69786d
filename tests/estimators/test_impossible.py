"""Impossible values: probability 0, logit −∞, saturated sigmoids, classes below what floats hold.

Every estimator that claims to be unbiased has the exact mean, or passes a z-test of a fixed seed;
costs that are infinite at impossible values count for nothing.
"""

import numpy as np
import pytest

import scg

from .graphs import assert_exact

INF = np.inf
LOGITS, COSTS = np.array([0.3, -0.4, 0.6]), np.array([1.0, 2.5, -4.0])
GAPS = (-INF, -1e9, -1e3, -720.0, -95.0)
CONSTANT = scg.baselines.Constant(0.7)
EXACT = {
    "enumeration": scg.Enumeration,
    "RAM": scg.RAM,
    "local expectation": scg.LocalExpectation,
    "measure-valued": scg.MeasureValued,
    "score function": scg.ScoreFunction,
    "optimal input": lambda: scg.ScoreFunction(scg.baselines.OptimalInput()),
    "optimal constant": lambda: scg.ScoreFunction(scg.baselines.OptimalConstant()),
    "leave-one-out": scg.LeaveOneOut,
    "set": lambda: scg.UnorderedSet(2),
    "set of all": lambda: scg.UnorderedSet(3),
    "set without baseline": lambda: scg.UnorderedSet(3, baseline=False),
    "sum and sample": lambda: scg.SumAndSample(2, CONSTANT),
    "sum of all": lambda: scg.SumAndSample(3, CONSTANT),
    "stratified": lambda: scg.Stratified(2, CONSTANT),
    "CARMS": lambda: scg.CARMS(2),
    "DisARM": lambda: scg.CategoricalDisARM(),
    "DisARM-Tree": lambda: scg.CategoricalDisARM("tree"),
}
SAMPLED = {
    "REBAR": scg.REBAR,
    "REBAR, independent": lambda: scg.REBAR(coupled=False),
    "RELAX": scg.RELAX,
    "RELAX, coupled": lambda: scg.RELAX(coupled=True),
    "RELAX, network": lambda: scg.RELAX(temperature=None),
    "LAX": scg.LAX,
    "ARSM": scg.ARSM,
    "CARMS of three": lambda: scg.CARMS(3),
}
BIASED = {
    "Gumbel-softmax": lambda: scg.GumbelSoftmax(0.5),
    "hard Gumbel-softmax": lambda: scg.GumbelSoftmax(0.5, hard=True),
    "straight-through": scg.StraightThrough,
    "Rao-Gumbel": scg.RaoGumbel,
    "ReinMax": scg.ReinMax,
    "gapped": scg.GappedStraightThrough,
    "gapped by the mean": lambda: scg.GappedStraightThrough(gap=None),
    "DARN": scg.DARN,
}


def masked(
    family=scg.OneHotCategorical, gap=-INF, elbo=False, logits=LOGITS, costs=COSTS, given="logits"
):
    """Classes some of which are masked, by their logits; optionally log q(x) is a cost, too."""
    g = scg.Graph("masked")
    t, ok = g.parameter("t", logits), g.data("ok", len(logits))
    law = np.where(ok > 0, t, gap)
    x = g.sample("x", family(**{given: scg.softmax(law) if given == "probs" else law}))
    hot = x if family is scg.OneHotCategorical else scg.one_hot(x, len(logits))
    cost = np.sum(hot * costs)
    g.cost("cost", cost + x.log_prob() if elbo else cost)
    return g


def truth(ok, elbo=False, logits=LOGITS, costs=COSTS):
    """The cost and its gradient, by the possible classes alone."""
    some = np.flatnonzero(ok)
    p = np.exp(logits[some]) / np.exp(logits[some]).sum()
    f = costs[some] + (np.log(p) if elbo else 0.0)
    gradient = np.zeros(len(logits))
    gradient[some] = p * (f - p @ f)
    return p @ f, gradient


@pytest.mark.parametrize("elbo", [False, True], ids=["", "elbo"])
@pytest.mark.parametrize("name", EXACT)
def test_masked_classes_have_the_exact_mean(name, elbo):
    """Also in `exact`, for every order that is claimed, and for a single possible class."""
    for family, gap, ok in (
        (scg.OneHotCategorical, -INF, (1, 1, 0)),
        (scg.Categorical, -1e3, (0, 1, 1)),
        (scg.OneHotCategorical, -INF, (0, 1, 0)),
    ):
        g, data = masked(family, gap, elbo), {"ok": np.array(ok, float)}
        cost, gradient = truth(ok, elbo)
        exact = scg.exact(g, g.init(seed=0), data=data)
        assert exact.cost == pytest.approx(cost, abs=1e-12)
        np.testing.assert_allclose(exact.grads["t"], gradient, atol=1e-12)
        step = scg.compile(g, EXACT[name](), order=min(EXACT[name]().orders, 2))
        m = scg.moments(step, g.init(seed=0), data=data)
        assert m.cost == pytest.approx(cost, abs=1e-10)
        np.testing.assert_allclose(m.mean["t"], gradient, atol=1e-10)


def run(g, estimator, dtype, backend=None, runs=4000, **data):
    step = scg.compile(g, estimator, dtype=dtype, backend=backend)
    return step(g.init(seed=0), seed=1, runs=runs, state=step.init(seed=0), **data)


def numbers(tree):
    """All arrays of a nested mapping."""
    for value in tree.values():
        yield from numbers(value) if hasattr(value, "values") else (np.asarray(value),)


def all_finite(out):
    parts = ({"cost": out.cost}, out.grads, out.state, out.estimator_grads)
    return all(np.all(np.isfinite(x)) for part in parts for x in numbers(part or {}))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: scg.ScoreFunction(scg.baselines.Network(hidden=(4,))),
        scg.LAX,
        scg.RELAX,
        lambda: scg.RELAX(temperature=None),
    ],
    ids=["baseline", "LAX", "RELAX", "RELAX, network"],
)
def test_a_network_is_not_poisoned_by_an_infinite_logit_among_its_inputs(make, dtype, backend):
    """The logits are data, which the networks of these estimators read."""
    g = scg.Graph("logits as data")
    t, logits = g.parameter("t", np.zeros(3)), g.data("logits", 3)
    x = g.sample("x", scg.OneHotCategorical(logits=t + logits))
    g.cost("cost", np.sum(x * COSTS))
    out = run(g, make(), dtype, backend, logits=[*LOGITS[:2], -INF])
    assert all_finite(out)
    _, gradient = truth((1, 1, 0))
    assert np.all(np.abs(out.grads["t"] - gradient) < 6 * out.stderr["t"] + 1e-6)


@pytest.mark.filterwarnings("ignore::scg.BiasWarning")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", EXACT | SAMPLED | BIASED)
def test_what_is_computed_is_finite_and_right(name, dtype):
    """Masked classes: the truth within 6 standard errors, 1e-8 of false alarm a component."""
    for gap in GAPS if name in SAMPLED else GAPS[:1]:
        make = (EXACT | SAMPLED | BIASED)[name]
        for elbo, given in ((False, "logits"), (True, "logits"), (True, "probs")):
            g = masked(gap=gap, elbo=elbo, given=given)
            out = run(g, make(), dtype, "numpy", ok=[1.0, 1.0, 0.0])
            assert all_finite(out)
            _, gradient = truth((1, 1, 0), elbo)
            if out.unbiased:
                error = 6 * out.stderr["t"] + (3e-5 if dtype == "float32" else 1e-10)
                assert np.all(np.abs(out.grads["t"] - gradient) < error), (gap, elbo, given)


@pytest.mark.parametrize("make", [scg.REBAR, scg.ARSM, lambda: scg.UnorderedSet(3)])
def test_the_kernels_agree(make):
    a, b = (
        run(masked(elbo=True), make(), "float32", backend, runs=50, ok=[1.0, 0.0, 1.0])
        for backend in ("numpy", "numba")
    )
    np.testing.assert_allclose(a.grads["t"], b.grads["t"], atol=1e-3)


# --- sets with fewer possible values than samples -------------------------------------------------
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("ok", [(1, 1, 0, 1), (0, 1, 0, 1), (0, 0, 0, 1), (1, 1, 1, 1)])
def test_sets_of_more_samples_than_possible_values_are_exact(ok, dtype):
    logits, costs = np.array([0.3, -0.2, 1.0, 0.5]), np.array([1.0, 4.0, 16.0, 49.0])
    cost, gradient = truth(ok, logits=logits, costs=costs)
    for gap in (-INF, -300.0, -1e3):
        for estimator in (scg.UnorderedSet(4), scg.UnorderedSet(4, False), scg.SumAndSample(4)):
            g = masked(gap=gap, logits=logits, costs=costs)
            out = run(g, estimator, dtype, runs=3, ok=np.array(ok, float))
            rtol = 1e-5 if dtype == "float32" else 1e-12
            np.testing.assert_allclose(out.cost, cost, rtol=rtol)
            np.testing.assert_allclose(out.grads["t"], gradient, atol=100 * rtol)


W = np.array([[0.0, 0.0], [1.3, 0.0]])
JOINT = {
    "ordered logistic": lambda t: scg.OrderedLogistic(np.stack([t, 0.4 * t]), [-0.6, 0.7]),
    "mixture": lambda t: scg.Mixture(
        [scg.Bernoulli(logits=np.stack([t, 0.3 * t])), scg.Bernoulli(probs=[0.2, 0.0])],
        logits=[0.4, -0.2],
    ),
    "mixture of classes": lambda t: scg.Mixture(
        [
            scg.Categorical(logits=np.stack([t, -t])),
            scg.Categorical(probs=[0.0, 1.0]),
        ],
        probs=[0.4, 0.6],
    ),
    "autoregressive": lambda t: scg.Autoregressive(scg.Bernoulli, t * W, [0.3, -0.5]),
    "multinomial": lambda t: scg.Multinomial(2, logits=np.stack([t, 0.0 * t, -t])),
    "binomial": lambda t: scg.Binomial(3, logits=t),
    "independent": lambda t: scg.Independent(scg.Bernoulli(logits=np.stack([t, 0.3 * t]))),
}
FROM_A_SUPPORT = (
    scg.UnorderedSet(2),
    scg.SumAndSample(2),
    scg.SumAndSample(2, CONSTANT),
    scg.Stratified(2, CONSTANT),
)


@pytest.mark.parametrize("name", JOINT)
def test_sets_and_strata_of_every_finite_law(name):
    g = scg.Graph("support")
    t = g.parameter("t", 0.6)
    x = g.sample("x", JOINT[name](t))
    g.cost("cost", (np.sum(x * np.arange(1.0, 1.0 + x.size).reshape(x.shape)) - 0.8) ** 2 + t * 0.1)
    for estimator in FROM_A_SUPPORT:
        assert_exact(g, estimator)


@pytest.mark.parametrize("law", ["ordered logistic", "binomial", "independent"])
@pytest.mark.parametrize("make", [scg.SumAndSample, scg.Stratified])
def test_baselines_of_each_unit(make, law):
    """PerUnit learned from three calls, and the two optimal ones, leave the mean as it is."""
    g = scg.Graph("units")
    t = g.parameter("t", 0.6)
    x = g.sample("x", JOINT[law](t))
    g.cost("cost", (np.sum(x) - 0.8) ** 3)
    for baseline in (scg.baselines.OptimalInput(), scg.baselines.OptimalConstant()):
        assert_exact(g, make(2, baseline))
    step = scg.compile(g, make(2, scg.baselines.PerUnit()))
    state = step.init(seed=0)
    for seed in range(3):
        state = step(g.init(seed=0), seed=seed, state=state).state
    assert_exact(g, make(2, scg.baselines.PerUnit()), state=state)


# --- binary values and counts ---------------------------------------------------------------------
BINARY = (
    *(scg.ARMS(2), scg.ARMS(3), scg.ARMS(4, "gaussian"), scg.DisARM(), scg.ARM(), scg.RODEO()),
    *(scg.REBAR(), scg.RELAX(), scg.LAX(), scg.MuProp(), scg.DoubleCV()),
    *(scg.GumbelSoftmax(0.5), scg.StraightThrough("logits"), scg.GradientPredictor(), scg.DARN()),
)


@pytest.mark.filterwarnings("ignore::scg.BiasWarning")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("logit", [17.0, 37.0, 1e3, -90.0])
def test_saturated_units(logit, dtype):
    """The saturated unit has a vanishing gradient; the other one has its own."""
    for law in (lambda t: scg.Bernoulli(logits=t), lambda t: scg.Bernoulli(probs=scg.sigmoid(t))):
        g = scg.Graph("saturated")
        x = g.sample("x", law(g.parameter("t", [logit, 0.3])))
        g.cost("cost", (x[0] - 0.3) ** 2 * (1.0 + x[1]) + x.log_prob())
        p, a = 1 / (1 + np.exp(-0.3)), (0.7 if logit > 0 else 0.3) ** 2
        slope = p * (1 - p) * (a + 0.3)
        for make in (scg.Enumeration, scg.RAM, scg.LocalExpectation, lambda: scg.UnorderedSet(4)):
            out = run(g, make(), dtype, backend="numpy", runs=1)
            assert all_finite(out)
        out = run(g, scg.Enumeration(), dtype, backend="numpy", runs=1)
        np.testing.assert_allclose(out.grads["t"], [0.0, slope], atol=3e-5)
        for estimator in (
            scg.ARMS(2),
            scg.ARMS(3),
            scg.ARMS(4, "gaussian"),
            scg.DisARM(),
            scg.ARM(),
        ):
            out = run(g, estimator, dtype, backend="numpy")
            assert all_finite(out)
            assert np.all(np.abs(out.grads["t"] - [0.0, slope]) < 6 * out.stderr["t"] + 3e-5)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_probabilities_of_zero_and_one_are_enumerated(p):
    """f(1) − f(0), and for a count n (f(1) − f(0)) or n (f(n) − f(n − 1))."""
    for make in (
        *(scg.Enumeration, scg.RAM, scg.LocalExpectation, scg.MeasureValued),
        *(lambda: scg.UnorderedSet(2), lambda: scg.SumAndSample(2, CONSTANT)),
    ):
        g = scg.Graph("end")
        x = g.sample("x", scg.Bernoulli(probs=g.parameter("p", p)))
        g.cost("cost", (x - 0.3) ** 2)
        assert run(g, make(), "float64", runs=3).grads["p"] == pytest.approx(0.4, abs=1e-12)
    g = scg.Graph("count")
    x = g.sample("x", scg.Binomial(3, probs=g.parameter("p", p)))
    g.cost("cost", (x - 0.3) ** 3)
    slope = 3 * (0.7**3 + 0.3**3) if p == 0 else 3 * (2.7**3 - 1.7**3)
    for make in (scg.Enumeration, scg.RAM, scg.MeasureValued, lambda: scg.UnorderedSet(4)):
        assert run(g, make(), "float64", runs=3).grads["p"] == pytest.approx(slope, rel=1e-12)


def test_exact_with_zero_probabilities_on_a_mixed_plate():
    """The mean of a batch statistic is a polynomial, whose differences go on beyond the ends."""
    at = np.array([0.0, 0.3, 0.0, 1.0])
    g = scg.Graph("plate")
    items = scg.Plate("items", length=4)
    row = g.data("row", shape=(4,), plates=items)
    x = g.sample("x", scg.Bernoulli(probs=np.sum(row * g.parameter("t", at))))
    y = x * np.sum(row * at)
    g.cost("cost", (scg.plate_mean(x, items) - 0.4) ** 3 + scg.plate_mean(y, items))
    exact = scg.exact(g, g.init(seed=0), data={"row": np.eye(4)})

    def mean(q):
        values = np.array(list(np.ndindex(2, 2, 2, 2)))
        chances = np.prod(np.where(values, q, 1 - q), axis=1)
        return chances @ ((values.mean(1) - 0.4) ** 3 + (values * at).mean(1))

    steps, signs = 1e-4 * np.eye(4), (-1, 1)
    first = [(mean(at + s) - mean(at - s)) / 2e-4 for s in steps]
    second = [
        [sum(a * b * mean(at + a * s + b * r) for a in signs for b in signs) for r in steps]
        for s in steps
    ]
    assert exact.cost == pytest.approx(mean(at), abs=1e-14)
    np.testing.assert_allclose(exact.grads["t"], first, atol=1e-9)
    np.testing.assert_allclose(exact.hessian["t"]["t"], np.array(second) / 4e-8, atol=1e-6)


@pytest.mark.parametrize("make", [scg.Enumeration, scg.ScoreFunction])
def test_second_derivatives_where_a_sigmoid_is_saturated(make):
    """The Hessian of an evidence bound: zero for the saturated unit, its own for the other one."""
    g = scg.Graph("curved")
    x = g.sample("x", scg.Bernoulli(probs=scg.sigmoid(g.parameter("t", [800.0, 0.3]))))
    g.cost("cost", 2.0 * np.sum(x) + x.log_prob())
    m = scg.moments(scg.compile(g, make(), order=2), g.init(seed=0))
    p = 1 / (1 + np.exp(-0.3))
    curvature = p * (1 - p) * ((1 - 2 * p) * 2.3 + 1.0)
    np.testing.assert_allclose(m.mean["t"], [0.0, p * (1 - p) * 2.3], atol=1e-12)
    exact = scg.exact(g, g.init(seed=0)).hessian["t"]["t"]
    np.testing.assert_allclose(exact, [[0.0, 0.0], [0.0, curvature]], atol=1e-12)
    out = scg.compile(g, make(), order=2)(g.init(seed=0), seed=0, runs=4000)
    np.testing.assert_allclose(out.hessian["t"]["t"], exact, atol=0.1)


def test_check_accepts_a_right_estimator_of_a_masked_choice():
    """The oracle itself has numbers where the gap is infinite."""
    g, data = masked(elbo=True), {"ok": np.array([1.0, 1.0, 0.0])}
    for estimator in (scg.ScoreFunction(), scg.RAM()):
        step = scg.compile(g, estimator)
        assert "exact: unbiased" in str(scg.check(step, g.init(seed=0), data=data, seed=0))


# --- small numbers --------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["PerUnit", "OptimalConstant", "OptimalInput"])
def test_optimal_baselines_in_single_precision(name):
    """Nothing is divided by a constant that single precision rounds to 0."""
    g = scg.Graph("units")
    x = g.sample("x", scg.Bernoulli(logits=g.parameter("t", [0.3, 200.0])))
    g.cost("cost", (np.sum(x) - 0.4) ** 2)
    out = [
        run(g, scg.ScoreFunction(getattr(scg.baselines, name)()), dtype, runs=20)
        for dtype in ("float64", "float32")
    ]
    assert all(map(all_finite, out))
    np.testing.assert_allclose(out[0].grads["t"], out[1].grads["t"], atol=1e-5)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("estimator", [scg.REBAR(), scg.RELAX(coupled=True)])
def test_a_uniform_that_is_the_probability_bit_for_bit(estimator, dtype):
    """Then z is 0 but for rounding, on either side of it."""
    logits = np.linspace(-3.0, 3.0, 4001).astype(dtype)
    g = scg.Graph("tie")
    x = g.sample("x", scg.Bernoulli(logits=g.parameter("t", logits)))
    g.cost("cost", np.sum(x) ** 2)
    step = scg.compile(g, estimator, dtype=dtype, backend="numpy")
    noise = dict(step.noise(seed=0, runs=1))
    for u in (scg.sigmoid(logits), 1 - scg.sigmoid(-logits)):
        noise["x/u"] = np.asarray(u, dtype)[None]
        out = step(g.init(seed=0), noise=noise, state=step.init(seed=0))
        assert all_finite(out)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("p", [0.0, 1.0])
def test_counts_that_are_certain_under_their_own_log_probability(p, backend):
    """f(k) = (k − .4)² + log p(k): 0 · log 0 has no slope, and impossible counts no cost."""
    n, g = 3, scg.Graph("certain")
    b = g.sample("b", scg.Binomial(n, probs=g.parameter("p", p)))
    g.cost("c", (b - 0.4) ** 2 + b.log_prob())
    k, sign = n * p, 2 * p - 1
    value, slope, own = (k - 0.4) ** 2, 2 * (k - 0.4), n * sign
    truths = {
        scg.MeasureValued: own + own * value,
        scg.MuProp: own + n * slope,
        scg.DoubleCV: own,
        scg.StraightThrough: own + n * slope,
        scg.DARN: own + (k - n / 2) * own * slope,
    }
    for make, truth in truths.items():
        estimator = make() if make.unbiased else make(allow_biased=True)
        step = scg.compile(g, estimator=estimator, backend=backend)
        with np.errstate(all="ignore"):
            out = step({"p": p}, seed=1)
        np.testing.assert_allclose([out.cost, out.grads["p"]], [value, truth], rtol=1e-12)
    np.testing.assert_allclose(scg.exact(g, {"p": p}).grads["p"], truths[scg.MeasureValued])


@pytest.mark.parametrize("make", [scg.MuProp, scg.DoubleCV, scg.MeasureValued])
@pytest.mark.parametrize(
    ("law", "p"),
    [(scg.Geometric, 1.0), (lambda probs: scg.NegativeBinomial(2.0, probs=probs), 0.0)],
)
def test_waiting_times_that_are_certain(law, p, make):
    g = scg.Graph("certain")
    b = g.sample("b", law(probs=g.parameter("p", p)))
    g.cost("c", (b - 0.4) ** 2 + b.log_prob())
    with np.errstate(all="ignore"):
        out = scg.compile(g, estimator=make(), backend="numpy")({"p": p}, seed=1)
    np.testing.assert_allclose(out.cost, 0.16, rtol=1e-12)
    assert np.isfinite(out.grads["p"])


@pytest.mark.parametrize("p", [1e-20, 1e-30, 1e-36, 1e-40])
@pytest.mark.parametrize("family", [scg.Bernoulli, scg.OneHotCategorical])
@pytest.mark.parametrize("estimator", [scg.REBAR(), scg.REBAR(coupled=False), scg.RELAX()])
def test_small_probabilities_in_single_precision(estimator, family, p):
    """1/p² is no number there, and no intermediate result of the gradient of the variance."""
    g = scg.Graph("small")
    x = g.sample("x", family(probs=g.parameter("p", np.array([p, 0.3, 0.7]))))
    g.cost("cost", (x @ [1.0, 2.0, -1.0] - 0.3) ** 2 + x[0] * x[1])
    assert all_finite(run(g, estimator, "float32", "numpy", runs=60))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("logit", [-INF, INF])
def test_a_certain_bit_has_the_log_probability_zero(logit, dtype, backend):
    """Also in costs, with entropies and divergences; masked by an infinite logit."""
    g = scg.Graph("masked bit")
    t, ok = g.parameter("t", [0.3, -0.2]), g.data("ok", 2)
    b = g.sample("b", scg.Bernoulli(logits=np.where(ok > 0, t, logit)))
    prior = scg.Bernoulli(probs=[0.4, 0.7])
    g.cost("cost", b.log_prob() + b.dist.kl(prior) - b.dist.entropy() + 2.0 * np.sum(b) ** 2)
    p = 1 / (1 + np.exp(-0.3))
    other = float(logit > 0)
    entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
    prior_cost = p * np.log(p / 0.4) + (1 - p) * np.log((1 - p) / 0.6)
    prior_cost -= np.log(0.7) if other else np.log(0.3)
    mean = -2 * entropy + prior_cost + 2 * (p * (1 + other) ** 2 + (1 - p) * other**2)
    slope = p * (1 - p) * (3 * 0.3 - np.log(0.4 / 0.6) + 2 * ((1 + other) ** 2 - other**2))
    params, data = g.init(seed=0), {"ok": [1.0, 0.0]}
    exact = scg.exact(g, params, data=data)
    assert exact.cost == pytest.approx(mean, rel=1e-12)
    np.testing.assert_allclose(exact.grads["t"], [slope, 0.0], rtol=1e-12)
    for estimator in (scg.Enumeration(), scg.RAM(), scg.MuProp(), scg.REBAR(), scg.LeaveOneOut()):
        step = scg.compile(g, estimator, dtype=dtype, backend=backend)
        out = step(params, seed=1, runs=4000, data=data)
        assert abs(out.grads["t"][0] - slope) < 6 * out.stderr["t"][0] + 1e-4
        assert out.grads["t"][1] == 0.0


def test_an_impossible_bit_has_the_log_probability_minus_infinity():
    g = scg.Graph("bits")
    logit, x = g.data("logit"), g.data("x")
    bit, count = scg.Bernoulli(logits=logit), scg.Binomial(3, logits=logit)
    g.cost("cost", -bit.log_prob(x) - count.log_prob(3 * x) + 0.0 * g.parameter("t", 0.0))
    step = scg.compile(g)
    costs = [step({"t": 0.0}, seed=0, logit=a, x=x).cost for a in (-INF, INF) for x in (0.0, 1.0)]
    np.testing.assert_allclose(costs, [0.0, INF, INF, 0.0], atol=1e-14)
