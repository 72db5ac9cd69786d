"""Moves of single coordinates: GO, stochastic triples, bit flips, and UGC against DisARM."""

import numpy as np
import pytest

import scg

from .graphs import assert_exact, classes, params_of, plated, sigmoid, two_layers

EVERY = (scg.GO(), scg.StochasticTriple(), scg.BitFlip(), scg.UGC(), scg.UGC(threshold=0.3))
ORDERED = EVERY[:2]


@pytest.mark.parametrize("estimator", EVERY, ids=repr)
def test_unbiased_on_bits(estimator):
    small = {"h": estimator, "k": scg.Enumeration()}
    assert_exact(two_layers(), small)
    if not isinstance(estimator, scg.UGC):  # whose outcomes are many
        assert_exact(two_layers(), estimator)
        g, data = plated()
        assert_exact(g, estimator, data)


@pytest.mark.parametrize("estimator", ORDERED, ids=repr)
def test_unbiased_on_classes(estimator):
    assert_exact(classes(), estimator)


COUNTS = {
    "poisson": (scg.Poisson, "rate", 1.4),
    "binomial": (lambda probs: scg.Binomial(4, probs=probs), "probs", 0.35),
    "geometric": (lambda probs: scg.Geometric(probs=probs), "probs", 0.45),
    "negative binomial": (lambda probs: scg.NegativeBinomial(2.5, probs=probs), "probs", 0.4),
}


@pytest.mark.parametrize("name", COUNTS)
def test_rates_of_counts_give_the_derivative(name, h=1e-5):
    """Σ p(k) r(k) (f(k + 1) − f(k)) over all counts k is the derivative of Σ p(k) f(k)."""
    make, parameter, theta = COUNTS[name]
    k = np.arange(5.0 if name == "binomial" else 200.0)

    def f(k):
        return np.exp(-0.4 * k) * (1.0 + 0.1 * k) + np.tanh(k - 0.5)

    def mean(theta):
        return np.exp(make(**{parameter: theta}).log_prob(k, elementwise=True)) @ f(k)

    up = make(**{parameter: theta}).upward(k)
    ((_, rate),) = up.rates
    p = np.exp(make(**{parameter: theta}).log_prob(k, elementwise=True))
    found = np.sum(p * rate * (f(up.moved(True)) - f(k)))
    assert found == pytest.approx((mean(theta + h) - mean(theta - h)) / (2 * h), abs=1e-8)


@pytest.mark.parametrize("estimator", ORDERED, ids=repr)
def test_unbiased_on_ordered_values(estimator):
    g = scg.Graph("ordered")
    cuts = np.array([-0.6, 0.4, 1.1])
    x = g.sample("x", scg.OrderedLogistic(g.parameter("theta", [0.4, -0.7]), cuts))
    y = g.sample("y", scg.Binomial(3, logits=g.parameter("logit", 0.3) - 0.5 * x[0]))
    g.cost("loss", np.exp(-0.4 * x[0]) * (1.0 + y * x[1]) + np.tanh(x[1] - 0.5))
    assert_exact(g, estimator)


def test_poisson_moves_as_its_weak_derivative():
    g = scg.Graph("poisson")
    x = g.sample("x", scg.Poisson(g.parameter("rate", [1.4, 0.6])))
    g.cost("loss", x[0] ** 2 * (1.0 + x[1]))
    steps = [scg.compile(g, e) for e in (scg.GO(), scg.MeasureValued())]
    noise = steps[0].noise(seed=1, runs=20)
    one, two = (step(params_of(g), noise=noise).grads["rate"] for step in steps)
    np.testing.assert_allclose(one, two, atol=1e-12)


@pytest.mark.parametrize("estimator", ORDERED, ids=repr)
def test_impossible_values_are_passed_over(estimator):
    g = scg.Graph("impossible")
    p = g.parameter("p", 0.4)
    probs = np.stack([p, 0.0 * p, 1.0 - p])
    x = g.sample("x", scg.Categorical(probs=probs))
    g.cost("loss", np.log(np.abs(x - 1.0)) + 2.0 * x)
    m = scg.moments(scg.compile(g, estimator), params_of(g))
    assert float(m.mean["p"]) == pytest.approx(-4.0, abs=1e-12)


def test_the_toy_of_stochastic_triples():
    """Arya et al. (2022), figure 1: E X = p (1 − p) (20 p + 210 p²), in closed form."""
    g = scg.Graph("toy")
    p = g.parameter("p", 0.6)
    a = p * (1.0 - p)
    b = g.sample("b", scg.Binomial(10, probs=p))
    c = 2.0 * b + 3.0 * g.sample("d", scg.Bernoulli(probs=p))
    g.cost("X", a * c * g.sample("e", scg.Normal(b, a)))
    discrete = dict.fromkeys("bd", scg.StochasticTriple())
    m = scg.moments(scg.compile(g, {**discrete, "e": scg.Reparameterization()}), params_of(g))
    assert float(m.cost) == pytest.approx(0.24 * (12.0 + 75.6), abs=1e-6)
    assert float(m.mean["p"]) == pytest.approx(-0.2 * 87.6 + 0.24 * 272.0, abs=1e-5)


def test_go_is_the_mean_of_the_triple():
    g = scg.Graph("bits")
    x = g.sample("x", scg.Bernoulli(logits=g.parameter("theta", [0.3, -0.8, 1.4])))
    g.cost("loss", np.exp(x[0] - 0.6 * x[1] * x[2]))
    go, triple = (scg.moments(scg.compile(g, e), params_of(g)) for e in ORDERED)
    assert np.all(go.variance["theta"] <= triple.variance["theta"] + 1e-12)


# --- UGC ------------------------------------------------------------------------------------------
def random_bits(rng, n=3):
    """Bits with any cost of them, some probabilities near 0 or 1."""
    g, table = scg.Graph("bits"), rng.normal(size=(2,) * n)
    x = g.sample("x", scg.Bernoulli(logits=g.parameter("theta", 2.0 * rng.normal(size=n))))
    a, b, c = (np.stack([1.0 - x[i], x[i]]) for i in range(n))
    g.cost("loss", np.sum(table * np.einsum("a,b,c->abc", a, b, c)))
    return g


@pytest.mark.parametrize("trial", range(12))
def test_ugc_has_at_most_the_variance_of_disarm(trial):
    """For each bit: given the others, DisARM's second moment is at least 1/(2 n m) of the flip's.

    With the other bits z and z̃ of the pair, and Δ the change of the cost by the bit, DisARM's is
    m (1 − m)²/2 times a mean of two squares whose roots have the mean (Δ(z) + Δ(z̃))/2, the flip's
    n m² (1 − m)² times its square; m is the probability of the rarer value.
    """
    g = random_bits(np.random.default_rng(trial))
    ugc, disarm = (scg.moments(scg.compile(g, e), params_of(g)) for e in (scg.UGC(), scg.DisARM()))
    assert np.all(ugc.variance["theta"] <= disarm.variance["theta"] + 1e-12)
    p = sigmoid(params_of(g)["theta"])
    far = np.minimum(p, 1 - p) > 1 / 6
    same = (m.variance["theta"][far] for m in (ugc, disarm))
    np.testing.assert_allclose(*same, atol=1e-12)


def test_a_flip_alone_may_be_worse_and_better_than_disarm():
    ratios = []
    for trial in range(12):
        g = random_bits(np.random.default_rng(trial))
        flip, disarm = (
            np.sum(scg.moments(scg.compile(g, e), params_of(g)).variance["theta"])
            for e in (scg.BitFlip(), scg.DisARM())
        )
        ratios.append(flip / disarm)
    assert min(ratios) < 1 < max(ratios)


def test_what_is_refused():
    with pytest.raises(scg.EstimatorError, match="threshold must be a number ≥ 0"):
        scg.UGC(threshold=-0.1)
    g = scg.Graph("normal")
    g.cost("loss", g.sample("x", scg.Normal(g.parameter("m", 0.0), 1.0)))
    for estimator in ORDERED:
        with pytest.raises(scg.EstimatorError, match="Normal has no next value"):
            scg.compile(g, estimator)
    g = scg.Graph("count")
    r = g.parameter("r", 2.0)
    g.cost("loss", g.sample("x", scg.NegativeBinomial(r, logits=0.3)))
    with pytest.raises(scg.EstimatorError, match="not in 'total_count'"):
        scg.compile(g, scg.GO())


# --- vectors whose elements depend on each other: what follows a move does so on the same noise ---
JOINT = {
    "multinomial": lambda t: scg.Multinomial(3, logits=t[:3]),
    "subset": lambda t: scg.Subset(t, 2),
    "order": lambda t: scg.PlackettLuce(t[:3]),
    "top two": lambda t: scg.PlackettLuce(t, 2),
    "matching": lambda t: scg.Matching(np.reshape(np.concatenate([t, 0.4 * t, t[:1]]), (3, 3))),
    "chain": lambda t: scg.MarkovChain(3, t[:2], np.reshape(t, (2, 2))),
    "field": lambda t: scg.LinearChain(np.reshape(0.7 * t, (2, 2)), np.reshape(t, (2, 2))),
    "autoregressive": lambda t: scg.Autoregressive(
        scg.Bernoulli, np.reshape(np.concatenate([t, 0.3 * t, t[:1]]), (3, 3)), t[:3]
    ),
    "hidden units": lambda t: scg.RBM(t[:3], t[:2], np.reshape(np.concatenate([t, t[:2]]), (3, 2))),
    "visible units": lambda t: scg.RBM(
        t[:2], t[:3], np.reshape(np.concatenate([t, t[:2]]), (2, 3))
    ),
    "mixture of bits": lambda t: scg.Mixture(
        [scg.Bernoulli(logits=t[:2]), scg.Bernoulli(logits=-t[1:3])], logits=t[:2]
    ),
    "mixture of classes": lambda t: scg.Mixture(
        [scg.Categorical(logits=t[:3]), scg.Categorical(logits=2.0 * t[1:])], logits=t[:2]
    ),
    "mixture of subsets": lambda t: scg.Mixture(
        [scg.Subset(t[:3], 2), scg.Subset(-t[1:], 2)], logits=t[1:3]
    ),
    "mixture of unlike parts": lambda t: scg.Mixture(
        [scg.Binomial(2, logits=t[:2]), scg.OneHotCategorical(logits=t[1:3])], logits=t[:2]
    ),
}


def joint(name):
    g = scg.Graph(name)
    x = g.sample("x", JOINT[name](g.parameter("t", [0.4, -0.7, 0.9, 0.2])))
    weights = np.random.default_rng(0).normal(size=x.shape)
    y = g.sample("y", scg.Bernoulli(logits=np.sum(weights * x)))
    g.cost("loss", np.exp(0.5 * np.sum(weights**2 * x)) * (1.0 + y))
    return g


@pytest.mark.parametrize("name", JOINT)
def test_unbiased_on_joint_vectors(name):
    g = joint(name)
    estimators = {"x": scg.GO(), "y": scg.Enumeration()}
    if name == "mixture of unlike parts":  # whose values are not enumerated
        m = scg.moments(scg.compile(g, estimators), params_of(g))
        other = scg.moments(scg.compile(g, scg.ScoreFunction()), params_of(g))
        np.testing.assert_allclose(m.mean["t"], other.mean["t"], atol=1e-10)
    else:
        assert_exact(g, estimators)


@pytest.mark.parametrize("name", JOINT)
def test_the_mean_of_the_triple_over_the_jumps_is_go(name, points=4096):
    """At fixed samples the jump's uniform, on a grid, meets each jump in its share of cases."""
    g = joint(name)
    go, triple = (
        scg.compile(g, {"x": e, "y": scg.Enumeration()}, backend="numpy") for e in ORDERED
    )
    for seed in range(4):
        noise = go.noise(seed=seed, runs=1)
        every = {leaf: np.repeat(value, points, axis=0) for leaf, value in noise.items()}
        every["x/jump"] = ((np.arange(points) + 0.5) / points)[:, None]
        one = go(params_of(g), noise=noise).grads["t"]
        mean = triple(params_of(g), noise=every).grads["t"]
        np.testing.assert_allclose(mean, one, atol=4e-3 * (np.max(np.abs(one)) + 0.1))


def test_moves_of_mixtures_of_counts():
    """A Poisson number with more zeros: the weights, and the rate of the component."""
    g = scg.Graph("zeros")
    w, rate = g.parameter("w", 0.3), g.parameter("rate", 1.4)
    parts = [scg.Poisson(rate), scg.Binomial(1, probs=0.2 * w)]
    x = g.sample("x", scg.Mixture(parts, logits=np.stack([w, -w])))
    g.cost("loss", np.exp(-0.4 * x))
    m, true = (
        scg.moments(scg.compile(g, e), params_of(g)).mean for e in (scg.GO(), scg.ScoreFunction())
    )
    for name in true:
        assert m[name] == pytest.approx(float(true[name]), abs=1e-8)


def test_a_full_count_stays():
    """No evaluation leaves the support: log(4 − x) is infinite at 4 of 3 trials."""
    g = scg.Graph("full")
    x = g.sample("x", scg.Binomial(3, logits=g.parameter("t", 0.4)))
    g.cost("loss", np.log(4.0 - x))
    assert_exact(g, scg.GO())


def test_which_joint_vectors_are_refused():
    g = scg.Graph("hidden")
    t = g.parameter("t", [0.4, -0.7])
    law = scg.HiddenMarkov(2, t, np.zeros((2, 2)), scg.Bernoulli(logits=t))
    g.cost("loss", np.sum(g.sample("x", law)))
    with pytest.raises(scg.EstimatorError, match="its states are summed out: declare them"):
        scg.compile(g, scg.GO())
    g = scg.Graph("counts")
    r = g.parameter("r", 2.0)
    parts = [scg.NegativeBinomial(r, logits=0.3), scg.Poisson(2.0)]
    g.cost("loss", g.sample("x", scg.Mixture(parts, logits=[0.0, 0.2])))
    with pytest.raises(scg.EstimatorError, match="not in '0/total_count'"):
        scg.compile(g, scg.GO())
    g = scg.Graph("spike")
    parts = [scg.Bernoulli(logits=g.parameter("t", 0.2)), scg.Normal(0.0, 1.0)]
    g.cost("loss", g.sample("x", scg.Mixture(parts, logits=[0.0, 0.2])))
    with pytest.raises(scg.EstimatorError, match="next value"):
        scg.compile(g, scg.GO())


def test_subsets_of_two_sizes_have_no_common_support():
    """They are as many, and not the same."""
    law = scg.Mixture([scg.Subset(np.zeros(3), 1), scg.Subset(np.zeros(3), 2)], logits=[0.0, 0.0])
    with pytest.raises(scg.UnsupportedError, match="no common support"):
        law.cardinality()
