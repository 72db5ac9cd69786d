"""Measure-valued derivatives: d/dθ E f(x) is c (E f(x⁺) − E f(x⁻)), summed over the parts."""

import numpy as np
import pytest
import scipy.special as sp
from scipy import stats

import scg
from scg.distributions import DISTRIBUTIONS, shape_parts

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
    "Gamma": (scg.Gamma, dict(concentration=2.3, rate=1.7)),
    "Gamma below one": (scg.Gamma, dict(concentration=0.4, rate=1.7)),
    "InverseGamma": (scg.InverseGamma, dict(concentration=2.3, rate=1.7)),
    "Weibull": (scg.Weibull, dict(scale=1.3, concentration=1.6)),
    "Weibull below one": (scg.Weibull, dict(scale=1.3, concentration=0.7)),
    "Beta": (scg.Beta, dict(concentration1=2.3, concentration0=0.8)),
    "Beta below one": (scg.Beta, dict(concentration1=0.4, concentration0=0.6)),
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

    def __init__(self, grid=GRID):
        self.grid = grid

    def uniform(self, shape, tag="u"):
        return self.grid

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
                parts = make(**given).weak_derivatives(x[:1, None], Same(GRID[:1]))
                return float(np.ravel(parts[k][0])[0])

            found += value * slope(theta, key)
        np.testing.assert_allclose(found, slope(expectation, key), rtol=6e-3, atol=1e-3)


def test_every_family_with_weak_derivatives_has_a_row():
    rows = {type(make(**parameters)) for make, parameters in ROWS.values()} | {scg.Dirichlet}
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
    """Seven z-tests at 7 standard errors: below 1e-9 each, though runs are skewed (up to 5)."""
    g = scg.Graph()
    nodes = {name: g.parameter(name, value) for name, value in parameters.items()}
    x = g.sample("x", make(**nodes))
    g.cost("c", x**2)
    out = scg.compile(g, scg.MeasureValued())(parameters, seed=seed, runs=20_000)
    for name, value in expected.items():
        assert abs(out.grads[name] - value) < 7 * out.stderr[name] + 1e-12, name
        assert 9.4 * out.stderr[name] < 0.5 * abs(value) + 0.1  # the power of the test


# --- shapes, by inversion -------------------------------------------------------------------------
FINE = np.concatenate([[2.0**-53, 1e-9, 1e-4], GRID[::40], [1 - 1e-6, 1 - 2.0**-53]])


@pytest.mark.parametrize("a", [0.05, 0.5, 2.3, 40.0])
def test_parts_of_a_gamma_value_have_the_distribution_functions_of_its_derivative(a, h=1e-4):
    mass, plus, minus = shape_parts.gamma_parts(np.full_like(FINE, a), FINE)

    def g(y):
        return -(stats.gamma.cdf(np.exp(y), a + h) - stats.gamma.cdf(np.exp(y), a - h)) / (2 * h)

    np.testing.assert_allclose(1 - g(plus) / mass, FINE, atol=4e-6)
    np.testing.assert_allclose(g(minus) / mass, FINE, atol=4e-6)
    assert np.all(minus <= sp.digamma(a) + 1e-6) and np.all(plus >= sp.digamma(a) - 1e-6)


@pytest.mark.parametrize(("a", "b"), [(0.2, 0.3), (2.0, 3.0), (0.1, 4.0), (30.0, 7.0)])
def test_parts_of_a_proportion_have_the_distribution_functions_of_its_derivative(a, b, h=1e-4):
    shapes = np.full_like(FINE, a), np.full_like(FINE, b)
    mass, plus, minus = shape_parts.beta_parts(*shapes, FINE)

    def g(s):
        x = sp.expit(s)
        return -(stats.beta.cdf(x, a + h, b) - stats.beta.cdf(x, a - h, b)) / (2 * h)

    np.testing.assert_allclose(1 - g(plus) / mass, FINE, atol=4e-6)
    np.testing.assert_allclose(g(minus) / mass, FINE, atol=4e-6)


@pytest.mark.parametrize("a", [1e-5, 1e-4, 1e-3])
def test_parts_of_small_shapes(a):
    """w = −a log x is exponential for a → 0, where ∂F/∂a is −w exp(−w) / a; exp(E log x) is 0."""
    u = np.array([1e-3, 0.3, 0.5, 0.9])
    for parts in (
        shape_parts.gamma_parts(np.full_like(u, a), u),
        shape_parts.beta_parts(np.full_like(u, a), np.full_like(u, 2.0), u),
    ):
        w_plus, w_minus = (-a * part for part in parts[1:])
        np.testing.assert_allclose(parts[0], np.exp(-1.0) / a, rtol=2e-3)
        np.testing.assert_allclose(1.0 - w_plus * np.exp(1.0 - w_plus), u, atol=3e-3)
        np.testing.assert_allclose(w_minus * np.exp(1.0 - w_minus), u, atol=3e-3)


def test_parts_of_a_weibull_value_lie_around_the_extrema_of_its_derivative():
    """∂F/∂k turns twice, at t = .25925 and 2.23999, with t = (x/λ)^k."""
    _, plus, minus = shape_parts.weibull_parts(FINE)
    for t in (0.25925, 2.23999):
        assert abs(1 / np.log(t) + 1 - t) < 2e-4
    assert np.all((np.exp(plus) > 0.25924) & (np.exp(plus) < 2.24))
    assert np.all((np.exp(minus) < 0.25926) | (np.exp(minus) > 2.2399))


def test_a_common_uniform_beats_an_antithetic_pair():
    """Gamma(2.3) and cost x², by quadrature over the uniform u; its ends are smoothed."""
    t, w = np.polynomial.legendre.leggauss(200)
    t = (t + 1) / 2
    u, w = t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3), w * 70 * (t * (1 - t)) ** 3
    mass, plus, minus = shape_parts.gamma_parts(np.full_like(u, 2.3), u)
    mirrored = shape_parts.gamma_parts(np.full_like(u, 2.3), 1 - u)[2]
    for part, variance in ((minus, 22.57969), (mirrored, 25.51263)):
        each = mass * (np.exp(2 * plus) - np.exp(2 * part))
        assert w @ each == pytest.approx(5.6, abs=1e-9)  # ∂ (α² + α) / ∂α
        assert w @ each**2 - 5.6**2 == pytest.approx(variance, abs=1e-4)


def test_dirichlet():
    """One proportion moves; the others keep their shares, whose moments are known."""
    alpha = np.array([0.6, 1.7, 2.4])
    u = (np.arange(400) + 0.5) / 400

    def moment(a, powers):
        total = sp.gammaln(a.sum()) - sp.gammaln(a.sum() + powers.sum())
        return np.exp(total + np.sum(sp.gammaln(a + powers) - sp.gammaln(a)))

    parts = scg.Dirichlet(alpha).weak_derivatives(np.full(3, 1 / 3), Columns(u))
    ((theta, mass, *both),) = parts
    np.testing.assert_array_equal(theta, alpha)
    for powers in np.array([[1, 2, 0], [0, 1, 1], [3, 0, 0], [1, 1, 1]]):
        for i, h in enumerate(np.eye(3) * 1e-5):
            others = np.arange(3) != i
            rest = moment(alpha[others], powers[others])
            plus, minus = (
                np.mean(p[:, i] ** powers[i] * (1 - p[:, i]) ** powers[others].sum()) for p in both
            )
            truth = (moment(alpha + h, powers) - moment(alpha - h, powers)) / 2e-5
            assert np.ravel(mass)[i] * rest * (plus - minus) == pytest.approx(truth, abs=5e-5)
    x, here = np.array([0.2, 0.3, 0.5]), np.array([False, True, False])
    moved = scg.Dirichlet(alpha).moved(x, here, np.array([0.0, 0.6, 0.0]))
    np.testing.assert_allclose(moved, [0.4 * 2 / 7, 0.6, 0.4 * 5 / 7], atol=1e-15)


class Columns(Same):
    """The same midpoints for each element of an event."""

    def uniform(self, shape, tag="u"):
        return np.repeat(self.grid[:, None], shape[0], axis=1)


@pytest.mark.statistical
def test_dirichlet_in_a_graph(seed):
    """Two z-tests at 7 standard errors of ∂ α₁/(α₁ + α₂), which is 0.1875 and −0.0625."""
    g = scg.Graph()
    x = g.sample("x", scg.Dirichlet(g.parameter("alpha", [1.0, 3.0])))
    g.cost("c", x[0])
    out = scg.compile(g, scg.MeasureValued())({"alpha": np.array([1.0, 3.0])}, seed=seed, runs=400)
    error = 7 * out.stderr["alpha"]
    assert np.all(np.abs(out.grads["alpha"] - [0.1875, -0.0625]) < error)
    assert np.all(error < 0.1)
