"""CARMS: exact also where the published code is not, its formula in NumPy, identities."""

import itertools
import warnings

import numpy as np
import pytest

import scg
from scg.estimators.parts.class_orders import cyclic_orders

from . import binary
from .atoms import atoms, moments
from .graphs import assert_exact, classes

SKEWED = np.array([0.97, 0.02, 0.01])
EVEN = np.array([0.3, 0.45, 0.25])
VALUES = np.array([0.3, -1.1, 2.0])


def one(p=SKEWED):
    """One variable of three classes; the cost is a table."""
    g = scg.Graph("one")
    x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("theta", np.log(p))))
    g.cost("loss", np.sum(x * VALUES))
    return g


def truth(p):
    return p * (VALUES - p @ VALUES)


def orders(count):
    """One cyclic order for each pair of classes at its ends, the later class first."""
    found = []
    for first in range(count):
        cycle = [(first + k) % count for k in range(1, count)]
        for turn in range(count - 1):
            order = [first, *cycle[turn:], *cycle[:turn]]
            if order[0] > order[-1]:
                found.append(order)
    return sorted(found, key=lambda order: (order[0], order[-1]))


def test_every_pair_is_at_the_ends_of_one_order():
    for count in (2, 3, 4, 5):
        table, before = cyclic_orders(count)
        assert table.tolist() == orders(count)
        assert len({(o[0], o[-1]) for o in table.tolist()}) == count * (count - 1) // 2
        for o, order in enumerate(table.tolist()):
            for c, d in itertools.product(range(count), repeat=2):
                assert before[o, c, d] == (order.index(d) < order.index(c))


def exact_moments(p, count):
    """Over the orders and the atoms of the copula."""
    step = scg.compile(one(p), scg.CARMS(count))
    every = orders(3)
    leaves, total = {}, []
    for o, order in enumerate(every):
        cdf = np.cumsum(p[order])[:-1]
        noise, weights = atoms(np.concatenate([cdf, 1 - cdf]), count)
        total.append(weights / len(every))
        rows = {f"x/u{k + 1 if k else ''}": noise[:, k : k + 1] for k in range(count - 1)}
        rows["x/order"] = np.full((len(weights), 1), (o + 0.5) / len(every))
        for name, row in rows.items():
            leaves.setdefault(name, []).append(row)
    noise = {name: np.concatenate(rows) for name, rows in leaves.items()}
    return moments(step, {"theta": np.log(p)}, noise, np.concatenate(total), "theta")


@pytest.mark.parametrize("p", [SKEWED, EVEN], ids=["skewed", "even"])
@pytest.mark.parametrize("count", [3, 4])
def test_the_mean_over_all_atoms_is_the_gradient(p, count):
    np.testing.assert_allclose(exact_moments(p, count)[0], truth(p), atol=1e-10)


@pytest.mark.parametrize("p", [SKEWED, EVEN], ids=["skewed", "even"])
@pytest.mark.parametrize("copula", ["dirichlet", "gaussian", "independent"])
def test_unbiased_with_two_draws(p, copula):
    m = assert_exact(one(p), scg.CARMS(2, copula))
    np.testing.assert_allclose(m.mean["theta"], truth(p), atol=1e-10)


@pytest.mark.parametrize("p", [SKEWED, EVEN], ids=["skewed", "even"])
def test_exact_moments_use_the_atoms(p):
    m = assert_exact(one(p), scg.CARMS(3))
    assert m.error == 0.0
    np.testing.assert_allclose(m.mean["theta"], truth(p), atol=1e-10)
    np.testing.assert_allclose(m.variance["theta"], exact_moments(p, 3)[1], atol=1e-10)


def test_unbiased_in_layers_and_on_a_plate():
    assert_exact(classes(), {"x": scg.CARMS(3), "y": scg.ScoreFunction()})
    assert_exact(classes(), scg.CARMS(2))
    assert_exact(classes(), {"x": scg.CARMS(2), "y": scg.LeaveOneOut()})
    g = scg.Graph("plated")
    batch = scg.Plate("batch", length=2, reduce="mean")
    logits = g.parameter("theta", [0.4, -0.2, 0.9])
    x = g.sample("x", scg.Categorical(logits=logits), plates=batch)
    g.cost("each", np.exp(0.4 * x))
    g.cost("both", scg.plate_mean(x * 1.0, batch) ** 3)
    assert_exact(g, scg.CARMS(2))


def published(p, x, f, count, joint, smoothing=0.0):
    """Leave-one-out with the weight of each pair, the draws being the first axis."""
    g = np.zeros(len(p))
    for i, j in itertools.permutations(range(count), 2):
        a, b = x[i], x[j]
        if a == b:
            continue
        ratio = (p[a] * p[b] + smoothing) / (joint[a, b] + smoothing)
        if smoothing:
            ratio = np.clip(ratio, 0.01, 10)
        g = g + ratio * (f[i] - f[j]) * (np.eye(len(p))[a] - p)
    return g / (count * (count - 1))


def dirichlet_joint(p, count):
    """The mass of rectangles, averaged over the orders."""

    def cdf(a, b):
        root = 1 / (count - 1)
        return max(0.0, max(a, 0) ** root + max(b, 0) ** root - 1) ** (count - 1)

    joint = np.zeros((len(p), len(p)))
    for order in orders(len(p)):
        edges = np.concatenate([[0], np.cumsum(p[order])])
        if count > 2 and p[order[0]] > p[order[-1]]:
            edges, order = np.concatenate([[0], np.cumsum(p[order[::-1]])]), order[::-1]
        for i, j in itertools.product(range(len(p)), repeat=2):
            joint[order[i], order[j]] += (
                cdf(edges[i + 1], edges[j + 1])
                + cdf(edges[i], edges[j])
                - cdf(edges[i], edges[j + 1])
                - cdf(edges[i + 1], edges[j])
            ) / len(orders(len(p)))
    return joint


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_published_formula_on_the_same_noise(count):
    step = scg.compile(one(EVEN), scg.CARMS(count))
    noise = step.noise(seed=4, runs=60)
    joint, every, total = dirichlet_joint(EVEN, count), orders(3), 0.0
    np.testing.assert_allclose(joint.sum(axis=0), EVEN, atol=1e-12)
    for r in range(60):
        order = every[int(noise["x/order"][r, 0] * len(every))]
        v = [noise[f"x/u{k if k > 1 else ''}"][r, 0] for k in range(1, count)]
        rest, shares = 1.0, []
        for k, stick in enumerate(v, 1):
            shares.append(rest * (1 - stick ** (1 / (count - k))))
            rest -= shares[-1]
        u = (1 - np.array([*shares, rest])) ** (count - 1)
        if count > 2 and EVEN[order[0]] > EVEN[order[-1]]:
            u = 1 - u
        x = [order[i] for i in np.searchsorted(np.cumsum(EVEN[order])[:-1], u)]
        total = total + published(EVEN, x, VALUES[x], count, joint)
    actual = step(one(EVEN).init(seed=0), noise=noise).grads["theta"]
    np.testing.assert_allclose(actual, total / 60, atol=1e-10)


def test_the_published_clipping_would_be_found():
    """Enumerate pairs: exact with the ratio itself, 7.7 % off in some class when smoothed."""
    joint = dirichlet_joint(SKEWED, 2)

    def mean(smoothing):
        return sum(
            joint[a, b] * published(SKEWED, [a, b], VALUES[[a, b]], 2, joint, smoothing)
            for a, b in itertools.product(range(3), repeat=2)
        )

    np.testing.assert_allclose(mean(0.0), truth(SKEWED), atol=1e-12)
    assert np.max(np.abs(mean(1e-3) / truth(SKEWED) - 1)) > 0.05


@pytest.mark.parametrize("copula", ["dirichlet", "gaussian", "independent"])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_two_classes_are_arms(copula, count):
    expected, _ = binary.grads(binary.graph(), scg.ARMS(count, copula))
    actual, _ = binary.grads(binary.as_classes(), scg.CARMS(count, copula))
    np.testing.assert_allclose(actual, expected, atol=1e-10)


@pytest.mark.parametrize("count", [2, 4])
def test_independent_draws_are_leave_one_out(count):
    """Up to the order of the classes: with two there is one order, reversed in both."""
    expected, noise = binary.grads(binary.graph(), scg.LeaveOneOut(count))
    actual, same = binary.grads(binary.as_classes(), scg.CARMS(count, "independent"))
    np.testing.assert_allclose(actual, expected, atol=1e-10)
    np.testing.assert_array_equal(noise["b/u"].ravel(), same["b/u"].ravel())


def toy(p):
    """Three variables of three classes and a linear cost: the toy of the paper."""
    g = scg.Graph("toy")
    x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("theta", np.log(p))))
    g.cost("loss", np.sum(x * np.arange(9.0).reshape(3, 3)))
    return g


def test_the_toy_of_the_paper_orders_the_variances():
    """Near uniform probabilities, coupled draws have the smaller variance (two draws, exact)."""
    rng = np.random.default_rng(5)
    for concentration in (100, 1000):
        p = rng.dirichlet(np.full(3, concentration), size=2)
        g = scg.Graph("toy")
        x = g.sample("x", scg.OneHotCategorical(logits=g.parameter("theta", np.log(p))))
        g.cost("loss", np.sum(x * np.arange(6.0).reshape(2, 3)))
        params = g.init(seed=0)
        carms, loo = (
            scg.moments(scg.compile(g, e), params).variance["theta"].sum()
            for e in (scg.CARMS(2), scg.LeaveOneOut(2))
        )
        assert carms < loo


@pytest.mark.statistical
def test_the_toy_of_the_paper_with_three_draws(seed):
    """Unbiased (18 tests at 7 σ: below 1e-10 by chance), with 0.85 times the variance of loo.

    The ratio of the variances is found with a standard error of 0.006; 0.9 is 8 of them away.
    """
    p = np.random.default_rng(7).dirichlet(np.full(3, 100), size=3)
    g = toy(p)
    params, exact = g.init(seed=0), scg.exact(g, g.init(seed=0)).grads["theta"]
    total = {}
    for estimator in (scg.CARMS(3), scg.CARMS(3, "gaussian"), scg.LeaveOneOut(3)):
        out = scg.compile(g, estimator)(params, seed=(seed, 8), runs=28_000)
        z = (out.grads["theta"] - exact) / out.stderr["theta"]
        assert np.all(np.abs(z) < 7), z
        assert 9.4 * np.max(out.stderr["theta"]) < 0.5 * np.max(np.abs(exact))
        total[str(estimator)] = np.sum(out.stderr["theta"] ** 2)
    dirichlet, gaussian, loo = total.values()
    assert dirichlet < 0.9 * loo
    assert gaussian < 0.92 * loo


@pytest.mark.statistical
def test_gumbel_says_that_it_is_biased_and_is(seed):
    """By 14 standard errors; an unbiased one is above 5 of them once in 10⁶ times."""
    p = np.array([0.8, 0.1, 0.1])
    with pytest.warns(scg.BiasWarning, match="CARMS"):
        scg.compile(one(p), scg.CARMS(2, sampling="gumbel"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", scg.BiasWarning)
        step = scg.compile(one(p), scg.CARMS(2, sampling="gumbel", allow_biased=True))
    out = step(one(p).init(seed=0), seed=(seed, 9), runs=100_000)
    assert not out.unbiased
    assert abs(out.cost - p @ VALUES) < 0.05
    z = (out.grads["theta"] - truth(p)) / out.stderr["theta"]
    assert np.max(np.abs(z)) > 5, f"the bias was not found: z {z}"


def test_messages():
    with pytest.raises(scg.EstimatorError, match="is not a distribution of classes"):
        scg.compile(binary.graph(), scg.CARMS())
    with pytest.raises(scg.EstimatorError, match="sampling must be"):
        scg.CARMS(sampling="poisson")
