"""The curves of one coin and of a normal variable equal closed forms, written in NumPy alone."""

import numpy as np
import pytest
from course import curves
from scipy import integrate
from scipy.special import expit, logit

from tests.docs.known import F0, F1, KNOWN, PQ, D, P, Q, curve, leave_one_out, same


# --- one coin -------------------------------------------------------------------------------------
def test_objective():
    same(curve("objective", "expected cost"), P * F1 + Q * F0)
    same(curve("objective", "gradient", 1), PQ * D)


def test_score():
    for name, shift in (("variance", 0), ("variance, cost + 1", 1), ("variance, cost + 10", 10)):
        same(curve("score", name), PQ * (Q * (F1 + shift) + P * (F0 + shift)) ** 2)
    same(curve("score", "squared gradient"), (PQ * D) ** 2)


def test_parabola():
    p, c = expit(0.4), curves.BASELINES
    same(curve("parabola", "variance"), p * (1 - p) * (c - (1 - p) * F1 - p * F0) ** 2)
    mean = P * F1 + Q * F0
    same(curve("parabola", "c = E[f], mean of 2", 1), PQ * (mean - Q * F1 - P * F0) ** 2 / 2)
    same(curve("parabola", "no baseline, mean of 2", 1), PQ * (Q * F1 + P * F0) ** 2 / 2)
    same(curve("parabola", "leave-one-out, K = 2", 1), PQ * D**2 * (0.5 - PQ))


def rebar(theta, t, tau, draws, rng):
    """Estimates for one coin, from the formula of lesson 8, with z̃ coupled to z."""
    p = expit(theta)
    u = rng.random(draws)
    b = u > 1 - p
    v = np.where(b, (u - (1 - p)) / p, u / (1 - p))  # the place of u in its cell: z̃ = z in value

    def slope(z, dz):
        y = expit(z / tau)
        return (y - t) ** 2, 2 * (y - t) * y * (1 - y) / tau * dz

    z = theta + logit(u)
    inside = np.where(b, 1 - p + p * v, (1 - p) * v)
    moved = np.where(b, -p * (1 - p) * (1 - v), -p * (1 - p) * v)  # dũ/dθ at fixed v
    _, path = slope(z, 1.0)
    given, conditional = slope(theta + logit(inside), 1.0 + moved / (inside * (1 - inside)))
    return ((b - t) ** 2 - given) * (b - p) + path - conditional


def test_target():
    p, t = expit(0.4), curves.TARGETS
    f1, f0 = (1 - t) ** 2, t**2
    same(curve("target", "score function, mean of 3"),
         p * (1 - p) * ((1 - p) * f1 + p * f0) ** 2 / 3)  # fmt: skip
    same(curve("target", "MuProp"), p * (1 - p) * (1 - 3 * p * (1 - p)) ** 2)
    loo = [leave_one_out(p, costs, 3) for costs in zip(f0, f1, strict=True)]
    same(curve("target", "leave-one-out, K = 3"), loo)


def test_rebar_by_its_formula():
    """10⁶ draws of the formula: the sampled variance is within 7 standard errors of the exact."""
    rng = np.random.default_rng(0)
    for i in (0, 14, 30):
        t = curves.TARGETS[i]
        g = rebar(0.4, t, 1.0, 10**6, rng)
        off = (g - g.mean()) ** 2
        assert abs(g.mean() - expit(0.4) * expit(-0.4) * (1 - 2 * t)) < 7 * g.std() / 1e3
        assert abs(off.mean() - curve("target", "REBAR, τ = 1")[i]) < 7 * off.std() / 1e3


# --- one normal variable --------------------------------------------------------------------------
SQUARES = curves.COSTS["(x − k)²"][1]
OFF = 1 - SQUARES


@pytest.mark.parametrize(
    ("panel", "forms"),
    [
        (0, (OFF**4 + 14 * OFF**2 + 15, 8 * OFF**2 + 6, 4.0, (16 / np.pi - 4) * OFF**2)),
        (3, (2 * OFF**4 + 60 * OFF**2 + 74, 40 * OFF**2 + 24, 4 * OFF**2 + 8, 4 * OFF**2 + 4)),
    ],
    ids=["mu", "sigma"],
)
def test_the_grid_of_squares(panel, forms):
    names = ("score function", "with the best constant", "pathwise", "measure-valued")
    for name, form in zip(names, forms, strict=True):
        same(curve("grid", name, panel), form, rtol=1e-8 if name == "measure-valued" else 1e-9)


@pytest.mark.parametrize("panel", [1, 2, 4, 5], ids=["exp mu", "cos mu", "exp sigma", "cos sigma"])
def test_the_grid_of_waves(panel):
    """Against the trapezoidal rule, whose error is far below 1e-10 for these integrands."""
    x = np.linspace(-14.0, 14.0, 6001)
    w = np.exp(-(x**2) / 2)
    w, ks = w / w.sum(), np.array(KNOWN["grid"][panel]["x"])[:, None]
    X = 1 + x
    f, slope = (
        (np.exp(-ks * X**2), -2 * ks * X * np.exp(-ks * X**2))
        if panel in (1, 4)
        else (np.cos(ks * X), -ks * np.sin(ks * X))
    )
    s, path = (x, 1.0) if panel < 3 else (x**2 - 1, x)

    def variance(g):
        return g**2 @ w - (g @ w) ** 2

    best = (f * s**2) @ w / (s**2 @ w)
    same(curve("grid", "score function", panel), variance(f * s), rtol=1e-8)
    same(curve("grid", "with the best constant", panel), variance((f - best[:, None]) * s), 1e-8)
    same(curve("grid", "pathwise", panel), variance(slope * path), rtol=1e-8)


def test_measure_valued_in_mu():
    """Against an integral over w with the density w exp(−w²/2)."""
    for panel, cost in ((1, lambda x, k: np.exp(-k * x**2)), (2, lambda x, k: np.cos(k * x))):
        for i in (0, 8, 24):
            k = KNOWN["grid"][panel]["x"][i]

            def power(n, cost=cost, k=k):
                g = lambda w: (cost(1 + w, k) - cost(1 - w, k)) / np.sqrt(2 * np.pi)  # noqa: E731
                f = lambda w: g(w) ** n * w * np.exp(-(w**2) / 2)  # noqa: E731
                return integrate.quad(f, 0, 12, epsabs=1e-13, limit=200)[0]

            same(curve("grid", "measure-valued", panel)[i], power(2) - power(1) ** 2, 1e-8, 1e-10)


# --- the script -----------------------------------------------------------------------------------
#: Pictures whose numbers are computed again, at some points: name → attribute → step.
AGAIN = {
    "objective": {"THETAS": 20}, "score": {"THETAS": 20}, "target": {"TARGETS": 10},
    "sharing": {"THETAS": 20}, "tau": {"TAUS": 22}, "curvature": {"THETAS": 20},
}  # fmt: skip


@pytest.mark.parametrize("name", AGAIN)
@pytest.mark.filterwarnings("ignore::scg.BiasWarning")
def test_the_script_computes_the_numbers(name, monkeypatch):
    ((attribute, step),) = AGAIN[name].items()
    monkeypatch.setattr(curves, attribute, getattr(curves, attribute)[::step])
    for found, known in zip(curves.PICTURES[name](), KNOWN[name], strict=True):
        for label, values in found["curves"].items():
            same(values, known["curves"][label][::step], rtol=1e-9)
