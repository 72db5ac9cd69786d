"""Impossible values: probabilities 0 and 1, logits at ±∞, as numbers and through nodes.

Structured families are held to sums over all values that masks leave possible. All families are
held to finite costs, gradients, entropies, divergences and means, on both backends.
"""

import numpy as np
import pytest
import scipy.special

import scg

from . import law
from .test_structured import energy

INF = np.inf
rng = np.random.default_rng(5)
A, U, V = rng.normal(size=5), rng.normal(size=(3, 3)), rng.normal(size=(3, 3))


def at(shape, *places):
    mask = np.zeros(shape)
    for place in places:
        mask[place] = -INF
    return mask


#: What makes a distribution, its parameters, and where they are masked; the first parameter is.
STRUCTURED = {
    "subset": (lambda t: scg.Subset(t, 2), A, at(5, 1, 3)),
    "subset of what is left": (lambda t: scg.Subset(t, 3), A, at(5, 1, 3)),
    "first of an order": (lambda t: scg.PlackettLuce(t, 2), A, at(5, 0, 3)),
    "first of an order of what is left": (lambda t: scg.PlackettLuce(t, 3), A, at(5, 0, 3)),
    "matching": (scg.Matching, V, at((3, 3), (0, 1), (2, 0))),
    "forced matching": (scg.Matching, V, at((3, 3), (0, 1), (0, 2))),
    "field": (lambda t: scg.LinearChain(t, V), U, at((3, 3), (0, 1), (1, 0), (1, 2))),
    "pairs of a field": (lambda t: scg.LinearChain(U, t), V, at((3, 3), (0, 1), 2)),
    "start of a chain": (lambda t: scg.MarkovChain(3, t, V), A[:3], at(3, 1)),
    "chain": (lambda t: scg.MarkovChain(3, A[:3], t), V, at((3, 3), (0, 1), (2, 0), (2, 1))),
}  # fmt: skip
NAMES = {
    "field": ("field", "logits", {"transition_logits": V}),
    "pairs of a field": ("field", "transition_logits", {"logits": U}),
    "start of a chain": ("chain", "initial_logits", {"transition_logits": V}),
    "chain": ("chain", "transition_logits", {"initial_logits": A[:3]}),
}


def log_weights(name, t, mask, values):
    """Log-weights of values; masked entries are as unlikely as to have the probability 0."""
    model, key, rest = NAMES.get(name, (name.replace(" of what is left", ""), "logits", {}))
    model = "matching" if "matching" in model else model
    shifted = t + np.where(np.isinf(mask), -1e5, 0.0)
    with np.errstate(under="ignore", divide="ignore"):
        return np.array([energy(model, {key: shifted, **rest}, x) for x in values])


def truth(name, t, mask, values, f):
    """E f, and probabilities."""
    logp = log_weights(name, t, mask, values)
    p = scipy.special.softmax(logp)
    return p @ f, p


@pytest.mark.parametrize("name", STRUCTURED)
def test_numbers(name):
    make, t, mask = STRUCTURED[name]
    d, other = make(t + mask), make(np.sin(3 * t) + mask)
    values = make(t).enumerate_support()
    _, p = truth(name, t, mask, values, np.zeros(len(values)))
    _, q = truth(name, np.sin(3 * t), mask, values, np.zeros(len(values)))
    found = np.array([d.log_prob(x) for x in values])
    np.testing.assert_array_equal(found == -INF, p == 0)
    np.testing.assert_allclose(found[p > 0], np.log(p[p > 0]), atol=1e-10)
    np.testing.assert_allclose(d.mean(), np.tensordot(p, values, 1), atol=1e-12)
    np.testing.assert_allclose(d.entropy(), -scipy.special.xlogy(p, p).sum(), atol=1e-10)
    np.testing.assert_allclose(d.kl(other), scipy.special.rel_entr(p, q).sum(), atol=1e-10)
    assert p[np.argmax([np.all(x == d.mode()) for x in values])] == p.max()
    all_possible = make(t)
    assert all_possible.kl(d) == INF and np.isfinite(d.kl(all_possible))


#: Compiled, too: tests of ops hold both backends to the same values.
COMPILED = "subset of what is left", "chain", "Multinomial, logits", "Bernoulli, logits"


def with_backends(names):
    return [(n, b) for n in names for b in ("numpy", "numba") if b == "numpy" or n in COMPILED]


@pytest.mark.parametrize(("name", "backend"), with_backends(STRUCTURED))
def test_through_a_node(name, backend):
    """Gradients of the cost, of log p at samples, entropy and divergence are those of the sums."""
    make, t, mask = STRUCTURED[name]
    d = make(t)
    values = d.enumerate_support()
    w = np.cos(np.arange(np.prod(d.shape))).reshape(d.shape)
    f = np.exp(values.reshape(len(values), -1) @ w.ravel())
    _, q = truth(name, np.sin(3 * t), mask, values, f)

    g = scg.Graph("masked")
    p, m = g.parameter("t", np.zeros(t.shape)), g.data("m", shape=t.shape)
    x = g.sample("x", make(p + m))
    g.cost("cost", np.exp(np.sum(w * x)) + x.dist.entropy() + x.dist.kl(make(np.sin(3 * t) + m)))
    g.cost("likelihood", x.log_prob())
    step = scg.compile(g, scg.Enumeration(), backend=backend)
    out = step({"t": t}, seed=0, m=mask)

    def total(changed):
        mean, p = truth(name, changed, mask, values, f)
        some = p > 0
        return mean + np.sum(p[some] * np.log(p[some])) - np.sum(p[some] * np.log(q[some]))

    assert out.cost == pytest.approx(total(t), abs=1e-9)
    slope = law.difference(total, t, 1e-3)
    slope[np.isinf(mask)] = 0.0
    np.testing.assert_allclose(out.grads["t"], slope, atol=1e-7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: scg.Subset([0.0, -INF, -INF], 2), "k = 2 items cannot be drawn: only 1"),
        (lambda: scg.PlackettLuce([0.0, -INF, 1.0]), "k = 3 items cannot be drawn: only 2"),
        (lambda: scg.Subset([0.0, INF, 0.0], 2), "less than infinity"),
        (lambda: scg.Matching([[INF, 0.0], [0.0, 0.0]]), "less than infinity"),
    ],
)
def test_too_few_possible_items(make, message):
    with pytest.raises(scg.DeclarationError, match=message):
        make()


def test_observations_that_no_path_of_states_explains():
    d = scg.HiddenMarkov(2, [0.0, -INF], [[0.3, -INF], [0.1, 0.2]], scg.Bernoulli(probs=[1.0, 0.5]))
    assert d.log_prob([1.0, 1.0]) == 0.0 and d.log_prob([1.0, 0.0]) == -INF
    g = scg.Graph()
    t, x = g.parameter("t", 0.3), g.data("x", 2)
    steps = np.stack([np.stack([t, -INF * np.ones(())]), np.zeros(2)])
    given = scg.HiddenMarkov(2, [0.0, -INF], steps, scg.Bernoulli(probs=[1.0, 0.5]))
    g.cost("c", given.log_prob(x))
    out = scg.compile(g, backend="numpy")({"t": 0.3}, seed=0, x=[1.0, 0.0])
    assert out.cost == -INF and out.grads["t"] == 0.0


#: By family: what makes it, and parameters at which some value has probability 0 or 1.
EDGES = {
    "Bernoulli": (lambda t: scg.Bernoulli(probs=t), [0.3, 0.0, 1.0]),
    "Bernoulli, logits": (lambda t: scg.Bernoulli(logits=t), [0.3, -INF, INF]),
    "OneHotCategorical": (lambda t: scg.OneHotCategorical(probs=t), [0.3, 0.0, 0.7]),
    "OneHotCategorical, certain": (lambda t: scg.OneHotCategorical(probs=t), [0.0, 0.0, 1.0]),
    "OneHotCategorical, logits": (lambda t: scg.OneHotCategorical(logits=t), [0.3, -INF, 0.7]),
    "Categorical": (lambda t: scg.Categorical(probs=t), [0.3, 0.0, 0.7]),
    "Categorical, logits": (lambda t: scg.Categorical(logits=t), [0.3, -INF, 0.7]),
    "Binomial": (lambda t: scg.Binomial(3, probs=t), [0.3, 0.0, 1.0]),
    "Binomial, logits": (lambda t: scg.Binomial(3, logits=t), [0.3, -INF, INF]),
    "Geometric": (lambda t: scg.Geometric(probs=t), [0.3, 1.0]),
    "Geometric, logits": (lambda t: scg.Geometric(logits=t), [0.3, INF]),
    "NegativeBinomial": (lambda t: scg.NegativeBinomial(2.5, probs=t), [0.3, 0.0]),
    "NegativeBinomial, logits": (lambda t: scg.NegativeBinomial(2.5, logits=t), [0.3, -INF]),
    "Multinomial": (lambda t: scg.Multinomial(3, probs=t), [0.3, 0.0, 0.7]),
    "Multinomial, logits": (lambda t: scg.Multinomial(3, logits=t), [0.3, -INF, 0.7]),
    "Mixture": (lambda t: scg.Mixture([scg.Normal(k, 1.0) for k in (0.0, 2.0, -2.0)], probs=t),
                [0.3, 0.0, 0.7]),
    "Mixture, logits": (lambda t: scg.Mixture([scg.Normal(k, 1.0) for k in (0.0, 2.0)], logits=t),
                        [0.3, -INF]),
    "Mixture of bits": (lambda t: scg.Mixture([scg.Bernoulli(probs=t), scg.Bernoulli(probs=t / 2)],
                                              logits=[0.0, 0.4]), [0.3, 0.0, 1.0]),
    "Autoregressive": (lambda t: scg.Autoregressive(scg.Bernoulli, np.zeros((3, 3)), t),
                       [0.3, -INF, INF]),
    "Independent": (lambda t: scg.Independent(scg.Bernoulli(probs=t)), [0.3, 0.0, 1.0]),
    "HiddenMarkov": (lambda t: scg.HiddenMarkov(3, [0.0, 0.2], t, scg.Bernoulli(probs=[0.2, 0.7])),
                     [[0.3, -INF], [0.1, 0.2]]),
    "HiddenMarkov, emission": (lambda t: scg.HiddenMarkov(3, [0.1, 0.2], V[:2, :2],
                                                          scg.Bernoulli(probs=t)), [0.0, 1.0]),
    "OrderedLogistic": (lambda t: scg.OrderedLogistic(t, [-1.0, 0.3]), [0.3, -INF, INF]),
    "OrderedLogistic, cutpoints": (lambda t: scg.OrderedLogistic(0.1, t), [-INF, 0.3, 1.0]),
    "RBM, visible": (lambda t: scg.RBM(t, [0.1, 0.2], V[:, :2]), [0.3, -INF, INF]),
    "RBM, hidden": (lambda t: scg.RBM([0.1, 0.2], t, V[:2]), [0.3, INF, -INF]),
    "RelaxedBernoulli": (lambda t: scg.RelaxedBernoulli(0.5, probs=t), [0.3, 0.0, 1.0]),
    "RelaxedBernoulli, logits": (lambda t: scg.RelaxedBernoulli(3.0, logits=t), [0.3, -INF, INF]),
    "RelaxedOneHotCategorical": (lambda t: scg.RelaxedOneHotCategorical(0.5, probs=t),
                                 [0.3, 0.0, 0.7]),
    "RelaxedOneHotCategorical, logits": (lambda t: scg.RelaxedOneHotCategorical(3.0, logits=t),
                                         [0.3, -INF, 0.7]),
} | {name: (make, t + mask) for name, (make, t, mask) in STRUCTURED.items()}  # fmt: skip
#: Families whose parameters the constructor holds to finite numbers, or to positive ones.
NO_EDGES = {
    "Normal", "Gamma", "Beta", "Dirichlet", "Poisson", "Exponential", "Laplace", "Logistic",
    "Gumbel", "LogNormal", "Uniform", "StudentT", "Cauchy", "HalfNormal", "Weibull",
    "InverseGamma", "Pareto", "VonMises", "MultivariateNormal", "Transformed", "Delta",
}  # fmt: skip


def test_every_family_is_in_the_table():
    rows = ((make, np.where(np.isinf(t), 0.0, t)) for make, t in EDGES.values())
    held = {type(make(t)).__name__ for make, t in rows}
    assert held.isdisjoint(NO_EDGES)
    assert held | NO_EDGES == {family.__name__ for family in scg.distributions.DISTRIBUTIONS}


@pytest.mark.parametrize(("name", "backend"), with_backends(EDGES))
def test_costs_and_gradients_are_finite(name, backend):
    make, t = EDGES[name]
    t, g = np.array(t, dtype=float), scg.Graph()
    t_node, m = g.parameter("t", np.full(t.shape, 0.5)), g.data("m", shape=t.shape)
    d = make(t_node + m)
    x = g.sample("x", d)
    g.cost("value", np.sum(x * 1.0) ** 2)
    g.cost("likelihood", x.log_prob())
    for what in ("entropy", "mean", "kl"):
        if d.supports(what if what == "mean" else f"{what}_elementwise"):
            g.cost(what, np.sum(d.kl(d) if what == "kl" else getattr(d, what)()))
    fixed = np.isinf(t)
    step = scg.compile(g, scg.LeaveOneOut(2), backend=backend)
    out = step({"t": np.where(fixed, 0.0, t)}, seed=1, runs=50, m=np.where(fixed, t, 0.0))
    assert np.isfinite(list(out.costs.values())).all(), out.costs
    assert np.isfinite(out.grads["t"]).all(), out.grads["t"]


#: By family, estimators that replay what is below it at means, relaxed values or alternatives.
MEETS = {
    "Bernoulli": (scg.BitFlip(), scg.UGC(), scg.GO()),
    "Bernoulli, logits": (scg.BitFlip(), scg.MuProp()),
    "Binomial": (scg.GO(), scg.StochasticTriple()),
    "Binomial, logits": (scg.MuProp(), scg.MeasureValued(), scg.DARN(allow_biased=True)),
    "Geometric, logits": (scg.GO(), scg.MeasureValued(), scg.StraightThrough(allow_biased=True)),
    "NegativeBinomial, logits": (scg.GO(), scg.MeasureValued(), scg.DoubleCV(2)),
    "Autoregressive": (scg.GO(),),
    "RBM, visible": (scg.GO(), scg.MuProp()),
    "RelaxedBernoulli": (scg.MuProp(), scg.Reparameterization()),
    "RelaxedBernoulli, logits": (scg.Reparameterization(),),
    "subset": (scg.REBAR(), scg.GumbelSoftmax(allow_biased=True)),
    "first of an order of what is left": (scg.GumbelSoftmax(allow_biased=True),),
    "matching": (scg.RELAX(hidden=(3,)), scg.ImplicitMLE(allow_biased=True)),
    "pairs of a field": (scg.MuProp(), scg.GumbelSoftmax(allow_biased=True)),
    "chain": (scg.REBAR(),),
}


@pytest.mark.parametrize(
    ("name", "estimator"),
    [(name, estimator) for name, several in MEETS.items() for estimator in several],
    ids=lambda x: x if isinstance(x, str) else type(x).__name__,
)
def test_replays_meet_no_nan(name, estimator):
    make, t = EDGES[name]
    t, g = np.array(t, dtype=float), scg.Graph()
    fixed = np.isinf(t)
    p, m = g.parameter("t", np.full(t.shape, 0.5)), g.data("m", shape=t.shape)
    x = g.sample("x", make(p + m))
    g.cost("value", np.sum(np.cos(np.arange(x.size).reshape(x.shape)) * x) ** 2)
    g.cost("likelihood", x.log_prob())
    out = scg.compile(g, estimator, backend="numpy")(
        {"t": np.where(fixed, 0.0, t)}, seed=1, runs=40, m=np.where(fixed, t, 0.0)
    )
    assert np.isfinite(list(out.costs.values())).all(), out.costs
    assert np.isfinite(out.grads["t"]).all(), out.grads["t"]
    np.testing.assert_array_equal(out.grads["t"][fixed], 0.0)


@pytest.mark.parametrize(
    ("a", "b"), [([0.2, -INF, INF], [0.1, -0.2]), ([0.2, INF], [-INF, 9, INF])]
)
def test_machines_with_certain_units(a, b):
    """They are the machines of their other units, whose biases the certain ones move."""
    a, b, w = np.array(a), np.array(b), rng.normal(size=(len(a), len(b)))
    g = scg.Graph()
    p, m, k = g.parameter("w", w), g.data("a", shape=a.shape), g.data("b", shape=b.shape)
    d = scg.RBM(m, k, p)
    x = g.sample("x", d)
    f = np.exp(np.cos(np.arange(len(a))) * x).sum()
    g.cost("c", f + d.entropy() + d.kl(scg.RBM(np.zeros(len(a)), [0.3], np.ones((len(a), 1)))))
    found = scg.compile(g, scg.Enumeration(), backend="numpy")({"w": w}, seed=0, a=a, b=b)
    sure = {"a": np.clip(a, -40.0, 40.0), "b": np.clip(b, -40.0, 40.0)}
    wanted = scg.compile(g, scg.Enumeration(), backend="numpy")({"w": w}, seed=0, **sure)
    assert found.cost == pytest.approx(wanted.cost, abs=1e-11)
    np.testing.assert_allclose(found.grads["w"], wanted.grads["w"], atol=1e-11)
    assert scg.exact(g, {"w": w}, dict(a=a, b=b)).cost == pytest.approx(wanted.cost, abs=1e-11)


def test_certain_elements_of_relaxed_samples():
    """Beyond rounding they are 0 or 1, whatever the temperature is."""
    g = scg.Graph()
    tau, p = g.parameter("tau", 8.0), g.data("p", shape=2)
    x = g.sample("x", scg.RelaxedBernoulli(tau, probs=p))
    y = g.sample("y", scg.RelaxedOneHotCategorical(tau, logits=np.log(p)))
    g.cost("x0", x[0] + y[0])
    g.cost("x1", x[1] + y[1])
    out = scg.compile(g, backend="numpy")({"tau": 8.0}, seed=0, runs=200, p=[0.0, 1.0])
    assert out.costs["x0"] < 1e-30 and out.costs["x1"] == pytest.approx(2.0)
    assert out.grads["tau"] == pytest.approx(0.0, abs=1e-12)


def test_relaxed_samples_that_do_not_round_to_a_value_keep_their_log_probability():
    """The relaxation of a subset need not sum to its size."""
    g = scg.Graph()
    x = g.sample("x", scg.Subset(g.parameter("t", A), 2))
    g.cost("c", x.log_prob())
    out = scg.compile(g, scg.REBAR(), backend="numpy")({"t": A}, seed=3, runs=100)
    assert np.isfinite(out.grads["t"]).all()
    d, e = scg.PlackettLuce(A[:3]), scg.MarkovChain(3, A[:3], V)
    assert d.log_prob(np.eye(3)[[0, 0, 1]]) == -INF < e.log_prob(np.eye(3)[[0, 0, 1]])


# --- no possible value ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    "make",
    [
        lambda logits: scg.Categorical(logits=logits),
        lambda logits: scg.OneHotCategorical(logits=[[0.0, 1.0], logits]),
        lambda logits: scg.Multinomial(2, logits=logits),
        lambda logits: scg.RelaxedOneHotCategorical(0.5, logits=logits),
        lambda logits: scg.Mixture([scg.Normal(0.0, 1.0)] * 2, logits=logits),
    ],
)
def test_some_class_is_possible(make):
    make([0.0, -np.inf])
    with pytest.raises(scg.DeclarationError, match=r"logits must be a vector .* one is finite"):
        make([-np.inf, -np.inf])


def test_a_row_without_classes_counts_only_behind_a_mask():
    """Sampling estimators pass over a padded row; where it makes a cost NaN, the error names it."""
    g, rows = scg.Graph("rows"), scg.Plate("rows")
    allowed = g.data("allowed", shape=(2,), plates=rows)
    logits = np.where(allowed > 0, g.parameter("w", [0.3, -0.2]), -np.inf)
    a = g.sample("a", scg.Categorical(logits=logits))
    g.cost("c", 1.0 + a, mask=g.data("there", plates=rows, kind="int"))
    params, data = g.init(seed=0), {"allowed": [[1, 1], [0, 0]], "there": [1, 0]}
    sampled, summed = (
        scg.compile(g, e, backend="numpy") for e in (scg.ScoreFunction(), scg.Enumeration())
    )
    assert np.isfinite(sampled(params, seed=0, data=data).grads["w"]).all()
    with pytest.raises(scg.CallError, match=r"node 'a' .*logits must be .* at index 1"):
        summed(params, seed=0, data=data)
