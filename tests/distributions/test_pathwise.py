"""The draws of Normal and Gamma as functions of their parameters: implicit and explicit paths."""

import numpy as np
import pytest
import scipy.special as sp
from scipy import stats

import scg
from scg.compiler.differentiate import gradients
from scg.run.finish import finish
from scg.testing import check_gradient

from . import law

SHAPES = np.array([0.02, 0.4, 1.0, 3.7, 60.0, 5000.0])
U = np.array([1e-4, 0.03, 0.5, 0.9, 0.9999])


@pytest.mark.parametrize("u", U)
def test_the_implicit_derivative_is_that_of_the_inverse_cdf(u):
    """At fixed u: dx/da by finite differences of SciPy's inverse, over shapes of 20 to 5000."""
    shapes = SHAPES[sp.gammaincinv(SHAPES, u) > 1e-280]
    out = law.evaluate(*_quantile(shapes, u))
    h = 2e-3 * shapes
    x = sp.gammaincinv(shapes, u)
    d = [
        np.log(sp.gammaincinv(shapes + h / k, u) / sp.gammaincinv(shapes - h / k, u)) / (2 * h / k)
        for k in (1, 2, 4)
    ]
    expected = x * (d[0] - 20 * d[1] + 64 * d[2]) / 45
    np.testing.assert_allclose(out["x"], x, rtol=1e-12)
    np.testing.assert_allclose(out["dx/da"], expected, rtol=1e-7)


def _quantile(shapes, u):
    g = scg.Graph("gamma")
    a = g.data("a", shapes.shape)
    x = scg.Gamma(a).quantile(np.full(shapes.shape, u))
    return {"x": x, "dx/da": scg.grad(np.sum(x), a)}, {a: shapes}


def test_second_derivatives_of_a_draw():
    check_gradient(lambda a, b: scg.Gamma(a, b).quantile(0.3), [0.8, 2.5], [1.4, 0.6], rtol=1e-5)


def test_small_shapes_do_not_underflow_to_a_dead_path():
    """log x is far below the smallest number: the draw is positive, and its log-density finite."""
    out = law.evaluate(*_quantile(np.array([1e-4]), 0.5))
    assert out["x"] > 0.0 and np.isfinite(out["dx/da"])
    assert np.isfinite(scg.Gamma(1e-4).log_prob(out["x"]))


@pytest.mark.parametrize("a, b", [(2.5, 1.7), (0.6, 0.6)])
def test_gamma_moments_and_their_derivatives(a, b):
    """E[x] = a/b and E[log x] = ψ(a) - log b, integrated over the noise, to second order."""
    t, weight = np.polynomial.legendre.leggauss(200)
    t, weight = (t + 1) / 2, weight / 2
    u, du = t**4 * (35 - 84 * t + 70 * t**2 - 20 * t**3), 140 * t**3 * (1 - t) ** 3
    g = scg.Graph("moments")
    nodes = g.parameter("a", a), g.parameter("b", b)
    x = scg.Gamma(*nodes).quantile(u)
    y = np.sum((x + np.log(x)) * (weight * du))
    first = gradients(y, nodes)
    outputs = {"y": y, "a": first[0], "b": first[1]}
    outputs |= dict(zip(("aa", "ab"), gradients(first[0], nodes), strict=True))
    outputs["bb"] = gradients(first[1], nodes)[1]
    out = finish(outputs).run({"a": np.array(a), "b": np.array(b)}, None, {})
    expected = {
        "y": a / b + sp.digamma(a) - np.log(b),
        "a": 1 / b + sp.polygamma(1, a),
        "b": -a / b**2 - 1 / b,
        "aa": sp.polygamma(2, a),
        "ab": -1 / b**2,
        "bb": 2 * a / b**3 + 1 / b**2,
    }
    for key, value in expected.items():
        np.testing.assert_allclose(out[key][0], value, rtol=1e-7, err_msg=key)


def test_normal_is_location_and_scale():
    g = scg.Graph("normal")
    mu, sigma = g.data("mu", 2), g.data("sigma", ())
    noise = law.Recorded({"n": np.array([-1.5, 0.7])})
    x = scg.Normal(mu, sigma).sample(noise)
    outputs = {"x": x, "mu": scg.grad(np.sum(x), mu), "sigma": scg.grad(np.sum(x), sigma)}
    out = law.evaluate(outputs, {mu: [0.1, 0.2], sigma: 3.0})
    np.testing.assert_allclose(out["x"], [0.1 - 4.5, 0.2 + 2.1], rtol=1e-15)
    np.testing.assert_allclose(out["mu"], [1.0, 1.0])
    np.testing.assert_allclose(out["sigma"], -0.8)


@pytest.mark.parametrize(
    "loc, scale, x",
    [(0.0, 1e-150, 1e-150), (0.0, 1e150, -1e150), (1e8, 1.0, 1e8 + 3.0), (0.0, 1.0, 1e10)],
)
def test_normal_at_extremes(loc, scale, x):
    out = law.log_prob_and_gradients(scg.Normal, {"loc": loc, "scale": scale}, x)
    np.testing.assert_allclose(out["value"], stats.norm(loc, scale).logpdf(x), rtol=1e-14)
    z = (x - loc) / scale
    np.testing.assert_allclose(out["at"], -z / scale, rtol=1e-13)
    np.testing.assert_allclose(out["scale"], (z**2 - 1) / scale, rtol=1e-13, atol=1e-13 / scale)


def test_gamma_at_zero():
    """At x = 0 the density is infinite, the rate, or zero, as a is below, at, or above 1."""
    with np.errstate(divide="ignore"):
        found = [float(scg.Gamma(a, 2.0).log_prob(0.0)) for a in (0.5, 1.0, 3.0)]
    np.testing.assert_allclose(found, [np.inf, np.log(2.0), -np.inf])


@pytest.mark.parametrize(
    "make, parameters",
    [
        (scg.Normal, {"loc": np.array([0.3, -1.0]), "scale": np.array(0.7)}),
        (scg.Gamma, {"concentration": np.array([0.6, 3.0]), "rate": np.array([1.2, 0.4])}),
    ],
)
def test_all_methods_agree_on_nodes_and_arrays_and_rebuild(make, parameters):
    arrays = make(**parameters)
    _, nodes, leaves = law.as_nodes(make, parameters)
    moved = {name: 1.5 * value for name, value in parameters.items()}
    outputs = {name: getattr(nodes, name)() for name in ("mean", "variance", "mode", "entropy")}
    outputs["kl"] = nodes.kl(make(**moved))
    outputs["each"] = nodes.kl(make(**moved), elementwise=True)
    outputs["log_prob"] = nodes.log_prob(np.array([0.8, 1.1]))
    out = law.evaluate(outputs, {leaf: parameters[name] for name, leaf in leaves.items()})
    for name in ("mean", "variance", "mode", "entropy"):
        np.testing.assert_allclose(out[name], getattr(arrays, name)(), rtol=1e-13)
        assert np.shape(out[name]) == (() if name == "entropy" else (2,))
    np.testing.assert_allclose(out["kl"], arrays.kl(make(**moved)), rtol=1e-13)
    np.testing.assert_allclose(np.sum(out["each"]), out["kl"], rtol=1e-13)
    np.testing.assert_allclose(out["log_prob"], arrays.log_prob([0.8, 1.1]), rtol=1e-13)
    again = make.rebuild(tuple(arrays.parameters.values()), arrays.static)
    assert repr(again) == repr(arrays) and again.shape == arrays.shape == nodes.shape == (2,)


def test_parameters_broadcast_to_the_event():
    assert scg.Normal(np.zeros((2, 1)), np.ones(3)).shape == (2, 3)
    with pytest.raises(
        scg.DeclarationError,
        match=r"^Normal: parameter shapes do not broadcast: loc \(2,\), scale \(3,\)$",
    ):
        scg.Normal(np.zeros(2), np.ones(3))
    for wrong in (0.0, -1.0, np.nan):
        with pytest.raises(scg.DeclarationError, match=r"^Gamma: rate must be positive, got"):
            scg.Gamma(1.0, wrong)
