"""Probabilities of values, and their derivatives where a probability is 0."""

import math

import numpy as np
import pytest

import scg
from scg.compiler.differentiate import gradients
from scg.run.finish import finish

W = np.array([[0.0, 0.0, 0.0], [1.3, 0.0, 0.0], [-0.7, 0.4, 0.0]])
LAWS = {
    "Bernoulli logits": lambda: scg.Bernoulli(logits=[0.3, -1.0]),
    "Bernoulli probs": lambda: scg.Bernoulli(probs=[0.3, 0.9]),
    "Categorical": lambda: scg.Categorical(logits=[[0.1, 2.0, -1.0], [0.0, -np.inf, 1.0]]),
    "OneHotCategorical": lambda: scg.OneHotCategorical(probs=[[0.2, 0.3, 0.5], [0.0, 1.0, 0.0]]),
    "Binomial probs": lambda: scg.Binomial(5, probs=[0.3, 0.7]),
    "Binomial logits": lambda: scg.Binomial(5, logits=[0.3, 0.7]),
    "Multinomial probs": lambda: scg.Multinomial(3, probs=[0.2, 0.8, 0.0]),
    "Multinomial logits": lambda: scg.Multinomial(3, logits=[0.2, 0.3, -np.inf]),
    "OrderedLogistic": lambda: scg.OrderedLogistic([0.3, 1.0], [-1.0, 0.0, 2.0]),
    "OrderedLogistic of two": lambda: scg.OrderedLogistic(0.3, [1.0]),
    "Autoregressive": lambda: scg.Autoregressive(scg.Bernoulli, W, [0.1, 0.2, -0.3]),
    "RBM": lambda: scg.RBM([0.1, 0.2, -0.3], [0.4], [[1.3], [-0.7], [2.0]]),
    "Subset": lambda: scg.Subset([0.3, -0.4, 1.1], 1),
    "PlackettLuce": lambda: scg.PlackettLuce([0.3, -0.4, 1.1], 2),
    "Matching": lambda: scg.Matching([[0.3, -0.4], [1.1, 0.2]]),
    "MarkovChain": lambda: scg.MarkovChain(3, [0.0, -np.inf], W[:2, :2]),
    "LinearChain": lambda: scg.LinearChain(W[:, :2], [[0.0, -np.inf], [0.4, 0.2]]),
    "HiddenMarkov": lambda: scg.HiddenMarkov(
        2, [0.0, 0.4], W[:2, :2], scg.Categorical(logits=[[0.1, 0.4, -np.inf], [0.2, 0.3, 0.7]])
    ),
    "Independent": lambda: scg.Independent(scg.Bernoulli(probs=[0.3, 0.9])),
    "Mixture": lambda: scg.Mixture(
        [scg.Bernoulli(probs=[0.2, 0.0]), scg.Bernoulli(logits=[0.2, 0.3])], probs=[0.4, 0.6]
    ),
}


@pytest.mark.parametrize("name", LAWS)
def test_they_sum_to_one_and_are_those_of_log_prob(name):
    law = LAWS[name]()
    values = law.enumerate_support()
    probs = law.prob(values)
    with np.errstate(divide="ignore"):
        expected = [np.exp(law.log_prob(x)) for x in values]
    np.testing.assert_allclose(probs, expected, rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose([law.prob(x) for x in values], probs, rtol=1e-14, atol=1e-17)
    assert probs.shape == (law.cardinality(),)
    assert probs.sum() == pytest.approx(1.0, abs=1e-14)


def derivatives(make, at, f):
    """The first and second derivatives of Σ f(x) P(x) in the parameters of a law."""
    g = scg.Graph("law")
    t = g.parameter("t", at)
    law = make(t)
    mean = np.sum(f * law.prob(law.enumerate_support()))
    (first,) = gradients(mean, [t])
    second = [gradients(first[i] if t.shape else first, [t])[0] for i in range(t.size)]
    out = finish({"first": first, **dict(enumerate(second))}).run({"t": np.array(at)}, None, {})
    return out["first"][0], np.array([out[i][0] for i in range(t.size)])


def differences(p, at, f, h=1e-4):
    """The same of a polynomial, which goes on beyond the ends of the probabilities."""
    at = np.asarray(at, float)
    steps = h * np.eye(at.size).reshape(at.size, *at.shape)

    def mean(x):
        return np.sum(f * p(x))

    first = np.array([(mean(at + s) - mean(at - s)) / (2 * h) for s in steps])
    second = np.array(
        [
            [
                (mean(at + s + r) - mean(at + s - r) - mean(at - s + r) + mean(at - s - r))
                / (4 * h * h)
                for r in steps
            ]
            for s in steps
        ]
    )
    return first.reshape(at.shape), second.reshape(at.size, *at.shape)


def binomial(n):
    k = np.arange(n + 1)
    ways = np.array([math.comb(n, i) for i in k], float)
    return lambda p: ways * p**k * (1 - p) ** (n - k)


def bernoulli(p):
    return np.array([(1 - p[0]) * (1 - p[1]), (1 - p[0]) * p[1], p[0] * (1 - p[1]), p[0] * p[1]])


def multinomial(p):
    rows = scg.Multinomial(3, probs=np.ones(3) / 3).enumerate_support()
    ways = [6 / math.prod(math.factorial(int(k)) for k in row) for row in rows]
    return np.array(ways) * np.prod((p / p.sum()) ** rows, axis=-1)


AT_THE_END = [
    (lambda t: scg.Bernoulli(probs=t), bernoulli, [0.0, 1.0]),
    (lambda t: scg.Bernoulli(probs=t), bernoulli, [0.0, 0.3]),
    *(
        (lambda t, n=n: scg.Binomial(n, probs=t), binomial(n), p)
        for n in (1, 2, 4)
        for p in (0.0, 1.0)
    ),
    (lambda t: scg.OneHotCategorical(probs=t), lambda p: p / p.sum(), [0.3, 0.0, 0.7]),
    (lambda t: scg.Multinomial(3, probs=t), multinomial, [0.4, 0.0, 0.6]),
    (lambda t: scg.Multinomial(3, probs=t), multinomial, [1.0, 0.0, 0.0]),
]


@pytest.mark.parametrize("make, polynomial, at", AT_THE_END)
def test_derivatives_at_the_ends_of_probabilities(make, polynomial, at):
    f = np.random.default_rng(0).normal(size=len(polynomial(np.asarray(at))))
    first, second = derivatives(make, at, f)
    wanted = differences(polynomial, at, f)
    np.testing.assert_allclose(first, wanted[0], atol=1e-6)
    np.testing.assert_allclose(second, wanted[1], atol=1e-5)


@pytest.mark.parametrize("eta", [0.3, 40.0, -900.0])
def test_ordered_classes_between_far_thresholds(eta):
    """The slope of a probability is that of a difference of two sigmoids, without cancelling."""
    c = np.array([-1.0, 0.0, 2.0])
    f = np.array([1.0, -2.0, 0.5, 3.0])
    first, _ = derivatives(lambda t: scg.OrderedLogistic(t, c), eta, f)
    small = np.exp(-np.abs(c - eta))
    slope = np.concatenate([[0.0], -small / (1 + small) ** 2, [0.0]])
    assert first == pytest.approx(f @ np.diff(slope), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_binomial_of_a_thousand_trials(dtype):
    """Probabilities to working precision, and a mean whose slope is the number of trials."""
    g = scg.Graph("many")
    p = g.parameter("p", 0.3)
    x = g.sample("x", scg.Binomial(1000, probs=p))
    g.cost("cost", x)
    out = scg.compile(g, scg.Enumeration(), dtype=dtype)({"p": 0.3}, seed=0)
    rtol = 1e-12 if dtype == "float64" else 1e-5
    assert float(out.cost) == pytest.approx(300.0, rel=rtol)
    assert float(out.grads["p"]) == pytest.approx(1000.0, rel=10 * rtol)
