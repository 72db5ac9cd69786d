"""What every family declares, and what it draws: by its sampler, and by its coupling."""

import numpy as np
import pytest
from scipy import stats

import scg
from scg.distributions import DISTRIBUTIONS, Distribution
from scg.distributions.protocols import Binary, Classes

from . import law, test_counts, test_univariate

RUNS = 20_000
METHODS = [
    name
    for name, value in vars(Distribution).items()
    if getattr(value, "unsupported", "") or name in ("coupling", "log_prob", "entropy", "kl")
]
A = np.array([0.7, 2.3, 1.4])
LOGITS = np.array([0.2, -0.7, 1.1])
MU = np.array([0.3, -1.2, 0.8])
L = np.array([[1.3, 0.0, 0.0], [0.4, 0.9, 0.0], [-0.6, 0.2, 1.1]])
F, D = np.array([[0.5], [-0.8], [0.3]]), np.array([0.9, 0.4, 1.2])
W, B = np.random.default_rng(3).normal(size=(3, 3)), np.array([0.3, -0.5, 0.1])
TRANSITIONS = np.array([[0.8, -0.1], [-0.6, 0.5]])
PARTS = [(0.6, stats.norm(-1.0, 0.6)), (0.4, stats.norm(1.5, 1.1))]


# --- checks of draws ------------------------------------------------------------------------------
def follows(*columns):
    """Kolmogorov-Smirnov tests: functions of the draws, and their distribution functions."""

    def check(x):
        for function, cdf in columns:
            assert stats.kstest(np.ravel(function(x)), cdf).pvalue > law.FALSE_ALARM

    return check


def enumerated(d):
    """Compare the counts of all values with their probabilities."""
    values = d.enumerate_support()
    with np.errstate(all="ignore"):
        p = np.exp([d.log_prob(v) for v in values])
    values, p = values[p > 0], p[p > 0]
    np.testing.assert_allclose(p.sum(), 1.0, rtol=1e-12)

    def check(x):
        counts = [np.sum(np.all(np.reshape(x == v, (len(x), -1)), axis=1)) for v in values]
        assert np.sum(counts) == len(x)
        law.check_counts(counts, p * len(x))

    return check


def counted(frozen, values):
    def check(x):
        law.check_discrete_draws(x, frozen.pmf, values)

    return check


def whitened(covariance):
    factor = np.linalg.cholesky(covariance)
    white = lambda x: np.linalg.solve(factor, (x - MU).T)  # noqa: E731
    return follows(
        (white, stats.norm().cdf), (lambda x: np.sum(white(x) ** 2, axis=0), stats.chi2(3).cdf)
    )


def unmoved(layers, x):
    """The vectors that an affine coupling of one layer maps to `x`."""
    ((weight, bias),) = layers
    given = (x[:, :1] @ weight + bias).reshape(-1, 2, 2)
    moved = (x[:, 1:] - given[..., 1]) * np.exp(-2.0 * np.tanh(0.5 * given[..., 0]))
    return np.concatenate([x[:, :1], moved], axis=1)


def dirichlet():
    n = A.sum()
    marginals = [(lambda x, k=k: x[:, k], stats.beta(A[k], n - A[k]).cdf) for k in range(3)]
    return follows(*marginals, (lambda x: x[:, 0] / (x[:, 0] + x[:, 1]), stats.beta(*A[:2]).cdf))


def laws():
    """Name, law, check of its draws."""
    for name, (family, parameters, frozen, _) in test_univariate.ROWS.items():
        yield name, family(**parameters), follows((lambda x: x, frozen.cdf))
    for name, (make, parameters, frozen, values, _) in test_counts.ROWS.items():
        yield name, make(**parameters), counted(frozen, values)
    for form in (
        scg.MultivariateNormal(MU, scale_tril=L),
        scg.MultivariateNormal(MU, scale_diag=D),
        scg.MultivariateNormal(MU, cov_factor=F, cov_diag=D),
    ):
        yield f"MultivariateNormal {form._form()}", form, whitened(form.covariance())
    for d in (
        scg.Bernoulli(logits=np.array([0.4, -1.3])),
        scg.Categorical(logits=np.stack([LOGITS, -LOGITS])),
        scg.OneHotCategorical(logits=np.stack([LOGITS, -LOGITS])),
        scg.Multinomial(4, logits=LOGITS),
        scg.Multinomial(3, probs=[0.0, 0.4, 0.6, 0.0]),
        scg.Autoregressive(scg.Bernoulli, W, B),
        scg.RBM(B, [0.4, -0.2], W[:, :2]),
        scg.Subset(np.array([0.3, -0.8, 1.2, 0.1]), 2),
        scg.PlackettLuce(LOGITS),
        scg.PlackettLuce(np.append(LOGITS, 0.4), 2),
        scg.Matching(np.stack([LOGITS, B, MU])),
        scg.MarkovChain(3, [0.3, -0.4], TRANSITIONS),
        scg.LinearChain(W[:, :2], TRANSITIONS),
        scg.HiddenMarkov(3, [0.3, -0.4], TRANSITIONS, scg.Bernoulli(probs=[0.2, 0.7])),
        scg.Independent(scg.OrderedLogistic([0.6, -0.4], [-1.1, 0.2, 1.7])),
        scg.Mixture([scg.Binomial(3, probs=0.2), scg.Binomial(3, probs=0.9)], probs=[0.3, 0.7]),
    ):
        yield f"{type(d).__name__} {d.shape}", d, enumerated(d)
    yield "Dirichlet", scg.Dirichlet(A), dirichlet()
    layers = [(np.array([[0.6, -0.4, 0.2, 0.9]]), np.array([0.1, 0.4, -0.3, 0.2]))]
    flow = scg.Transformed(scg.Normal(MU, D), scg.AffineCoupling(layers))
    yield (
        "Transformed",
        flow,
        follows(
            (lambda x: x[:, 0], stats.norm(MU[0], D[0]).cdf),
            *(
                (lambda x, i=i: unmoved(layers, x)[:, i], stats.norm(MU[i], D[i]).cdf)
                for i in (1, 2)
            ),
        ),
    )
    tau = 0.7
    yield (
        "RelaxedBernoulli",
        scg.RelaxedBernoulli(tau, logits=0.4),
        follows((lambda x: tau * (np.log(x) - np.log1p(-x)), stats.logistic(0.4).cdf)),
    )
    yield (
        "RelaxedOneHotCategorical",
        scg.RelaxedOneHotCategorical(tau, logits=LOGITS),
        follows(
            *(
                (
                    lambda x, i=i, j=j: tau * np.log(x[:, i] / x[:, j]),
                    stats.logistic(LOGITS[i] - LOGITS[j]).cdf,
                )
                for i, j in ((0, 1), (1, 2), (0, 2))
            )
        ),
    )
    yield (
        "Mixture",
        scg.Mixture([scg.Normal(-1.0, 0.6), scg.Normal(1.5, 1.1)], probs=[0.6, 0.4]),
        follows((lambda x: x, lambda x: sum(w * part.cdf(x) for w, part in PARTS))),
    )
    yield (
        "Delta",
        scg.Delta([1.5, -2.0]),
        lambda x: np.testing.assert_array_equal(x, np.broadcast_to([1.5, -2.0], x.shape)),
    )


LAWS = {name: (d, check) for name, d, check in laws()}


def test_every_family_is_drawn():
    assert {type(d).__name__ for d, _ in LAWS.values()} == {f.__name__ for f in DISTRIBUTIONS}


def by_coupling(d, seed):
    """Draw by independent uniforms under the coupling."""
    graph, runs = scg.Graph(), scg.Plate("runs")
    u = graph.data("u", shape=d.uniforms, plates=runs)
    uniforms = np.random.default_rng(seed).random((RUNS, *d.uniforms))
    x = d.coupling(u) + 0 * u.sum()
    return scg.engine.interpreter.Interpreter({"x": x}).run({u: uniforms}, {runs: RUNS})["x"]


@pytest.mark.statistical
@pytest.mark.parametrize("draw", [law.draws, by_coupling])
@pytest.mark.parametrize("name", LAWS)
def test_draws(name, draw, seed):
    """By the law's distribution function or probabilities; mean and variance where moments are."""
    d, check = LAWS[name]
    x = draw(d, seed)
    assert d.support.contains(x).all()
    check(x)
    heavy = ("Cauchy", "Pareto", "InverseGamma", "StudentT", "Delta")
    if d.supports("mean") and type(d).__name__ not in heavy:
        law.check_moments(x, np.asarray(d.mean()), np.asarray(d.variance()))


# --- declarations ---------------------------------------------------------------------------------
@pytest.mark.parametrize("family", DISTRIBUTIONS, ids=lambda family: family.__name__)
def test_what_a_family_lacks_it_lacks_for_a_reason(family):
    """Every hole of the table says more than that it is one, and its method says it, too."""
    for name in METHODS:
        reason = family.lacks(name)
        assert family.supports(name) is (not reason)
        if reason and family is not scg.Independent:
            assert len(reason.split()) >= 3, f"{name}: {reason}"
            instance = next(d for d, _ in LAWS.values() if type(d).__name__ == family.__name__)
            if instance.supports(name):  # a Mixture of laws that have it
                continue
            with pytest.raises(scg.UnsupportedError, match=rf"^{family.__name__} has no .*: "):
                getattr(instance, name)()
    assert set(family.weak_parameters) <= set(getattr(family, "constraints", {}))
    assert family.supports("weak_derivatives") is bool(family.weak_parameters)


TRAITS = ("kind", "reparameterized", "extends_to_mean", "weak_parameters")


@pytest.mark.parametrize("name", LAWS)
def test_a_block_has_the_traits_of_its_base(name):
    """Read from the class and from the instance, they are the same."""
    base, _ = LAWS[name]
    if not base.shape:
        base = type(base).rebuild(
            tuple(np.full(2, v) if np.ndim(v) == 0 else v for v in base.parameters.values()),
            base.static,
        )
    if not base.shape:
        return  # a mixture of scalars
    d = scg.Independent(base)
    for trait in TRAITS:
        assert getattr(d, trait) == getattr(type(d), trait) == getattr(base, trait), trait
    for method in METHODS:
        assert d.lacks(method) == type(d).lacks(method) == base.lacks(method), method
    u = np.random.default_rng(0).random(base.uniforms)
    assert d.uniforms == base.uniforms
    np.testing.assert_array_equal(d.coupling(u), base.coupling(u))


def test_a_mixture_has_what_its_components_have():
    both = scg.Mixture([scg.Normal(), scg.Laplace()], probs=[0.5, 0.5])
    heavy = scg.Mixture([scg.Normal(), scg.Cauchy()], probs=[0.5, 0.5])
    assert both.supports("mean") and both.extends_to_mean
    assert not heavy.supports("mean") and not type(heavy).extends_to_mean
    with pytest.raises(scg.UnsupportedError, match="Mixture has no mean: its integral diverges"):
        heavy.mean()
    classes = scg.Mixture(
        [scg.Categorical(logits=LOGITS), scg.Categorical(logits=-LOGITS)], probs=[0.5, 0.5]
    )
    assert type(classes).kind == "int" and classes.cardinality() == 3
    assert not both.supports("cardinality")
    other = scg.Mixture(
        [scg.Binomial(2, logits=0.0), scg.Binomial(3, logits=0.0)], probs=[0.5, 0.5]
    )
    with pytest.raises(scg.UnsupportedError, match="its components have 3 and 4 values"):
        other.cardinality()
    unlike = scg.Mixture([scg.Binomial(1, logits=0.0), scg.Bernoulli(logits=0.0)], probs=[0.5, 0.5])
    assert not unlike.supports("enumerate_support")
    assert type(both) is type(scg.Mixture([scg.Normal(1.0), scg.Laplace()], logits=[0.0, 1.0]))


def test_a_mixture_is_enumerated_exactly():
    g = scg.Graph("mixture")
    a = g.parameter("a", 0.4)
    laws = [scg.Bernoulli(logits=a * np.ones(2)), scg.Bernoulli(logits=-2.0 * a * np.ones(2))]
    x = g.sample("x", scg.Mixture(laws, probs=[0.3, 0.7]))
    g.cost("c", np.prod(x - 0.3))

    def expected(t):
        p, q = 1 / (1 + np.exp(-t)), 1 / (1 + np.exp(2 * t))
        return 0.3 * (p - 0.3) ** 2 + 0.7 * (q - 0.3) ** 2

    truth = scg.exact(g, {"a": 0.4})
    np.testing.assert_allclose(truth.cost, expected(0.4), rtol=1e-12)
    slope = (expected(0.4 + 1e-5) - expected(0.4 - 1e-5)) / 2e-5
    np.testing.assert_allclose(truth.grads["a"], slope, rtol=1e-8)


def test_a_mixture_is_at_home_where_any_component_is():
    d = scg.Mixture([scg.Uniform(0.0, 1.0), scg.Uniform(3.0, 4.0)], probs=[0.5, 0.5])
    np.testing.assert_array_equal(d.support.contains([0.5, 2.0, 3.5]), [True, False, True])
    assert d.support.complaint(2.0) == "must be between 0.0 and 1.0 or between 3.0 and 4.0, got 2."
    g = scg.Graph()
    width = g.parameter("width", 1.0)
    moving = scg.Mixture([scg.Uniform(0.0, width), scg.Normal()], probs=[0.5, 0.5])
    assert d.support.fixed and not moving.support.fixed
    g.observe("x", moving, g.data("y", ()))
    g.observe("z", scg.Mixture([scg.Gamma(2.0), scg.Exponential(1.0)], probs=[0.5, 0.5]), 1.0)
    assert np.isfinite(scg.compile(g)({"width": 1.0}, y=-3.0, seed=0).cost)


@pytest.mark.parametrize("name", LAWS)
def test_what_estimators_call_binary_or_classes_are_three_families(name):
    d, _ = LAWS[name]
    assert isinstance(d, Binary) is isinstance(d, scg.Bernoulli)
    assert isinstance(d, Classes) is isinstance(d, (scg.Categorical, scg.OneHotCategorical))
