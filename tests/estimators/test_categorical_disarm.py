"""Stick-breaking and tree DisARM: exact mean, the published formula, DisARM with two classes."""

import numpy as np
import pytest

import scg

from . import binary
from .graphs import assert_exact, classes, sigmoid
from .test_arsm import LOGITS, cost, graph

BOTH = ("stick", "tree")


@pytest.mark.parametrize("construction", BOTH)
def test_unbiased_alone_in_layers_and_on_a_plate(construction):
    estimator = scg.CategoricalDisARM(construction)
    assert_exact(graph(), estimator)
    assert_exact(classes(), estimator)
    assert_exact(classes(), {"x": estimator, "y": scg.CARMS(2)})
    g = scg.Graph("plated")
    batch = scg.Plate("batch", length=2, reduce="mean")
    probs = scg.softmax(g.parameter("p", [0.2, -0.6, 0.5, 0.3, -0.2]))
    x = g.sample("x", scg.Categorical(probs=probs), plates=batch)
    g.cost("each", np.exp(0.4 * x))
    g.cost("both", scg.plate_mean(x * 1.0, batch) ** 3)
    g.cost("penalty", np.sum(probs**2))
    assert_exact(g, estimator)


def sticks(order):
    """Logits of the choices and the sets of classes [n] for the values 1 and 0."""
    return [([order[n]], list(order[n + 1 :])) for n in range(len(order) - 1)]


TREE = [([1, 2], [0]), ([2], [1])]


@pytest.mark.parametrize("construction", BOTH)
def test_the_published_formula_on_the_same_noise(construction):
    """Both paths walked in loops; factors as in the three cases of the published estimator."""
    actual, noise = binary.grads(graph(), scg.CategoricalDisARM(construction), runs=40)
    total = np.zeros_like(LOGITS)
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)
    for u in noise["x/u"]:
        paths, z = [[], []], np.zeros((2, 2), dtype=int)
        for d in range(2):
            splits = sticks(np.argsort(p[d])) if construction == "stick" else TREE
            for i in range(2):
                left, active = {0, 1, 2}, []
                for n, (ones, zeros) in enumerate(splits):
                    if not left & set(ones) or not left & set(zeros):
                        active.append(None)
                        continue
                    chance = p[d, ones].sum() / p[d, ones + zeros].sum()
                    b = (u[d, n] if i == 0 else 1 - u[d, n]) < chance
                    left &= set(ones if b else zeros)
                    active.append(float(b))
                paths[i].append(active)
                (z[i, d],) = left
        half = 0.5 * (cost(z[0]) - cost(z[1]))
        for d in range(2):
            splits = sticks(np.argsort(p[d])) if construction == "stick" else TREE
            for n, (ones, zeros) in enumerate(splits):
                chance = p[d, ones].sum() / p[d, ones + zeros].sum()
                b, twin = paths[0][d][n], paths[1][d][n]
                factor = 0.0
                if b is not None and twin is not None:
                    phi = np.log(chance / (1 - chance))
                    factor = half * (b - twin) * sigmoid(abs(phi))
                elif b is not None:
                    factor = half * (b - chance)
                elif twin is not None:
                    factor = -half * (twin - chance)
                # φ is the log of a ratio of sums: ∂φ/∂θ are the shares within the two sets.
                total[d, ones] += factor * p[d, ones] / p[d, ones].sum()
                total[d, zeros] -= factor * p[d, zeros] / p[d, zeros].sum()
    np.testing.assert_allclose(actual, total / 40, atol=1e-10)


@pytest.mark.parametrize("construction", BOTH)
def test_two_classes_are_disarm(construction):
    """The stick puts the rarer class first: with p < 1/2 both compare u with p."""
    logits = binary.LOGITS if construction == "tree" else -np.abs(binary.LOGITS)
    expected, noise = binary.grads(binary.graph(logits), scg.DisARM())
    actual, same = binary.grads(binary.as_classes(logits), scg.CategoricalDisARM(construction))
    np.testing.assert_array_equal(noise["b/u"].ravel(), same["b/u"].ravel())
    np.testing.assert_allclose(actual, expected, atol=1e-10)


def test_the_splits_separate_every_class():
    from scg.estimators.categorical_disarm import _SPLITS

    for construction, split in _SPLITS.items():
        for count in (2, 3, 5, 8):
            ones, zeros = split(count)
            assert ones.shape == zeros.shape == (count - 1, count)
            assert not np.any(ones * zeros)
            signed = (ones - zeros).T
            for a in range(count):
                for b in range(a):
                    assert np.any(signed[a] * signed[b] < 0), (construction, a, b)


def test_messages():
    with pytest.raises(scg.EstimatorError, match='construction must be "stick" or "tree"'):
        scg.CategoricalDisARM("bush")
