"""Subsets, orders and chains: sums by dynamic programming against sums over all values."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import scipy.special
import scipy.stats

import scg
from scg.compiler.differentiate import gradients
from scg.engine.interpreter import Interpreter

from . import law

rng = np.random.default_rng(0)
A, B = rng.normal(size=(2, 5))
U, V, VS = rng.normal(size=(4, 3)), rng.normal(size=(3, 3)), rng.normal(size=(3, 3, 3))
RUNS = 2000
FILE = Path(__file__).resolve().parents[2] / "docs" / "results" / "sampled.json"
RECORDED = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
ROWS = {
    "subset": (lambda logits: scg.Subset(logits, 2), {"logits": A}),
    "all": (lambda logits: scg.Subset(logits, 5), {"logits": A}),
    "order": (scg.PlackettLuce, {"logits": A[:4]}),
    "first of an order": (lambda logits: scg.PlackettLuce(logits, 2), {"logits": A}),
    "field": (scg.LinearChain, {"logits": U, "transition_logits": V}),
    "field of its own pairs": (scg.LinearChain, {"logits": U, "transition_logits": VS}),
    "single step": (scg.LinearChain, {"logits": U[:1], "transition_logits": V}),
    "matching": (scg.Matching, {"logits": V}),
    "chain": (
        lambda **given: scg.MarkovChain(4, **given),
        {"initial_logits": U[0], "transition_logits": V},
    ),
    "chain of its own pairs": (
        lambda **given: scg.MarkovChain(4, **given),
        {"initial_logits": U[0], "transition_logits": VS},
    ),
}


def softmax(a):
    return scipy.special.softmax(a, axis=-1)


def energy(name, params, x):
    """Log-weight of a value by the definition of its distribution, not normalised."""
    if name in ("subset", "all"):
        return params["logits"] @ x
    if name == "matching":
        return np.sum(params["logits"] * x)
    if "order" in name:
        left, total = list(range(x.shape[1])), 0.0
        for item in np.argmax(x, axis=1):
            theta = params["logits"]
            total += theta[item] - scipy.special.logsumexp(theta[left])
            left.remove(item)
        return total
    path, pairs = np.argmax(x, axis=1), params["transition_logits"]
    pairs = np.broadcast_to(pairs, (3, 3, 3))
    steps = list(itertools.pairwise(path))
    if "field" in name or name == "single step":
        return sum(params["logits"][t, k] for t, k in enumerate(path)) + sum(
            pairs[t, i, j] for t, (i, j) in enumerate(steps)
        )
    return np.log(softmax(params["initial_logits"])[path[0]]) + sum(
        np.log(softmax(pairs[t, i])[j]) for t, (i, j) in enumerate(steps)
    )


@pytest.mark.parametrize("name", ROWS)
def test_sums_over_all_values(name):
    make, params = ROWS[name]
    d, q = make(**params), make(**{key: np.sin(3.0 * v) for key, v in params.items()})
    values = d.enumerate_support()
    assert len(np.unique(values, axis=0)) == len(values) == d.cardinality()
    assert d.support.contains(values).all()
    logp = np.array([energy(name, params, x) for x in values])
    logp -= scipy.special.logsumexp(logp)
    p = np.exp(logp)
    np.testing.assert_allclose([d.log_prob(x) for x in values], logp, rtol=1e-12, atol=1e-12)
    mean = np.tensordot(p, values, 1)
    np.testing.assert_allclose(d.mean(), mean, atol=1e-13)
    np.testing.assert_allclose(d.variance(), np.tensordot(p, (values - mean) ** 2, 1), atol=1e-13)
    np.testing.assert_allclose(d.entropy(), -p @ logp, atol=1e-12)
    logq = np.array([q.log_prob(x) for x in values])
    np.testing.assert_allclose(d.kl(q), p @ (logp - logq), atol=1e-12)
    np.testing.assert_array_equal(d.mode(), values[np.argmax(p)])
    for x, logp_x in zip(values[:20], logp, strict=False):
        steps = d.conditionals(x).log_prob_elementwise(d.choices(x))
        np.testing.assert_allclose(np.sum(steps), logp_x, atol=1e-12)


@pytest.mark.parametrize("name", ROWS)
def test_gradients_and_single_precision(name):
    make, params = ROWS[name]
    d = make(**params)
    x = d.enumerate_support()[-1]
    law.check_log_prob(make, params, x, d.log_prob(x), rtol=1e-11, float32=1e-4)


@pytest.mark.parametrize("name", ["subset", "first of an order", "field", "chain"])
@pytest.mark.parametrize("what", ["mean", "entropy", "kl"])
def test_gradients_of_summaries(name, what):
    make, params = ROWS[name]
    weight = rng.normal(size=make(**params).shape)

    def summary(d):
        if what == "kl":
            return d.kl(make(**{key: np.sin(3.0 * np.asarray(v)) for key, v in params.items()}))
        return np.sum(weight * d.mean()) if what == "mean" else d.entropy()

    if what == "kl":
        other = make(**{key: np.sin(3.0 * v) for key, v in params.items()})
        summary = lambda d: d.kl(other)  # noqa: E731
    _, d, nodes = law.as_nodes(make, params)
    slopes = gradients(summary(d), list(nodes.values()))
    leaves = {node: params[key] for key, node in nodes.items()}
    out = law.evaluate(dict(zip(nodes, slopes, strict=True)), leaves)
    for key in params:

        def value(changed, key=key):
            return summary(make(**{**params, key: changed}))

        numeric = law.difference(value, params[key], 1e-2)
        np.testing.assert_allclose(out[key], numeric, atol=1e-8, err_msg=key)


def test_extreme_logits():
    """Weights that differ by more than a number can hold, and impossible steps."""
    theta = np.array([900.0, -900.0, 0.0, 1.0])
    d = scg.Subset(theta, 2)
    x = np.array([1.0, 0.0, 0.0, 1.0])
    np.testing.assert_allclose(d.log_prob(x), -np.log1p(np.exp(-1.0)), rtol=1e-12)
    np.testing.assert_allclose(np.sum(d.mean()), 2.0, rtol=1e-12)
    order = scg.PlackettLuce(theta)
    x = np.eye(4)[[0, 3, 2, 1]]
    np.testing.assert_allclose(order.log_prob(x), -np.log1p(np.exp(-1.0)), rtol=1e-12)
    np.testing.assert_array_equal(np.round(order.mean()[3]), [0, 1, 0, 0])
    never = np.array([[0.3, -np.inf], [0.1, 0.7]])
    chain = scg.MarkovChain(3, [0.0, 0.0], never)
    step = np.eye(2)[[0, 1, 1]]
    assert chain.log_prob(step) == -np.inf and np.isfinite(chain.entropy())
    assert chain.log_prob(np.eye(2)[[1, 1, 0]]) > -np.inf
    for bad in (np.zeros((3, 2)), np.ones((3, 2))):
        assert chain.log_prob(bad) == -np.inf
    assert order.log_prob(np.eye(4)[[0, 0, 1, 2]]) == -np.inf
    assert d.log_prob(np.ones(4)) == -np.inf


def test_wallenius_and_fisher():
    """Weights of two kinds: the number of the first kind has SciPy's distributions."""
    odds, good, bad, k = 2.5, 4, 3, 3
    theta = np.log(np.repeat([odds, 1.0], [good, bad]))
    for d, peer in (
        (scg.Subset(theta, k), scipy.stats.nchypergeom_fisher),
        (scg.PlackettLuce(theta, k), scipy.stats.nchypergeom_wallenius),
    ):
        values = d.enumerate_support()
        taken = values.reshape(len(values), -1, good + bad).sum(axis=1)[:, :good].sum(axis=1)
        p = np.bincount(taken.astype(int), d.prob(values), k + 1)
        np.testing.assert_allclose(p, peer(good + bad, good, k, odds).pmf(range(k + 1)), atol=1e-9)


EMISSIONS = {
    "numbers": (scg.Normal, {"loc": U[0], "scale": np.array(0.7)}, rng.normal(size=5)),
    "vectors": (
        lambda loc: scg.Independent(scg.Normal(loc, 1.2)),
        {"loc": U[:3, :2]},
        rng.normal(size=(5, 2)),
    ),
    "classes": (scg.Categorical, {"logits": VS[0]}, np.array([0, 2, 1, 1, 0])),
    "bits": (scg.Bernoulli, {"logits": U[:3, :2]}, np.eye(2)[[0, 1, 1, 0, 0]]),
}


@pytest.mark.parametrize("name", EMISSIONS)
def test_hidden_markov(name):
    family, params, x = EMISSIONS[name]
    emission = family(**params)
    start, steps = U[0], VS[1]

    def make(initial_logits, transition_logits, **given):
        return scg.HiddenMarkov(len(x), initial_logits, transition_logits, family(**given))

    d = make(start, steps, **params)
    paths = np.array(list(itertools.product(range(3), repeat=len(x))))
    table = np.array([emission.log_prob(np.stack([row] * 3), elementwise=True) for row in x])
    table = table.reshape(len(x), 3, -1).sum(axis=-1)
    logs = [
        d.states.log_prob(np.eye(3)[path]) + sum(table[t, k] for t, k in enumerate(path))
        for path in paths
    ]
    total = scipy.special.logsumexp(logs)
    np.testing.assert_allclose(d.log_prob(x), total, rtol=1e-12)
    marginals = np.tensordot(np.exp(logs - total), np.eye(3)[paths], 1)
    np.testing.assert_allclose(d.posterior(x).mean(), marginals, atol=1e-12)
    if name != "vectors":
        given = {"initial_logits": start, "transition_logits": steps, **params}
        law.check_log_prob(make, given, x, total, rtol=1e-11, float32=2e-4)
    if d.supports("mean"):
        means = np.asarray(emission.mean())
        np.testing.assert_allclose(d.mean(), np.tensordot(d.states.mean(), means, 1), atol=1e-12)


def test_hidden_markov_outside_the_support_and_under_a_mask():
    d = scg.HiddenMarkov(2, [0.0, 0.0], np.eye(2), scg.Exponential([1.0, 2.0]))
    assert d.log_prob(np.array([-1.0, 0.3])) == -np.inf
    assert d.log_prob(np.array([-1.0, 0.3]), mask=False) == 0.0
    g = scg.Graph()
    rate, x = g.parameter("rate", [1.0, 2.0]), g.data("x", shape=(2,))
    d = scg.HiddenMarkov(2, [0.0, 0.0], np.eye(2), scg.Exponential(rate))
    (slope,) = gradients(d.log_prob(x), [rate])
    for at, zero in (([-1.0, 0.3], True), ([0.2, 0.3], False)):
        out = law.evaluate({"s": slope}, {rate: np.array([1.0, 2.0]), x: np.array(at)})["s"]
        assert np.isfinite(out).all() and (out == 0).all() == zero


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: scg.Subset([0.0, 1.0], 3), "k must be from 1 to 2"),
        (lambda: scg.Subset(np.zeros((2, 2)), 1), "what repeats is a plate"),
        (lambda: scg.PlackettLuce([0.0, 1.0], 3), "k must be from 1 to 2"),
        (lambda: scg.LinearChain(np.zeros(3), V), "must have the shape"),
        (lambda: scg.LinearChain(U, V[:2]), "transition_logits must have the shape"),
        (lambda: scg.MarkovChain(2, U, V), "must be a vector"),
        (lambda: scg.HiddenMarkov(3, U[0], V, scg.Normal()), "first event axis"),
        (
            lambda: scg.HiddenMarkov(3, U[0], V, scg.MultivariateNormal(U[0], scale_tril=V @ V.T)),
            "lower",
        ),
        (lambda: scg.HiddenMarkov(3, U[0], V, 2.0), "emission must be a distribution"),
        (lambda: scg.HiddenMarkov(3, U[0], V, scg.Uniform(U[0], 9.0)), "one support"),
        (lambda: scg.Matching(np.zeros((2, 3))), "square matrix"),
        (lambda: scg.Matching(np.zeros((13, 13))), "at most 12 rows"),
        (lambda: scg.PlackettLuce(np.zeros(20)).mean(), "more than 4096 sets"),
    ],
)
def test_errors(make, message):
    with pytest.raises(scg.ScgError, match=message):
        make()


NODES = {
    "subset": lambda t: scg.Subset(t, 2),
    "order": scg.PlackettLuce,
    "first of an order": lambda t: scg.PlackettLuce(t, 2),
    "field": lambda t: scg.LinearChain(np.stack([t, -t]).T, V[:2, :2] * t[0]),
    "matching": lambda t: scg.Matching(np.outer(t, t - 0.5)),
    "chain": lambda t: scg.MarkovChain(3, t, np.outer(t, t)),
}


def graph(name):
    g = scg.Graph()
    t = g.parameter("t", A[:3])
    b = g.sample("b", NODES[name](t))
    weight = np.random.default_rng(1).normal(size=b.shape)
    g.cost("c", np.exp(0.4 * np.sum(weight * b)) + np.sum(weight * b) ** 2 * t[1])
    return g


@pytest.mark.parametrize("name", NODES)
def test_samplers_are_exact(name):
    """Mean of the score-function estimate over all cells of the noise."""
    g = graph(name)
    params = g.init(seed=0)
    step = scg.compile(g, estimator=scg.ScoreFunction(), backend="numpy")
    found = scg.moments(step, params, variance=False)
    np.testing.assert_allclose(found.mean["t"], scg.exact(g, params).grads["t"], atol=1e-10)


def test_backends_agree_on_plates():
    """All of them in one step, on a plate, above a cost and under the same noise."""
    g, plate = scg.Graph(), scg.Plate("batch", reduce="mean")
    t, x = g.parameter("t", A[:3]), g.data("x", plates=plate)
    bits = sum(np.sum(g.sample(n.replace(" ", "_"), make(t * x))[0]) for n, make in NODES.items())
    seen = scg.HiddenMarkov(3, t, np.outer(t, t) * x, scg.Normal(t, 1.0))
    g.cost("seen", -seen.log_prob(np.array([0.3, -1.0, 0.4])))
    g.cost("c", bits**2)
    params = g.init(seed=0)
    ours, its = (
        scg.compile(g, scg.ScoreFunction(), backend=backend)(
            params, seed=3, runs=50, x=np.array([0.7, -1.4])
        )
        for backend in ("numba", "numpy")
    )
    np.testing.assert_allclose(ours.grads["t"], its.grads["t"], rtol=1e-9)


@pytest.mark.parametrize("name", NODES)
def test_second_derivatives(name):
    g = graph(name)
    params = g.init(seed=0)
    found = scg.compile(g, estimator=scg.Enumeration(), backend="numpy", order=2)(params, seed=0)

    def slope(t):
        return scg.exact(g, {"t": t}).grads["t"]

    for i in range(3):
        numeric = law.difference(lambda t, i=i: slope(t)[i], params["t"], 1e-2)
        np.testing.assert_allclose(found.hessian["t"]["t"][i], numeric, atol=1e-7)


#: Estimators whose noise is integrated nowhere: averages of runs, of which
#: docs/sampled.py records the bias that they would find.
SAMPLED = {
    "REBAR": lambda: scg.REBAR(learn=False),
    "REBAR, independent": lambda: scg.REBAR(learn=False, coupled=False),
    "RELAX": lambda: scg.RELAX(hidden=(3,)),
}
SAMPLED_RUNS, LIMIT = 20_000, 7.0


def sampled(name, estimator, seed):
    """The deviation of a mean gradient from the truth, its errors, and the truth."""
    g = graph(name)
    params = g.init(seed=0)
    out = scg.compile(g, SAMPLED[estimator](), backend="numpy")(
        params, seed=seed, runs=SAMPLED_RUNS
    )
    truth = scg.exact(g, params).grads["t"]
    return out.grads["t"] - truth, out.stderr["t"], truth


def detectable(error, truth):
    """The bias that is found with probability 0.99, relative to the largest component."""
    return float((LIMIT + scipy.stats.norm.ppf(0.99)) * np.max(error) / np.max(np.abs(truth)))


@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize("estimator", SAMPLED)
@pytest.mark.statistical
def test_relaxations_are_unbiased(name, estimator, seed):
    """By z-scores of 3 gradients, below 7: a false alarm has a probability of 3e-12 for each."""
    off, error, truth = sampled(name, estimator, seed)
    assert np.all(np.abs(off) < LIMIT * error)
    assert detectable(error, truth) < 1.1 * RECORDED[name][estimator]
    if estimator != "RELAX":
        g = graph(name)
        score = scg.compile(g, scg.ScoreFunction(), backend="numpy")
        score = score(g.init(seed=0), seed=seed, runs=SAMPLED_RUNS)
        assert np.sum(error**2) < np.sum(score.stderr["t"] ** 2)


@pytest.mark.parametrize("name", NODES)
@pytest.mark.statistical
def test_the_latent_given_a_sample_has_the_distribution_of_the_latent(name, seed):
    """Perturbations are Gumbel, given the sample or not; Kolmogorov-Smirnov, 1e-9 for each."""
    g, runs = scg.Graph(), scg.Plate("runs")
    t = g.parameter("t", A[:3])
    d = NODES[name](t)
    leaves = {}

    class Noise:
        def uniform(self, shape, tag="u"):
            if tag not in leaves:
                leaves[tag] = g.data(f"u{len(leaves)}", shape=shape, plates=runs)
            return leaves[tag]

    x = d.sample(Noise())
    like = d.location() + d.perturbation(x, Noise())
    parts = {"new": d.condition(x, Noise()), "coupled": d.condition(x, Noise(), like)}
    parts = {key: z - d.location() for key, z in parts.items()}
    parts["z"] = like - d.location()
    given = {
        leaf: np.random.default_rng([seed, i]).random((RUNS, *leaf.shape))
        for i, leaf in enumerate(leaves.values())
    }
    out = Interpreter(parts).run({t: A[:3], **given}, {runs: RUNS})
    for key in ("new", "coupled"):
        for column in np.reshape(out[key], (RUNS, -1)).T:
            assert scipy.stats.kstest(column, scipy.stats.gumbel_r.cdf).pvalue > 1e-9, key
    np.testing.assert_allclose(out["coupled"], out["z"], atol=1e-9)


def test_a_straight_through_subset_is_simple():
    """SIMPLE: the derivative of the exact marginals at an exact sample."""
    g = graph("subset")
    step = scg.compile(g, scg.StraightThrough(allow_biased=True), backend="numpy")
    params = g.init(seed=0)
    out = step(params, seed=0)
    x = g.simulate(params, nodes=["b"], seed=0, runs=1)["b"][0]
    weight = np.random.default_rng(1).normal(size=3)
    inner = weight @ x
    slope = (0.4 * np.exp(0.4 * inner) + 2 * inner * A[1]) * weight
    jacobian = np.array(
        [law.difference(lambda t, i=i: scg.Subset(t, 2).mean()[i], A[:3], 1e-2) for i in range(3)]
    )
    direct = np.array([0.0, inner**2, 0.0])
    np.testing.assert_allclose(out.grads["t"], slope @ jacobian + direct, atol=1e-9)


def test_a_long_sequence_is_quick_to_sum():
    assert math.isclose(scg.MarkovChain(50, np.zeros(8), np.eye(8)).mean()[-1].sum(), 1.0)
