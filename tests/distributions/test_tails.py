"""Quantiles far in the tails, and pathwise derivatives of draws beyond the largest number."""

import mpmath as mp
import numpy as np
import pytest

import scg
from scg.ops import special

from . import law
from .law import evaluate

TINY = 2.0**-53
ROWS = [  # computed with 60 digits from the distribution functions
    (scg.Cauchy(1.0, 2.0), TINY, -5734161139222657.6),
    (scg.Cauchy(1.0, 2.0), 1e-300, 1.0 - 2e300 / np.pi),
    (scg.Cauchy(1.0, 2.0), 1.0 - TINY, 5734161139222659.6),
    (scg.InverseGamma(5.0, 1e-3), 1e-30, 1.1953905218094878e-05),
    (scg.InverseGamma(1.0, 1.0), 1e-6, 0.07238241365054197),
    (scg.InverseGamma(0.01, 1.0), 1.0 - 1e-4, np.finfo(float).max),
    (scg.Binomial(10_000, probs=0.5), TINY, 4590),
    (scg.Binomial(10_000, probs=0.5), 1e-100, 3940),
    (scg.Binomial(10, probs=1.0), TINY, 10),
    (scg.Binomial(10, probs=0.0), 1.0 - TINY, 0),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]!r} {row[1]}")
def test_quantile(row):
    d, u, wanted = row
    np.testing.assert_allclose(d.quantile(u), wanted, rtol=1e-13)


def test_quantiles_of_the_inverse_gamma_law_against_mpmath():
    for shape in (0.3, 5.0, 300.0):
        for u in (1e-300, 1e-30, TINY, 1e-3, 0.5, 0.999):
            x = float(scg.InverseGamma(shape, 2.0).quantile(u))
            with mp.workdps(40):
                below = mp.gammainc(shape, mp.mpf(2) / x, mp.inf, regularized=True)
                density = (2 / mp.mpf(x)) ** shape * mp.exp(-2 / mp.mpf(x)) / mp.gamma(shape)
            assert abs(below - u) < 1e-12 * (u + density), (shape, u)


# --- pathwise derivatives -------------------------------------------------------------------------
U = np.array([2.0**-20, 2.0**-10, 0.015625, 0.3125, 0.625, 0.984375, 1 - 2.0**-10, 1 - 2.0**-20])
#: A law, and the logarithm of its draw.
DRAWS = {
    "Gamma": (scg.Gamma, (0.005, 3.0), lambda a, b: special.log_gammaincinv(a, U) - np.log(b)),
    "InverseGamma": (
        scg.InverseGamma,
        (0.005, 3.0),
        lambda a, b: np.log(b) - special.log_gammainccinv(a, U),
    ),
    "Weibull": (scg.Weibull, (3.0, 0.005), lambda s, k: np.log(s) + np.log(-np.log1p(-U)) / k),
    "Pareto": (scg.Pareto, (3.0, 0.005), lambda m, a: np.log(m) - np.log1p(-U) / a),
    "LogNormal": (scg.LogNormal, (3.0, 400.0), lambda m, s: m + s * special.ndtri(U)),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", DRAWS)
def test_logarithms_of_draws_have_their_slopes(name, dtype):
    """Of E log x, where most draws are beyond the largest or below the smallest number."""
    family, values, logarithm = DRAWS[name]
    g = scg.Graph()
    nodes = [g.parameter(f"p{i}", np.full(U.shape, v)) for i, v in enumerate(values)]
    given = dict(zip(nodes, (np.full(U.shape, v) for v in values), strict=True))
    x = family(*nodes).quantile(U)
    found = evaluate({"x": x, **dict(enumerate(scg.grad(np.sum(np.log(x)), nodes)))}, given, dtype)
    exact = evaluate(
        {"y": (y := logarithm(*nodes)), **dict(enumerate(scg.grad(np.sum(y), nodes)))}, given
    )
    info = np.finfo(dtype)
    ends = np.sum((found["x"] == info.max) | (found["x"] == info.tiny))
    assert np.isfinite(found["x"]).all() and ends >= 2
    for i in range(len(nodes)):
        np.testing.assert_allclose(found[i], exact[i], rtol=1e-10 if dtype is np.float64 else 1e-4)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_proportions_at_the_ends_have_the_slopes_of_their_log_odds(dtype):
    g = scg.Graph()
    a, b = (g.parameter(name, np.full(U.shape, 0.005)) for name in "ab")
    given = {a: np.full(U.shape, 0.005), b: np.full(U.shape, 0.005)}
    noise = law.Recorded({"a": U, "b": np.roll(U, 3)})
    x = scg.Beta(a, b).sample(noise)
    s = special.log_gammaincinv(a, U) - special.log_gammaincinv(b, np.roll(U, 3))
    side = np.where(evaluate({"s": s}, given)["s"] > 0, 0.0, 1.0)  # log x below, log(1 − x) above
    end = np.sum(side * np.log(x) - (1.0 - side) * np.log1p(-x))
    exact = evaluate(dict(enumerate(scg.grad(np.sum(s), [a, b]))), given)
    found = evaluate(dict(enumerate(scg.grad(end, [a, b]))), given, dtype)
    far = np.abs(evaluate({"s": s}, given)["s"]) > 40.0
    assert far.sum() >= 4
    for i in range(2):
        np.testing.assert_allclose(found[i][far], exact[i][far], rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("df", "scale"), [(0.05, 1.0), (0.05, 1e6), (0.01, 1e-6)])
def test_heavy_tails(df, scale, dtype):
    """E log(1 + |x|) in df and scale, and the density at every draw."""
    g = scg.Graph()
    nodes = g.parameter("df", df), g.parameter("scale", scale)
    x = g.sample("x", scg.StudentT(nodes[0], 0.0, nodes[1]), plates=scg.Plate("n", length=2000))
    g.cost("c", np.log1p(np.abs(x)))
    g.cost("p", -1e-9 * x.log_prob())
    out = scg.compile(g, scg.Reparameterization(), backend="numpy", dtype=dtype)(
        {"df": df, "scale": scale}, seed=1
    )
    assert np.isfinite(out.cost)
    np.testing.assert_allclose(out.grads["df"], -1.0 / df**2, rtol=0.1)


def test_densities_where_the_standardized_value_overflows():
    for make, nu in (
        (lambda s: scg.Cauchy(0.0, s), 1.0),
        (lambda s: scg.StudentT(3.0, 0.0, s), 3.0),
    ):
        g = scg.Graph()
        s = g.parameter("s", 1e-30)
        value = make(s).log_prob(1e12)
        found = evaluate({"v": value, "s": scg.grad(value, [s])[0]}, {s: 1e-30}, np.float32)
        np.testing.assert_allclose(found["v"], make(1e-30).log_prob(1e12), rtol=1e-6)
        np.testing.assert_allclose(found["s"], nu * 1e30, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_sample_at_the_largest_number_has_a_density_and_slopes(dtype):
    g, top = scg.Graph(), float(np.finfo(dtype).max)
    m, a = (g.parameter(*p) for p in (("m", 1e-3), ("a", 0.015)))
    x = scg.Pareto(m, a).quantile(1.0 - 2.0**-20)
    value = scg.Pareto(m, a).log_prob(scg.stop_gradient(x))
    outputs = {"x": x, "v": value, **dict(enumerate(scg.grad(value, [m, a])))}
    found = evaluate(outputs, {m: 1e-3, a: 0.015}, dtype)
    far = np.log(top) - np.log(1e-3)
    wanted = np.log(0.015) - np.log(1e-3) - 1.015 * far, 0.015 / 1e-3, 1.0 / 0.015 - far
    assert found["x"] == top
    np.testing.assert_allclose(
        [found["v"], found[0], found[1]], wanted, rtol=1e-10 if dtype is np.float64 else 1e-4
    )


def test_the_entropy_of_counts_has_slopes_where_a_probability_is_below_the_normal_numbers():
    t = scg.Graph().parameter("t", logits := [40.0, -700.0, 0.0])
    (slope,) = scg.grad(scg.Multinomial(20, logits=t).entropy(), [t])
    np.testing.assert_allclose(evaluate({"s": slope}, {t: logits})["s"], 0.0, atol=1e-14)
