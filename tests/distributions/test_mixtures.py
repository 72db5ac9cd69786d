"""Mixtures of laws that do not share their support, and of weights that are zero."""

import itertools

import numpy as np
import pytest

import scg
from scg.engine.interpreter import Interpreter
from tests.ops.native import compare

from .test_capabilities import LAWS
from .test_supports import PLATE, drawn, on_parameters

SCALAR = {n: law for n, (law, _) in LAWS.items() if (law.shape, law.kind) == ((), "float")}
SCALAR |= {"Delta": scg.Delta(0.25), "Bernoulli": scg.Bernoulli(probs=0.3)}
DRAWS = {name: drawn(law) for name, law in SCALAR.items() if not name.startswith("Mixture")}
WEIGHTS = np.array([0.4, 0.6])


def parts(names, x):
    """Density or probability of each law; no densities at a number that has a probability."""
    laws = [SCALAR[name] for name in names]
    inside = [bool(law.support.contains(np.asarray(x))) for law in laws]
    p = np.array(
        [np.exp(law.log_prob(x)) if i else 0.0 for law, i in zip(laws, inside, strict=True)]
    )
    discrete = np.array([law.support.kind == "integer" for law in laws])
    return np.where(discrete, p, 0.0) if np.any(p[discrete]) else p


def mixtures(first, names, form):
    """Mixtures of one law with each of others on data nodes: outputs, and values of the nodes."""
    graph, outputs, given = scg.Graph(), {}, {}
    for second in names:
        law = scg.Mixture([SCALAR[first], SCALAR[second]], **{form: WEIGHTS})
        weights = WEIGHTS if form == "probs" else np.log(WEIGHTS)
        values = [weights, *(v for k, v in law.parameters.items() if k != form)]
        nodes = [graph.data(f"{second} {i}", np.shape(v)) for i, v in enumerate(values)]
        given |= dict(zip(nodes, map(np.asarray, values), strict=True))
        x = graph.data(f"{second} x", plates=PLATE)
        given[x] = np.concatenate([DRAWS[first], DRAWS[second]])
        value = type(law).rebuild(tuple(nodes), law.static).log_prob(x)
        outputs[second, "value"] = value
        for i, slope in enumerate(scg.grad(scg.plate_sum(value, PLATE), nodes)):
            outputs[second, i] = slope
    return outputs, given


@pytest.mark.parametrize(
    ("first", "form"), [*((name, "probs") for name in DRAWS), ("Gamma", "logits")]
)
def test_pairs_of_families(first, form):
    """Value and derivative in the weights at draws of both, and all derivatives are numbers."""
    outputs, given = mixtures(first, DRAWS, form)
    found = Interpreter(outputs).run(given, {PLATE: 4})
    for second in DRAWS:
        p = np.array([parts((first, second), x) for x in (*DRAWS[first], *DRAWS[second])])
        total = p @ WEIGHTS
        np.testing.assert_allclose(found[second, "value"], np.log(total), rtol=1e-11, atol=1e-12)
        slope = np.sum(p / total[:, None] - 1.0, axis=0)
        slope = slope if form == "probs" else slope * WEIGHTS
        np.testing.assert_allclose(found[second, 0], slope, rtol=1e-9, atol=1e-9)
    for key, value in found.items():
        assert np.isfinite(value).all(), key


def test_the_derivative_in_a_weight_of_zero():
    """Weights (0, ½, ½) of three normal laws: 1 − p / Σ w p."""
    g = scg.Graph()
    w = g.parameter("w", [0.0, 0.5, 0.5])
    means = np.array([0.0, 1.0, 2.0])
    g.observe("o", scg.Mixture([scg.Normal(m, 1.0) for m in means], probs=w), g.data("x"))
    step = scg.compile(g, backend="numpy", order=2)
    for x in (0.3, -4.0):
        p = np.exp(0.5 * x**2 - 0.5 * (x - means) ** 2)
        total = g.init(seed=0)["w"] @ p
        out = step(g.init(seed=0), seed=0, x=x)
        np.testing.assert_allclose(out.grads["w"], 1.0 - p / total, rtol=1e-9)
        curvature = np.outer(p, p) / total**2 - 1.0
        np.testing.assert_allclose(out.hessian["w"]["w"], curvature, rtol=1e-9, atol=1e-9)


def test_an_impossible_value_of_a_mixture():
    g = scg.Graph()
    law, values = on_parameters(g, scg.Mixture([scg.Gamma(2.0), scg.Uniform()], probs=[0.5, 0.5]))
    g.cost("c", -law.log_prob(g.data("x")))
    out = scg.compile(g, backend="numpy")(values, seed=0, x=-1.0)
    assert out.cost == np.inf
    assert not any(np.any(slope) for slope in out.grads.values())


def test_spike_and_slab_is_a_law():
    """Its probability and density add to one, and its draws have them."""
    law = scg.Mixture([scg.Delta(0.0), scg.Gamma(2.0, 1.0)], probs=[0.3, 0.7])
    x, weights = np.polynomial.laguerre.laggauss(40)
    density = np.exp(x + [law.log_prob(v) for v in x])
    np.testing.assert_allclose(np.exp(law.log_prob(0.0)), 0.3, rtol=1e-14)
    np.testing.assert_allclose(weights @ density, 0.7, rtol=1e-12)
    g = scg.Graph()
    p = g.parameter("p", 0.3)
    z = g.sample(
        "z", scg.Mixture([scg.Delta(0.0), scg.Gamma(2.0, 1.0)], probs=np.stack([p, 1 - p]))
    )
    g.cost("c", z)
    out = scg.compile(g, scg.ScoreFunction(), backend="numpy")({"p": 0.3}, seed=1, runs=2_000)
    assert abs(out.grads["p"] + 2.0) < 6.0 * out.stderr["p"] < 1.0  # 2e-9: E c = 2 (1 − p)


def test_a_mixture_in_a_mixture():
    inner = scg.Mixture([scg.Poisson(2.0), scg.Delta(0.0)], probs=[0.5, 0.5])
    law = scg.Mixture([inner, scg.Bernoulli(probs=0.3)], probs=[0.5, 0.5])
    k = np.arange(60.0)
    np.testing.assert_allclose(np.sum(np.exp([law.log_prob(v) for v in k])), 1.0, rtol=1e-13)
    spiked = scg.Mixture([scg.Delta(0.0), scg.Normal()], probs=[0.5, 0.5])
    with pytest.raises(scg.DeclarationError, match="component 0 mixes densities with prob"):
        scg.Mixture([spiked, scg.Gamma(2.0)], probs=[0.5, 0.5])


def test_a_mixture_of_supports_jumps():
    """The pathwise derivative would miss the step of the exponential density at zero."""

    def graph(law):
        g = scg.Graph()
        z = g.sample("z", scg.Normal(g.parameter("m", 0.3), 1.0))
        g.cost("c", -scg.Mixture([scg.Normal(0.0, 1.0), law], probs=[0.5, 0.5]).log_prob(z))
        return g

    with pytest.raises(scg.EstimatorError, match="z → mixed_supports is not continuous"):
        scg.compile(graph(scg.Exponential(1.0)), scg.Reparameterization())
    scg.compile(graph(scg.Cauchy(0.0, 1.0)), scg.Reparameterization())


def test_kernels_agree_on_mixtures():
    pytest.importorskip("numba")
    outputs, given = mixtures("Exponential", ["Normal", "Uniform", "Delta"], "probs")
    for dtype, rtol in (("float64", 1e-10), ("float32", 1e-4)):
        compare(outputs, given, dtype, {PLATE: 4}, rtol)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_probabilities_of_zero_and_one_have_their_derivatives(backend):
    """The likelihood is linear in each element of p: its differences are its derivatives."""
    p, q, w = np.array([0.0, 0.3, 1.0]), np.array([0.4, 0.6, 0.2]), np.array([0.3, 0.7])
    g = scg.Graph("atoms")
    laws = [scg.Bernoulli(probs=g.parameter("p", p)), scg.Bernoulli(probs=q)]
    mixture = scg.Mixture(laws, probs=g.parameter("w", w))
    g.cost("c", -mixture.log_prob(g.data("x", 3)))
    step = scg.compile(g, backend=backend)
    for x in itertools.product([0.0, 1.0], repeat=3):

        def parts(p, x=x):
            return np.prod(np.where(np.array(x) > 0, [p, q], 1 - np.array([p, q])), axis=-1)

        total = w @ parts(p)
        slope = [w[0] * (parts(p + d)[0] - parts(p)[0]) / total for d in np.eye(3)]
        with np.errstate(all="ignore"):
            out = step({"p": p, "w": w}, seed=0, x=x)
        np.testing.assert_allclose(out.cost, -np.log(total), rtol=1e-12)
        np.testing.assert_allclose(-out.grads["p"], slope, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("law", "x", "slope"),
    [
        (lambda p: scg.Binomial(3, probs=p), 1.0, 3 * 0.3 / (0.7 * 0.432)),
        (lambda p: scg.Categorical(probs=np.stack([p, 1 - p])), 0, 0.3 / (0.7 * 0.4)),
        (lambda p: scg.OneHotCategorical(probs=np.stack([p, 1 - p])), [1.0, 0.0], 0.3 / 0.28),
        (lambda p: scg.Multinomial(3, probs=np.stack([p, 1 - p])), [1.0, 2.0], 0.9 / 0.3024),
    ],
)
def test_impossible_counts_of_a_component_have_their_derivative(law, x, slope):
    g = scg.Graph("atoms")
    mixture = scg.Mixture(
        [law(g.parameter("p", 0.0)), law(g.parameter("q", 0.4))], probs=[0.3, 0.7]
    )
    g.cost("c", -mixture.log_prob(g.data("x", np.shape(x), kind=mixture.kind)))
    with np.errstate(all="ignore"):
        out = scg.compile(g, backend="numpy")(g.init(seed=0), seed=0, x=x)
    np.testing.assert_allclose(-out.grads["p"], slope, rtol=1e-12)
