"""ARMS: exact mean over the atoms of its copula, the published formula, identities, variances."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import scg
from scg.estimators.parts.couplings import COPULAS

from . import binary
from .atoms import atoms, moments
from .graphs import assert_exact, plated, sigmoid, two_layers

NAMES = ("dirichlet", "gaussian", "independent")


def unit(logit=0.4):
    """f(b) = (b − 0.49)² with one unit: the toy of the paper."""
    g = scg.Graph("unit")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", logit)))
    g.cost("loss", (b - 0.49) ** 2)
    return g


def exact_moments(logit, count):
    """Mean and variance of ARMS with the Dirichlet copula, by its atoms."""
    p = sigmoid(logit)
    noise, weights = atoms([min(p, 1 - p)], count)
    leaves = {f"b/u{k + 1 if k else ''}": noise[:, k] for k in range(count - 1)}
    step = scg.compile(unit(logit), scg.ARMS(count))
    return moments(step, {"theta": np.array(logit)}, leaves, weights, "theta")


@pytest.mark.parametrize("logit", [-2.0, -0.3, 0.4, 1.5])
@pytest.mark.parametrize("count", [3, 4, 6])
def test_the_mean_over_all_atoms_is_the_gradient(logit, count):
    mean, _ = exact_moments(logit, count)
    truth = scg.exact(unit(logit), {"theta": np.array(logit)}).grads["theta"]
    assert float(mean) == pytest.approx(float(truth), abs=1e-10)


def test_exact_moments_use_the_atoms():
    for logit in (-0.3, 1.5):
        m = assert_exact(unit(logit), scg.ARMS(4))
        assert m.error == 0.0
        mean, variance = exact_moments(logit, 4)
        np.testing.assert_allclose(m.mean["theta"], mean, atol=1e-12)
        np.testing.assert_allclose(m.variance["theta"], variance, atol=1e-12)


def test_unbiased_with_three_and_four_draws():
    assert_exact(binary.graph(), scg.ARMS(3))
    assert_exact(two_layers(), {"h": scg.ARMS(4), "k": scg.ScoreFunction()})
    g, data = plated()
    assert_exact(g, {"a": scg.ScoreFunction(), "b": scg.ARMS(3)}, data)


@pytest.mark.parametrize("name", NAMES)
def test_unbiased_with_two_draws_in_layers_and_on_a_plate(name):
    assert_exact(two_layers(), scg.ARMS(2, name))
    g, data = plated()
    assert_exact(g, scg.ARMS(2, name), data)


def uniforms(noise, count, copula):
    """The copula in plain NumPy, for all runs: shape (K, runs, units)."""
    v = [noise[f"b/u{k if k > 1 else ''}"] for k in range(1, count)]
    if copula == "dirichlet":
        rest, shares = 1.0, []
        for k, stick in enumerate(v, 1):
            shares.append(rest * (1 - stick ** (1 / (count - k))))
            rest = rest - shares[-1]
        return (1 - np.array([*shares, rest])) ** (count - 1)
    from scipy.special import ndtr, ndtri

    cov = np.eye(count) * count / (count - 1) - 1 / (count - 1)
    factor = np.linalg.cholesky(cov[:-1, :-1])
    z = np.tensordot(factor, ndtri(np.array(v)), 1)
    return ndtr(np.array([*z, -z.sum(axis=0)]))


@pytest.mark.parametrize("copula", ["dirichlet", "gaussian"])
@pytest.mark.parametrize("count", [3, 5])
def test_the_published_formula_on_the_same_noise(copula, count):
    actual, noise = binary.grads(binary.graph(), scg.ARMS(count, copula))
    p = binary.P
    u = uniforms(noise, count, copula)
    m = np.minimum(p, 1 - p)
    if copula == "dirichlet":
        u = np.where(p > 0.5, 1 - u, u)
        both = np.maximum(2 * m ** (1 / (count - 1)) - 1, 0) ** (count - 1)
    else:
        from scipy.special import ndtri

        rho = -1 / (count - 1)
        law = multivariate_normal([0, 0], [[1, rho], [rho, 1]])
        both = np.array([law.cdf([h, h]) for h in ndtri(m)])
    b = 1.0 * (u < p)
    f = binary.costs(b)
    centred = count / (count - 1) * (f - f.mean(axis=0))
    g = np.mean(centred[..., None] * (b - p), axis=0) * p * (1 - p) / (m - both)
    np.testing.assert_allclose(actual, g.mean(axis=0), atol=1e-10)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_independent_draws_are_leave_one_out(count):
    expected, _ = binary.grads(binary.graph(), scg.LeaveOneOut(count))
    actual, _ = binary.grads(binary.graph(), scg.ARMS(count, "independent"))
    np.testing.assert_allclose(actual, expected, atol=1e-10)


@pytest.mark.parametrize("count", [3, 4, 10])
def test_the_gaussian_joint_cdf_is_that_of_scipy(count):
    from scipy.special import ndtri

    rho = -1 / (count - 1)
    law = multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    for a, b in [(0.5, 0.5), (0.01, 0.02), (0.9, 0.999), (1e-6, 0.7)]:
        value = COPULAS["gaussian"].cdf(np.array(a), np.array(b), count)
        assert value == pytest.approx(law.cdf(ndtri([a, b])), abs=1e-13)
    assert COPULAS["gaussian"].cdf(np.array(0.0), np.array(0.4), count) == pytest.approx(
        0, abs=1e-15
    )
    assert COPULAS["gaussian"].cdf(np.array(1.0), np.array(0.4), count) == pytest.approx(0.4)


def test_the_toy_of_the_paper_orders_the_variances():
    """On f = (b − 0.49)² coupled draws have the smaller variance for every p and K."""
    for logit in (-2.2, -1.0, 0.0, 0.9, 2.2):
        for count in (2, 4, 6):
            loo = scg.moments(
                scg.compile(unit(logit), scg.LeaveOneOut(count)), {"theta": np.array(logit)}
            ).variance["theta"]
            arms = (
                exact_moments(logit, count)[1]
                if count > 2
                else scg.moments(
                    scg.compile(unit(logit), scg.DisARM()), {"theta": np.array(logit)}
                ).variance["theta"]
            )
            assert arms < loo


@pytest.mark.statistical
@pytest.mark.parametrize("copula", ["dirichlet", "gaussian"])
def test_no_bias_with_four_draws_in_two_layers(copula, seed):
    """Eight tests at 7 σ: below 1e-10 by chance; a bias of 9.4 σ is found 99 times in 100."""
    g = two_layers()
    step = scg.compile(g, {"h": scg.ARMS(4, copula), "k": scg.ARMS(3, copula)})
    out, truth = step(g.init(seed=0), seed=(seed, 7), runs=20_000), scg.exact(g, g.init(seed=0))
    for name in ("a", "w"):
        z = (out.grads[name] - truth.grads[name]) / out.stderr[name]
        assert np.all(np.abs(z) < 7), z
        assert np.all(9.4 * out.stderr[name] < 0.6 * np.max(np.abs(truth.grads[name])))


def test_layers_nest_and_too_many_are_refused():
    """Seven layers of four draws: 4^7 paths; the way out is leave-one-out, which draws jointly."""
    g = scg.Graph("deep")
    h = g.parameter("t", 0.2)
    for i in range(7):
        h = g.sample(f"h{i}", scg.Bernoulli(logits=h - 0.3))
    g.cost("loss", np.exp(h))
    with pytest.raises(scg.EstimatorError, match="nest to 16384 paths") as caught:
        scg.compile(g, scg.ARMS(4))
    assert "one instance of LeaveOneOut" in str(caught.value)


def test_messages():
    with pytest.raises(scg.EstimatorError, match="samples must be an integer ≥ 2, got 1"):
        scg.ARMS(1)
    with pytest.raises(scg.EstimatorError, match="copula must be one of 'dirichlet'"):
        scg.ARMS(4, "frank")
