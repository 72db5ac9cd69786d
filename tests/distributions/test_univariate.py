"""Continuous univariate families against SciPy."""

import numpy as np
import pytest
from scipy import stats

import scg

from . import law

# family, parameters, SciPy's law, other parameters for the divergence
ROWS = {
    "Normal": (
        scg.Normal,
        dict(loc=0.7, scale=1.3),
        stats.norm(0.7, 1.3),
        dict(loc=-0.2, scale=2.1),
    ),
    "Gamma": (
        scg.Gamma,
        dict(concentration=2.3, rate=1.7),
        stats.gamma(2.3, scale=1 / 1.7),
        dict(concentration=1.4, rate=0.6),
    ),
    "Gamma small": (
        scg.Gamma,
        dict(concentration=0.3, rate=1.7),
        stats.gamma(0.3, scale=1 / 1.7),
        dict(concentration=0.5, rate=0.6),
    ),
    "Beta": (
        scg.Beta,
        dict(concentration1=2.3, concentration0=0.8),
        stats.beta(2.3, 0.8),
        dict(concentration1=1.1, concentration0=1.9),
    ),
    "Exponential": (scg.Exponential, dict(rate=1.7), stats.expon(scale=1 / 1.7), dict(rate=0.4)),
    "Laplace": (
        scg.Laplace,
        dict(loc=0.7, scale=1.3),
        stats.laplace(0.7, 1.3),
        dict(loc=-0.2, scale=2.1),
    ),
    "Logistic": (
        scg.Logistic,
        dict(loc=0.7, scale=1.3),
        stats.logistic(0.7, 1.3),
        dict(loc=-0.2, scale=2.1),
    ),
    "Gumbel": (
        scg.Gumbel,
        dict(loc=0.7, scale=1.3),
        stats.gumbel_r(0.7, 1.3),
        dict(loc=-0.2, scale=2.1),
    ),
    "LogNormal": (
        scg.LogNormal,
        dict(loc=0.3, scale=0.6),
        stats.lognorm(0.6, scale=np.exp(0.3)),
        dict(loc=-0.2, scale=0.9),
    ),
    "Uniform": (
        scg.Uniform,
        dict(low=-0.4, high=1.9),
        stats.uniform(-0.4, 2.3),
        dict(low=-1.0, high=2.5),
    ),
    "StudentT": (scg.StudentT, dict(df=4.5, loc=0.7, scale=1.3), stats.t(4.5, 0.7, 1.3), None),
    "Cauchy": (
        scg.Cauchy,
        dict(loc=0.7, scale=1.3),
        stats.cauchy(0.7, 1.3),
        dict(loc=-0.2, scale=2.1),
    ),
    "HalfNormal": (scg.HalfNormal, dict(scale=1.3), stats.halfnorm(0, 1.3), dict(scale=2.1)),
    "Weibull": (
        scg.Weibull,
        dict(scale=1.3, concentration=2.2),
        stats.weibull_min(2.2, scale=1.3),
        dict(scale=2.1, concentration=1.4),
    ),
    "InverseGamma": (
        scg.InverseGamma,
        dict(concentration=3.3, rate=1.7),
        stats.invgamma(3.3, scale=1.7),
        dict(concentration=1.4, rate=0.6),
    ),
    "Pareto": (
        scg.Pareto,
        dict(scale=1.3, concentration=3.2),
        stats.pareto(3.2, scale=1.3),
        dict(scale=0.9, concentration=1.4),
    ),
    "VonMises": (
        scg.VonMises,
        dict(loc=0.7, concentration=1.8),
        stats.vonmises(1.8, loc=0.7),
        dict(loc=-0.2, concentration=0.6),
    ),
}
U = np.array([0.1, 0.2, 0.45, 0.77, 0.9])


def points(name):
    """Arguments across the law, with the parameters broadcast."""
    _, _, frozen, _ = ROWS[name]
    return frozen.ppf(U)


@pytest.mark.parametrize("name", ROWS)
def test_log_prob(name):
    family, parameters, frozen, _ = ROWS[name]
    x = points(name)
    spread = {key: np.full(x.shape, value) for key, value in parameters.items()}
    law.check_log_prob(family, spread, x, frozen.logpdf(x), step=5e-4 if name == "Beta" else 2e-3)


@pytest.mark.parametrize("name", ROWS)
def test_statistics(name):
    family, parameters, frozen, other = ROWS[name]
    d = family(**parameters)
    if family.supports("mean") and name != "VonMises":
        np.testing.assert_allclose(d.mean(), frozen.mean(), rtol=1e-12)
    if family.supports("variance") and name != "VonMises":  # of the line, and slow
        np.testing.assert_allclose(d.variance(), frozen.var(), rtol=1e-12)
    if family.supports("entropy_elementwise"):
        np.testing.assert_allclose(d.entropy(), frozen.entropy(), rtol=1e-10)
    if family.supports("quantile"):
        np.testing.assert_allclose(d.quantile(U), frozen.ppf(U), rtol=1e-10)
    if family.supports("mode"):
        mode = np.asarray(d.mode())
        at = d.log_prob(np.clip(mode, *np.nextafter(frozen.support(), [np.inf, -np.inf])))
        assert np.all(at >= d.log_prob(points(name), elementwise=True) - 1e-12)
    if other is not None:
        q = family(**other)
        np.testing.assert_allclose(d.kl(q), law.divergence(d, q, d.quantile), rtol=1e-6)
        np.testing.assert_allclose(d.kl(d), 0.0, atol=1e-12)
    support = d.support
    assert support.contains(points(name)).all()


@pytest.mark.parametrize("name", ROWS)
def test_pathwise_derivative(name):
    family, parameters, _, _ = ROWS[name]
    assert family.reparameterized
    law.check_pathwise(family, {key: np.full(3, value) for key, value in parameters.items()})


# --- extremes -------------------------------------------------------------------------------------
EXTREMES = [
    ("Gamma", dict(concentration=1e-3, rate=1.0), stats.gamma(1e-3), [1e-30, 1e-5, 3.0]),
    ("Gamma", dict(concentration=1e6, rate=2.0), stats.gamma(1e6, scale=0.5), [4.99e5, 5.003e5]),
    ("Beta", dict(concentration1=1e-3, concentration0=1e-3), stats.beta(1e-3, 1e-3), [1e-30, 0.4]),
    ("Beta", dict(concentration1=1e6, concentration0=3e6), stats.beta(1e6, 3e6), [0.2501, 0.2496]),
    ("Beta", dict(concentration1=1e-3, concentration0=1e6), stats.beta(1e-3, 1e6), [1e-9, 1e-6]),
    ("InverseGamma", dict(concentration=1e6, rate=2e6), stats.invgamma(1e6, scale=2e6), [2.001]),
    ("StudentT", dict(df=1e6), stats.t(1e6), [-3.0, 0.0, 8.0]),
    ("StudentT", dict(df=1e-3), stats.t(1e-3), [-3.0, 0.1, 1e9]),
    ("VonMises", dict(loc=0.0, concentration=1e6), stats.norm(0, 1e-3), [1e-3, -2e-3]),
    ("Logistic", dict(loc=0.0, scale=1.0), stats.logistic(), [-800.0, 800.0]),
    ("Laplace", dict(loc=0.0, scale=1.0), stats.laplace(), [-700.0, 1e-9]),
    ("Gumbel", dict(loc=0.0, scale=1.0), stats.gumbel_r(), [-6.0, 800.0]),
    ("Weibull", dict(scale=1.0, concentration=1e-3), stats.weibull_min(1e-3), [1e-30, 2.0]),
]


@pytest.mark.parametrize("row", EXTREMES, ids=lambda row: f"{row[0]} {row[1]}")
def test_extremes(row):
    """Values against SciPy, and against ourselves in single precision, gradients included."""
    name, parameters, frozen, x = row
    x = np.asarray(x)
    out = law.log_prob_and_gradients(getattr(scg, name), parameters, x)
    # SciPy subtracts numbers of 1e7 where the concentrations are 1e6; VonMises is only near normal
    rtol = 3e-6 if name == "VonMises" else 2e-8
    np.testing.assert_allclose(out["value"], frozen.logpdf(x), rtol=rtol)
    x32 = x.astype(np.float32).astype(float)
    out = law.log_prob_and_gradients(getattr(scg, name), parameters, x32)
    single = law.log_prob_and_gradients(getattr(scg, name), parameters, x32, np.float32)
    for key, value in out.items():
        assert np.isfinite(value).all(), key
        if np.all(np.abs(value) < 1e37) and np.all(x32 != 0):
            np.testing.assert_allclose(single[key], value, rtol=2e-3, atol=1e-6, err_msg=key)


@pytest.mark.statistical
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "make",
    [
        lambda a: scg.Gamma(a, 1.0),
        lambda a: scg.Beta(a, 0.5 * a),
        lambda a: scg.InverseGamma(a, a),
        lambda a: scg.StudentT(a),
        lambda a: scg.Dirichlet(np.array([1.0, 2.0, 3.0]) * a),
        lambda a: scg.VonMises(0.0, a),
    ],
)
@pytest.mark.parametrize("concentration", [1e-3, 1e6])
def test_draws_at_extremes_have_finite_densities_and_gradients(make, concentration, dtype, seed):
    g = scg.Graph()
    a = g.parameter("a", concentration)
    z = g.sample("z", make(a))
    g.cost("c", z.log_prob())
    step = scg.compile(g, estimator=scg.Reparameterization(), dtype=dtype)
    out = step(g.init(seed=0), seed=seed, runs=2000)
    if make(1.0).support.name not in ("real", "positive"):
        assert np.isfinite(out.cost) and np.isfinite(out.grads["a"])
    else:  # heavy tails without moments overflow
        assert not np.isnan(out.cost)
