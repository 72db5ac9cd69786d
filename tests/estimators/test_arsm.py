"""ARSM: the published formula on the same noise, ARM with two classes, no bias."""

import numpy as np
import pytest

import scg

from . import binary
from .graphs import classes, sigmoid

LOGITS = np.array([[0.4, -0.7, 1.1], [0.2, 0.3, -1.5]])
WEIGHTS = np.array([[0.3, 1.2, -0.4], [0.9, -0.6, 0.1]])


def graph():
    g = scg.Graph("two")
    x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("theta", LOGITS)))
    s = np.sum(x * WEIGHTS, axis=-1)
    g.cost("loss", np.exp(s[0]) + (s[0] + s[1] + 0.3) ** 3)
    return g


def cost(z):
    s = WEIGHTS[[0, 1], z]
    return np.exp(s[0]) + (s.sum() + 0.3) ** 3


def test_the_published_formula_on_the_same_noise():
    """Every swap of the table f(z^{c⇌j}), in loops."""
    actual, noise = binary.grads(graph(), scg.ARSM(), runs=20)
    total = np.zeros((2, 3))
    for u, v in zip(noise["x/u"], noise["x/u2"], strict=True):
        first = 1 - u ** (1 / 2)
        second = (1 - first) * (1 - v)
        pi = np.stack([first, second, 1 - first - second], axis=-1)
        table = np.empty((3, 3))
        for c in range(3):
            for j in range(3):
                swapped = pi.copy()
                swapped[:, [c, j]] = swapped[:, [j, c]]
                table[c, j] = cost(np.argmin(np.log(swapped) - LOGITS, axis=-1))
        centred = table - table.mean(axis=0, keepdims=True)
        for c in range(3):
            for j in range(3):
                total[:, c] += centred[c, j] * (1 / 3 - pi[:, j])
    np.testing.assert_allclose(actual, total / 20, atol=1e-10)


def test_two_classes_are_arm():
    """The first share is 1 − u: class 1 is drawn where u < p, as ARM's twin of 1 − u is."""
    expected, noise = binary.grads(binary.graph(), scg.ARM())
    actual, same = binary.grads(binary.as_classes(), scg.ARSM())
    np.testing.assert_array_equal(noise["b/u"], same["b/u"])
    np.testing.assert_allclose(actual, expected, atol=1e-10)


def test_a_draw_for_every_swap():
    explained = scg.compile(graph(), scg.ARSM()).explain()
    assert explained.paths == 4
    assert scg.compile(classes(), scg.ARSM()).explain().paths == 4 * 2


@pytest.mark.statistical
@pytest.mark.parametrize("build", [graph, classes])
def test_no_bias(build, seed):
    """Fifteen tests at 7 σ: below 1e-9 by chance; a bias of 9.4 σ is found 99 times in 100."""
    g = build()
    out, truth = None, scg.exact(g, g.init(seed=0))
    out = scg.compile(g, scg.ARSM())(g.init(seed=0), seed=(seed, 10), runs=20_000)
    for name, exact in truth.grads.items():
        spread = out.stderr[name] > 1e-12
        z = (out.grads[name] - exact)[spread] / out.stderr[name][spread]
        assert np.all(np.abs(z) < 7), (name, z)
        assert 9.4 * np.max(out.stderr[name]) < max(0.5, np.max(np.abs(exact)))


def test_sigmoid_of_the_difference_is_the_probability():
    """The draws without a swap have the law of the node."""
    u = (np.arange(20_000) + 0.5) / 20_000
    step = scg.compile(binary.as_classes(np.array([0.4, -0.7, 1.9])), scg.ARSM())
    noise = {"b/u": np.stack([u] * 3, axis=-1)}
    out = step({"theta": binary.LOGITS}, noise=noise)
    p = sigmoid(binary.LOGITS)
    together = np.mean(binary.costs(1.0 * (u[:, None] < p)))
    swapped = np.mean(binary.costs(1.0 * (u[:, None] > 1 - p)))
    assert out.cost == pytest.approx((together + swapped) / 2, abs=1e-12)
