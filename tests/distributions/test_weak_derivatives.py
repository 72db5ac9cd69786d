"""Measure-valued derivatives: d/dθ E f(x) is c (E f(x⁺) − E f(x⁻)), summed over the parts."""

import numpy as np
import pytest

import scg
from scg.distributions import DISTRIBUTIONS

GRID = (np.arange(600) + 0.5) / 600
# family, parameters; more than one row where a law changes its shape
ROWS = {
    "Normal": (scg.Normal, dict(loc=0.4, scale=1.3)),
    "Laplace": (scg.Laplace, dict(loc=0.4, scale=1.3)),
    "Logistic": (scg.Logistic, dict(loc=0.4, scale=1.3)),
    "Cauchy": (scg.Cauchy, dict(loc=0.4, scale=0.8)),
    "StudentT": (lambda **p: scg.StudentT(2.5, **p), dict(loc=0.4, scale=1.3)),
    "Gumbel": (lambda loc: scg.Gumbel(loc, 1.3), dict(loc=0.4)),
    "LogNormal": (scg.LogNormal, dict(loc=0.3, scale=0.6)),
    "HalfNormal": (scg.HalfNormal, dict(scale=1.3)),
    "Exponential": (scg.Exponential, dict(rate=1.7)),
    "Gamma": (lambda rate: scg.Gamma(2.3, rate), dict(rate=1.7)),
    "Gamma below one": (lambda rate: scg.Gamma(0.4, rate), dict(rate=1.7)),
    "InverseGamma": (lambda rate: scg.InverseGamma(2.3, rate), dict(rate=1.7)),
    "Weibull": (lambda scale: scg.Weibull(scale, 1.6), dict(scale=1.3)),
    "Uniform": (scg.Uniform, dict(low=-0.4, high=1.9)),
    "Pareto": (scg.Pareto, dict(scale=0.8, concentration=2.2)),
    "RelaxedBernoulli": (scg.RelaxedBernoulli, dict(temperature=0.7, logits=0.4)),
    "RelaxedBernoulli probs": (scg.RelaxedBernoulli, dict(temperature=1.6, probs=0.3)),
    "Poisson": (scg.Poisson, dict(rate=2.4)),
    "Binomial": (lambda **p: scg.Binomial(5, **p), dict(probs=0.35)),
    "Binomial logits": (lambda **p: scg.Binomial(5, **p), dict(logits=0.4)),
    "Geometric": (scg.Geometric, dict(probs=0.45)),
    "Geometric logits": (scg.Geometric, dict(logits=0.3)),
    "NegativeBinomial": (lambda **p: scg.NegativeBinomial(2.5, **p), dict(probs=0.4)),
    "NegativeBinomial logits": (lambda **p: scg.NegativeBinomial(0.7, **p), dict(logits=-0.3)),
}
COUNTS = np.arange(60.0)


class Same:
    """All noise is one axis of midpoints."""

    def uniform(self, shape, tag="u"):
        return GRID

    def normal(self, shape, tag="n"):
        raise AssertionError("parts are made of uniforms")


def f(x):
    """A bounded function that is neither even nor odd."""
    return np.tanh(0.8 * x - 0.5) + 0.7 * np.exp(-0.25 * (x - 1.0) ** 2)


def atoms(d):
    """Values of the law with weights: its support, or quantiles at midpoints."""
    if d.support.kind == "integer":
        counts = COUNTS[d.support.contains(COUNTS)]
        return counts, np.exp(d.log_prob(counts, elementwise=True))
    fine = (np.arange(4000) + 0.5) / 4000
    return d.quantile(fine), np.full(4000, 1 / 4000)


@pytest.mark.parametrize("name", ROWS)
def test_the_parts_give_the_derivative(name):
    make, parameters = ROWS[name]

    def expectation(**given):
        x, w = atoms(make(**given))
        return w @ f(x)

    def slope(function, key, h=1e-4):
        above, below = ({**parameters, key: parameters[key] + s * h} for s in (1, -1))
        return (function(**above) - function(**below)) / (2 * h)

    d = make(**parameters)
    x, w = atoms(d)
    keep = slice(None) if len(x) < 100 else slice(3, None, 7)  # fewer of the fine midpoints
    x, w = x[keep], w[keep] / w[keep].sum()
    parts = d.weak_derivatives(x[:, None], Same())
    each = []
    for _, factor, plus, minus in parts:
        assert d.support.contains(np.asarray(plus + 0 * minus)).all() or name == "Uniform"
        each.append(np.mean(w @ np.broadcast_to(factor * (f(plus) - f(minus)), (len(x), 600))))
    for key in parameters:
        found = 0.0
        for k, value in enumerate(each):

            def theta(k=k, **given):
                parts = make(**given).weak_derivatives(x[:1, None], Same())
                return float(np.ravel(parts[k][0])[0])

            found += value * slope(theta, key)
        np.testing.assert_allclose(found, slope(expectation, key), rtol=6e-3, atol=1e-3)


def test_every_family_with_weak_derivatives_has_a_row():
    rows = {type(make(**parameters)) for make, parameters in ROWS.values()}
    assert rows == {family for family in DISTRIBUTIONS if family.supports("weak_derivatives")}


@pytest.mark.statistical
@pytest.mark.parametrize(
    ("make", "parameters", "expected"),
    [
        # E x² and its derivatives
        (scg.Laplace, dict(loc=0.4, scale=0.7), dict(loc=0.8, scale=4 * 0.7)),
        (scg.Uniform, dict(low=-0.4, high=1.9), dict(low=(1.9 - 0.8) / 3, high=(3.8 - 0.4) / 3)),
        (scg.Exponential, dict(rate=1.6), dict(rate=-4 / 1.6**3)),
        (scg.Geometric, dict(probs=0.4), dict(probs=1 / 0.4**2 - 4 / 0.4**3 + 2 / 0.4**2)),
    ],
)
def test_in_a_graph(make, parameters, expected, seed):
    """Seven z-tests at 1e-8 each."""
    g = scg.Graph()
    nodes = {name: g.parameter(name, value) for name, value in parameters.items()}
    x = g.sample("x", make(**nodes))
    g.cost("c", x**2)
    out = scg.compile(g, scg.MeasureValued())(parameters, seed=seed, runs=20_000)
    for name, value in expected.items():
        assert abs(out.grads[name] - value) < 5.8 * out.stderr[name] + 1e-12, name
        assert 5.8 * out.stderr[name] < 0.5 * abs(value) + 0.1  # the power of the test
