"""What every family is held to: SciPy, finite differences, single precision, and its own draws."""

import numpy as np
import scipy.integrate
import scipy.stats

import scg
from scg.compiler.differentiate import gradients
from scg.engine.interpreter import Interpreter

FALSE_ALARM = 1e-9  # of one Kolmogorov-Smirnov or likelihood-ratio test
RUNS = 20_000
COEFFICIENTS = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}


class Recorded:
    """Noise that is given."""

    def __init__(self, values):
        self.values = values

    def uniform(self, shape, tag="u"):
        return self.values[tag]

    def normal(self, shape, tag="n"):
        return self.values[tag]


class Leaves:
    """Noise as data nodes; remembers its leaves by tag."""

    def __init__(self, graph):
        self.graph, self.leaves = graph, {}

    def uniform(self, shape, tag="u"):
        return self._leaf("u", shape, tag)

    def normal(self, shape, tag="n"):
        return self._leaf("n", shape, tag)

    def _leaf(self, law, shape, tag):
        name = f"{law} {tag}".replace("/", " ")
        self.leaves[tag] = law, self.graph.data(name, shape=shape)
        return self.leaves[tag][1]


def as_nodes(make, parameters, dtype=np.float64):
    """Return the law on parameter nodes, and the nodes by name."""
    graph = scg.Graph()
    nodes = {name: graph.parameter(name, value) for name, value in parameters.items()}
    return graph, make(**nodes), nodes


def evaluate(outputs, leaves, dtype=np.float64):
    engine = Interpreter(outputs, dtype)
    given = {
        leaf: np.asarray(value).astype(dtype) if leaf.kind == "float" else np.asarray(value)
        for leaf, value in leaves.items()
        if leaf in engine.leaves
    }
    return engine.run(given, {})


def log_prob_and_gradients(make, parameters, x, dtype=np.float64):
    """Return log p(x) for each element, and the gradients of the sum."""
    graph, law, nodes = as_nodes(make, parameters)
    x = np.asarray(x)
    kind = "int" if law.kind == "int" else "float"
    at = graph.data("at", shape=x.shape, kind=kind)
    total = law.log_prob(at)
    wrt = dict(nodes) if kind == "int" else {**nodes, "at": at}
    slopes = gradients(total, list(wrt.values()))
    outputs = {"value": law.log_prob(at, elementwise=True), **dict(zip(wrt, slopes, strict=True))}
    leaves = {node: parameters[name] for name, node in nodes.items()} | {at: x}
    return evaluate(outputs, leaves, dtype)


def difference(function, x, step):
    """Gradient of a function of an array by central differences of order 8."""
    x = np.asarray(x, dtype=float)
    out = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        h = step * max(abs(x[i]), 1e-4)
        for k, c in COEFFICIENTS.items():
            above, below = x.copy(), x.copy()
            above[i] += k * h
            below[i] -= k * h
            out[i] += c * (function(above) - function(below)) / h
    return out


def check_log_prob(make, parameters, x, reference, *, rtol=1e-12, step=2e-3, float32=2e-5):
    """Compare with the reference, and derivatives with finite differences of the float64 value."""
    out = log_prob_and_gradients(make, parameters, x)
    np.testing.assert_allclose(out["value"], reference, rtol=rtol, atol=rtol)
    arrays = make(**{name: np.asarray(value) for name, value in parameters.items()})
    np.testing.assert_allclose(
        arrays.log_prob(np.asarray(x), elementwise=True), out["value"], rtol=1e-12, atol=1e-13
    )
    single = log_prob_and_gradients(make, parameters, x, np.float32)
    for name in out:
        scale = np.max(np.abs(out[name]), initial=0) + 1e-3
        np.testing.assert_allclose(single[name], out[name], rtol=float32, atol=float32 * scale)
        assert np.isfinite(out[name]).all(), name
    if step is None:
        return

    def value(name):
        def function(changed):
            given = {**parameters, name: changed} if name != "at" else parameters
            law = make(**{key: np.asarray(v, float) for key, v in given.items()})
            return np.sum(law.log_prob(changed if name == "at" else np.asarray(x)))

        return function

    for name in out:
        if name == "value" or (name == "at" and np.array_equal(x, np.floor(x))):
            continue
        numeric = difference(value(name), x if name == "at" else parameters[name], step)
        scale = np.max(np.abs(numeric)) + 1e-2
        np.testing.assert_allclose(out[name], numeric, rtol=1e-7, atol=1e-8 * scale, err_msg=name)


def check_pathwise(make, parameters, seed=0, *, rtol=1e-6, step=1e-3):
    """Compare the derivative of a draw, at fixed noise, with finite differences."""
    graph, law, nodes = as_nodes(make, parameters)
    noise = Leaves(graph)
    draw = law.sample(noise)
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=law.shape)
    slopes = gradients((draw * weight).sum(), list(nodes.values()))
    values = {
        tag: rng.uniform(0.05, 0.95, leaf.shape) if kind == "u" else rng.normal(size=leaf.shape)
        for tag, (kind, leaf) in noise.leaves.items()
    }
    given = {leaf: values[tag] for tag, (_, leaf) in noise.leaves.items()}
    given |= {node: parameters[name] for name, node in nodes.items()}
    out = evaluate(dict(zip(nodes, slopes, strict=True)), given)
    for name in nodes:

        def drawn(changed, name=name):
            return np.sum(weight * make(**{**parameters, name: changed}).sample(Recorded(values)))

        numeric = difference(drawn, parameters[name], step)
        scale = np.max(np.abs(numeric)) + 1e-2
        np.testing.assert_allclose(out[name], numeric, rtol=rtol, atol=rtol * scale, err_msg=name)


def draws(law, seed, runs=RUNS, dtype=None):
    """Draw through a graph."""
    graph = scg.Graph()
    graph.sample("x", law)
    return graph.simulate({}, nodes=["x"], seed=seed, runs=runs)["x"]


def check_continuous_draws(x, cdf):
    """Kolmogorov-Smirnov; rejects a right sampler with probability FALSE_ALARM."""
    assert scipy.stats.kstest(x, cdf).pvalue > FALSE_ALARM


def check_counts(observed, expected):
    """Likelihood ratio of counts; unlike Pearson's its far tail needs no large counts.

    Of 2.4 expected draws, 15 are found once in 10⁷ times, which Pearson's takes for 10⁻¹⁵.
    """
    ratio = scipy.stats.power_divergence(observed, expected, lambda_="log-likelihood")
    assert ratio.pvalue > FALSE_ALARM


def check_discrete_draws(x, pmf, values):
    """Counts of cells of at least 10 expected draws, and of one for the rest."""
    expected = np.array([pmf(v) for v in values]) * len(x)
    counts = np.array([np.sum(np.all(x == v, axis=tuple(range(1, x.ndim)))) for v in values])
    large = expected >= 10
    observed = np.append(counts[large], len(x) - counts[large].sum())
    wanted = np.append(expected[large], len(x) - expected[large].sum())
    if wanted[-1] < 10:  # join the rest to the last cell
        observed, wanted = (np.append(v[:-2], v[-2] + v[-1]) for v in (observed, wanted))
    check_counts(observed, wanted)


def check_moments(x, mean, variance, deviations=6.5):
    """Mean within 6.5 of its exact standard errors (8e-11), variance in a wide band of its own."""
    error = np.sqrt(np.asarray(variance) / len(x))
    assert np.all(np.abs(x.mean(axis=0) - mean) <= deviations * error + 1e-12)
    fourth = np.mean((x - x.mean(axis=0)) ** 4, axis=0)
    spread = np.sqrt(fourth / len(x))
    assert np.all(np.abs(x.var(axis=0) - variance) <= 2 * deviations * spread + 1e-12)


def divergence(p, q, ppf):
    """KL(p‖q) of two univariate laws by quadrature over the probability scale."""

    def integrand(u):
        x = ppf(u)
        return p.log_prob(x) - q.log_prob(x)

    return scipy.integrate.quad(integrand, 0, 1, limit=500, epsabs=1e-9)[0]
