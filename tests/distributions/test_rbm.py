"""Restricted Boltzmann machines: against sums over all configurations of both sides."""

import itertools

import numpy as np
import pytest
import scipy.special

import scg
from scg.compiler.differentiate import gradients
from scg.distributions import configurations
from scg.engine.interpreter import Interpreter

from . import law

NAMES = ("visible_bias", "hidden_bias", "weights")
SIZES = {"fewer hidden": (5, 3), "fewer visible": (2, 6), "equal": (3, 3), "single": (1, 1)}


def parameters(n, m, seed=0):
    rng = np.random.default_rng(seed)
    return dict(zip(NAMES, map(rng.normal, (0.0,) * 3, (1.3,) * 3, (n, m, (n, m))), strict=True))


def bits(n):
    return np.array(list(itertools.product((0.0, 1.0), repeat=n)))


def table(visible_bias, hidden_bias, weights):
    """Log-weights of all visible vectors and hidden vectors, by the energy of both."""
    v, h = bits(len(visible_bias)), bits(len(hidden_bias))
    return (v @ visible_bias)[:, None] + h @ hidden_bias + v @ weights @ h.T


@pytest.fixture(params=[configurations.BLOCK, 8], ids=["one block", "many blocks"])
def blocks(request, monkeypatch):
    monkeypatch.setattr(configurations, "BLOCK", request.param)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_sums_over_both_sides(size):
    n, m = size
    given, others = parameters(n, m), parameters(n, m + 2, seed=1)
    d, q = scg.RBM(**given), scg.RBM(**others)
    joint = table(**given)
    logp = scipy.special.logsumexp(joint, axis=1) - scipy.special.logsumexp(joint)
    p, values = np.exp(logp), d.enumerate_support()
    np.testing.assert_array_equal(values, bits(n))
    assert len(values) == d.cardinality()
    assert d.support.contains(values).all()
    np.testing.assert_allclose(d.log_normalizer, scipy.special.logsumexp(joint), rtol=1e-13)
    np.testing.assert_allclose([d.log_prob(x) for x in values], logp, atol=1e-12)
    np.testing.assert_allclose(d.mean(), p @ values, atol=1e-13)
    np.testing.assert_allclose(d.variance(), p @ (values - p @ values) ** 2, atol=1e-13)
    np.testing.assert_allclose(d.entropy(), -p @ logp, atol=1e-12)
    logq = scipy.special.logsumexp(table(**others), axis=1)
    logq -= scipy.special.logsumexp(logq)
    np.testing.assert_allclose(d.kl(q), p @ (logp - logq), atol=1e-12)


def test_without_weights_the_units_are_independent():
    a = np.array([0.3, -1.2, 2.0])
    d, b = scg.RBM(a, np.ones(2), np.zeros((3, 2))), scg.Bernoulli(logits=a)
    x = np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(d.log_prob(x), b.log_prob(x), atol=1e-13)
    np.testing.assert_allclose(d.mean(), b.mean(), atol=1e-14)
    np.testing.assert_allclose(d.entropy(), b.entropy(), atol=1e-13)


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_gradients_and_single_precision(size):
    given = parameters(*size)
    x = (np.arange(size[0]) % 2).astype(float)
    law.check_log_prob(scg.RBM, given, x, scg.RBM(**given).log_prob(x), rtol=1e-11, float32=1e-4)


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize("size", [(4, 2), (2, 4)])
def test_derivatives_of_log_z_are_moments(size):
    """The first are means and the second covariances of the statistics v, h and v hᵀ."""
    n, m = size
    given = parameters(n, m)
    g = scg.Graph()
    nodes = [g.parameter(name, value) for name, value in given.items()]
    first = gradients(scg.RBM(*nodes).log_normalizer, nodes)
    second = gradients(first[2][0, 1], nodes)
    outputs = dict(enumerate([*first, *second]))
    found = Interpreter(outputs).run(dict(zip(nodes, given.values(), strict=True)), {})
    p = scipy.special.softmax(table(**given))
    v, h = bits(n)[:, None, :], bits(m)[None, :, :]
    statistics = v, h, v[..., :, None] * h[..., None, :]
    of = statistics[2][..., 0, 1]
    for i, s in enumerate(np.broadcast_arrays(s, p.reshape(p.shape + (1,) * (s.ndim - 2)))[0]
                          for s in statistics):  # fmt: skip
        mean = np.tensordot(p, s, 2)
        np.testing.assert_allclose(found[i], mean, atol=1e-13)
        covariance = np.tensordot(p * of, s, 2) - np.sum(p * of) * mean
        np.testing.assert_allclose(found[3 + i], covariance, atol=1e-13)


@pytest.mark.parametrize("what", ["mean", "entropy", "kl"])
@pytest.mark.parametrize("size", [(3, 2), (2, 3)])
def test_gradients_of_summaries(what, size):
    given, other = parameters(*size), scg.RBM(**parameters(*size, seed=1))
    g = scg.Graph()
    nodes = {name: g.parameter(name, value) for name, value in given.items()}

    def summary(d):
        value = d.kl(other) if what == "kl" else getattr(d, what)()
        return np.sum(value * np.arange(1.0, 1.0 + np.size(given["visible_bias"])))

    slopes = gradients(summary(scg.RBM(**nodes)), list(nodes.values()))
    found = Interpreter(dict(zip(nodes, slopes, strict=True))).run(
        {node: given[name] for name, node in nodes.items()}, {}
    )
    for name, value in given.items():
        numeric = law.difference(
            lambda x, name=name: summary(scg.RBM(**{**given, name: x})), value, 1e-2
        )
        np.testing.assert_allclose(found[name], numeric, atol=1e-9)


def graph(n, m):
    g = scg.Graph()
    d = scg.RBM(**{name: g.parameter(name, value) for name, value in parameters(n, m).items()})
    x = g.sample("x", d)
    g.cost("c", np.exp(0.4 * np.sum(x * np.arange(n))) + x[0] * np.sum(d.parameters["weights"]))
    return g


@pytest.mark.parametrize("size", [(3, 2), (2, 4), (1, 1)])
def test_samplers_are_exact(size):
    """Mean of the score-function estimate over all cells of the noise."""
    g = graph(*size)
    params = g.init(seed=0)
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    found, truth = scg.moments(step, params, variance=False), scg.exact(g, params)
    for name in NAMES:
        np.testing.assert_allclose(found.mean[name], truth.grads[name], atol=1e-12)


def test_backends_agree_on_plates():
    g, plate = scg.Graph(), scg.Plate("batch", reduce="mean")
    t, x = g.parameter("t", [0.4, -0.9, 0.3]), g.data("x", plates=plate)
    few = g.sample("few", scg.RBM(t * x, t[:2], np.outer(t, t[:2] * x)))
    many = g.sample("many", scg.RBM(t[:2] * x, t, np.outer(t[:2], t)))
    g.cost("c", (np.sum(few) + 2.0 * many[0] * many[1]) ** 2)
    ours, its = (
        scg.compile(g, scg.ScoreFunction(), backend=backend)(
            g.init(seed=0), seed=3, runs=50, x=np.array([0.7, -1.4])
        )
        for backend in ("numba", "numpy")
    )
    np.testing.assert_allclose(ours.grads["t"], its.grads["t"], rtol=1e-9)


def test_as_many_units_as_there_may_be():
    """Biases alone, 16 beside 30: log Z and the mean are known."""
    a, b = np.linspace(-1.0, 2.0, 30), np.linspace(-3.0, 1.0, 16)
    d = scg.RBM(a, b, np.zeros((30, 16)))
    expected = np.logaddexp(0.0, a).sum() + np.logaddexp(0.0, b).sum()
    np.testing.assert_allclose(d.log_normalizer, expected, rtol=1e-12)
    np.testing.assert_allclose(d.mean(), scipy.special.expit(a), rtol=1e-11)
    assert scg.RBM(np.zeros(500), np.zeros(20), np.zeros((500, 20))).shape == (500,)


def test_large_weights_are_finite():
    d = scg.RBM([-500.0, 300.0], [800.0], [[-900.0], [700.0]])
    values = [d.log_prob(x) for x in d.enumerate_support()]
    np.testing.assert_allclose(values, [-1000.0, 0.0, -2300.0, -1400.0], atol=1e-9)
    np.testing.assert_allclose([d.entropy(), *d.mean()], [0.0, 0.0, 1.0], atol=1e-12)


def in_graph(make, n, m):
    return make(scg.Graph().parameter("a", np.zeros(n)), np.zeros(m), np.zeros((n, m)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: scg.RBM(np.zeros(3), np.zeros(2), np.zeros((2, 3))), r"expected \(n,\), \(m,\)"),
        (lambda: scg.RBM(np.zeros((2, 2)), np.zeros(2), np.zeros((2, 2))), "do not fit"),
        (lambda: scg.RBM(np.zeros(0), np.zeros(2), np.zeros((0, 2))), "do not fit"),
        (
            lambda: scg.RBM(np.zeros(21), np.zeros(21), np.zeros((21, 21))).mean(),
            "at most 20 units",
        ),
        (lambda: scg.RBM(np.zeros(21), [0.0], np.zeros((21, 1))).entropy(), "at most 20 units"),
        (
            lambda: in_graph(scg.RBM, 400, 20).log_normalizer,
            r"2\^20 · 400 numbers .* at most 2\^27",
        ),
        (lambda: scg.RBM([0.0], [0.0], [[1.0]]).log_prob(1.0), "not of the shape"),
    ],
)
def test_errors(make, message):
    with pytest.raises(scg.ScgError, match=message):
        make()


def test_other_values_are_impossible():
    d = scg.RBM([0.2, 0.4], [0.1], [[1.0], [-1.0]])
    assert d.log_prob([2.0, 0.0]) == d.log_prob([0.0, -1.0]) == d.log_prob([np.inf, 1.0]) == -np.inf
    assert np.isfinite(d.log_prob([0.3, 0.6]))  # a mean
