"""Adaptive moments are right to the error that they state, or refused.

Truths are closed forms, or SciPy's adaptive quadrature between known breakpoints.
"""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import chi2, norm

import scg
from scg.run.runner import Runner

MU = 0.3
PIECES = np.linspace(-12.0, 12.0, 49)


def moments(cost, laws="n", **options):
    g = scg.Graph("integrand")
    mu = g.parameter("mu", MU)
    high = 1.0 + 0.0 * scg.stop_gradient(mu)  # a score misses bounds that are learned
    draws = [
        g.sample(f"x{i}", scg.Normal(mu, 1.0) if law == "n" else scg.Uniform(0.0, high))
        for i, law in enumerate(laws)
    ]
    g.cost("cost", cost(*draws))
    step = scg.compile(g, scg.ScoreFunction())
    return scg.moments(step, g.init(seed=0), **options)


def right_or_refused(cost, truth, laws="n", slack=1e-12):
    """Whether the mean cost lies within the stated error; false where it is refused."""
    try:
        m = moments(cost, laws)
    except scg.EnumerationError as error:
        assert "scg.check" in str(error)
        return False
    assert m.error <= 1e-6 * max(1.0, abs(truth))
    assert abs(m.cost - truth) <= m.error + slack * max(1.0, abs(truth)), (m.cost, truth, m.error)
    return True


def mean(f, points=()):
    """Return E f(x) for x ~ N(MU, 1) between breakpoints."""
    edges = np.unique([*(PIECES + MU), *(p for p in points if abs(p - MU) < 12.0)])
    return sum(
        quad(lambda x: f(x) * norm.pdf(x - MU), a, b, epsabs=1e-14, epsrel=1e-12, limit=200)[0]
        for a, b in itertools.pairwise(edges)
    )


def around(x, width):
    return [x + side * width * far for side in (-1, 0, 1) for far in (1.0, 5.0, 40.0)]


ONE = {
    "abs": (lambda x: np.abs(x - 0.4), [0.4]),
    "relu": (lambda x: np.maximum(x, 0.0) ** 1.5, [0.0]),
    "clip": (lambda x: np.clip(x, -0.5, 0.7) ** 2, [-0.5, 0.7]),
    "jump at both roots": (lambda x: np.where(x**2 > 1.0, x, 0.0), [-1.0, 1.0]),
    "jump of an exponential": (lambda x: np.where(np.exp(x) > 1.1, x, 0.0), [math.log(1.1)]),
    "thin": (lambda x: np.where((x - 0.4) ** 2 < 1e-6, 1.0, 0.0), [0.399, 0.401]),
    "stairs": (lambda x: np.floor(3.0 * x) ** 2, [k / 3.0 for k in range(-36, 37)]),
    "teeth": (lambda x: x * (x % 0.7), [k * 0.7 for k in range(-18, 19)]),
    "steep": (lambda x: np.tanh(60.0 * (x - 0.4)), around(0.4, 0.02)),
    "very steep": (lambda x: np.tanh(1e4 * (x - 0.4)), around(0.4, 1e-4)),
    "peak": (lambda x: x + np.exp(-((1e4 * (x - 0.4)) ** 2)), around(0.4, 1e-4)),
    "rational peak": (lambda x: 1.0 / (1.0 + (1e3 * (x - 0.4)) ** 2), around(0.4, 1e-3)),
    "waves": (lambda x: np.sin(50.0 * x) ** 2, []),
    "kink of a root": (lambda x: np.sqrt((x - 0.4) ** 2), [0.4]),
    "singular": (lambda x: np.log(np.abs(x - 0.4)), [0.4, *around(0.4, 1e-4)]),
    "two kinks": (lambda x: np.maximum(1e-3 - np.abs(x - 0.4), 0.0), [0.399, 0.4, 0.401]),
    "kink where an equation says": (lambda x: np.abs(np.exp(x) + x - 2.0), [0.4428544010023886]),
    "jump and kinks far out": (
        lambda x: 1e6 * np.where(x > 5.4, np.maximum(np.abs(x - 5.5), 0.01), 0.0),
        [5.4, 5.49, 5.51],
    ),
    "smooth band": (
        lambda x: 0.5 + 0.5 * np.tanh(5e7 * (2.5e-7 - (x - 0.4) ** 2)),
        [*around(0.3995, 1e-5), *around(0.4005, 1e-5)],
    ),
    "pieces": (
        lambda x: np.maximum(np.maximum(x, x**2), 1.0 - x),
        [0.0, 1.0, (5**0.5 - 1) / 2],
    ),
}


@pytest.mark.parametrize("name", ONE)
def test_one_normal(name):
    f, points = ONE[name]
    assert right_or_refused(f, mean(f, points))


def test_the_derivative_of_a_steep_function():
    """It lies between the points of any rule that does not look for it."""
    g = scg.Graph()
    x = g.sample("x", scg.Normal(g.parameter("mu", MU), 1.0))
    g.cost("cost", np.tanh(60.0 * (x - 0.4)))
    m = scg.moments(scg.compile(g, scg.Reparameterization()), {"mu": MU})
    truth = mean(
        lambda x: 60.0 / np.cosh(min(abs(60.0 * (x - 0.4)), 300.0)) ** 2, around(0.4, 0.02)
    )
    assert m.mean["mu"] == pytest.approx(truth, abs=m.error + 1e-12) and m.error < 1e-6


def test_thin_bands_of_a_wave():
    """The bands lie a period apart, to where the density is small."""
    half = math.acos(1.0 - 1e-7) / 7.0
    centres = (2.0 * math.pi * np.arange(-40, 40) - 1.0) / 7.0 - MU
    right_or_refused(
        lambda x: np.where(np.cos(7.0 * x + 1.0) > 1.0 - 1e-7, 1.0, 0.0),
        float(np.sum(norm.pdf(centres) * 2.0 * half)),
        slack=1e-10,
    )


def test_a_jump_in_a_mixture():
    g = scg.Graph("mixture")
    mu = g.parameter("mu", MU)
    x = g.sample(
        "x", scg.Mixture([scg.Normal(mu, 1.0), scg.Normal(mu + 2.0, 1.0)], probs=[0.3, 0.7])
    )
    g.cost("cost", np.where(x > 0.7, 1.0, 0.0))
    m = scg.moments(scg.compile(g, scg.ScoreFunction()), {"mu": MU})
    assert abs(m.cost - 0.3 * norm.sf(0.4) - 0.7 * norm.sf(-1.6)) <= m.error < 1e-6


SEVERAL = {
    "sum of uniforms": (lambda a, b: np.abs(a + b - 0.4), "uu", 0.6 + 0.4**3 / 3),
    "order": (lambda a, b, c: np.where(a < b, np.where(b < c, 1.0, 0.0), 0.0), "uuu", 1.0 / 6.0),
    "largest uniform": (lambda a, b, c: np.maximum(np.maximum(a, b), c), "uuu", 0.75),
    "quarter disc": (lambda a, b: np.where(a * a + b * b < 0.5, 1.0, 0.0), "uu", np.pi / 8.0),
    "disc": (
        lambda a, b: np.where((a - MU) ** 2 + (b - MU) ** 2 < 0.5, 1.0, 0.0),
        "nn",
        chi2.cdf(0.5, 2),
    ),
    "difference": (lambda a, b: np.abs(a - b), "nn", 2.0 / np.pi**0.5),
    "largest normal": (lambda a, b: np.maximum(a, b), "nn", MU + 1.0 / np.pi**0.5),
    "polynomial": (lambda a, b, c: (a - MU) ** 2 * (b - MU) ** 4 * c, "nnn", 3.0 * MU),
    "sum of squares": (lambda a, b: np.exp(-((a - MU) ** 2) - (b - MU) ** 2), "nn", 1.0 / 3.0),
    # φ(9)² with the characteristic function φ(t) = (e^{it} − 1) / it
    "waves": (
        lambda a, b: np.cos(9.0 * (a + b)),
        "uu",
        float(np.real(((np.exp(9j) - 1) / 9j) ** 2)),
    ),
    "floor of a sum": (lambda a, b: np.floor(a + b), "uu", 0.5),
    # the density of a + b is a triangle
    "rational peak of a sum": (
        lambda a, b: 1.0 / (1.0 + ((a + b - 1.48) / 6e-4) ** 2),
        "uu",
        sum(
            quad(
                lambda x: min(x, 2.0 - x) / (1.0 + ((x - 1.48) / 6e-4) ** 2),
                low,
                high,
                epsabs=1e-15,
            )[0]
            for low, high in itertools.pairwise([0.0, 1.0, 1.4, 1.47, 1.48, 1.49, 1.56, 2.0])
        ),
    ),
    "small disc": (
        lambda a, b: np.where((a - 0.37) ** 2 + (b - 0.61) ** 2 < 1e-6, 1.0, 0.0),
        "uu",
        np.pi * 1e-6,
    ),
    "small disc on a large constant": (
        lambda a, b: 1.0 + np.where((a - 0.37) ** 2 + (b - 0.61) ** 2 < 1e-6, 1e4, 0.0),
        "uu",
        1.0 + np.pi * 1e-2,
    ),
    "small disc of normals": (
        lambda a, b: np.where((a - MU) ** 2 + (b - MU) ** 2 < 1e-4, 1.0, 0.0),
        "nn",
        -math.expm1(-5e-5),
    ),
    "small ball": (
        lambda a, b, c: np.where((a - 0.37) ** 2 + (b - 0.61) ** 2 + (c - 0.2) ** 2 < 1e-4, 1, 0),
        "uuu",
        4.0 / 3.0 * np.pi * 1e-6,
    ),
    "small square": (
        lambda a, b: np.where(np.maximum(np.abs(a - 0.37), np.abs(b - 0.61)) < 1e-3, 1.0, 0.0),
        "uu",
        4e-6,
    ),
    # between a + b = 0.9, b − a = 0.301 and b + 3 a = 1.503: corners at a = 0.2995, 0.3005, 0.3015
    "small triangle": (
        lambda a, b: (
            np.where(a + b > 0.9, 1, 0)
            * np.where(b - a < 0.301, 1, 0)
            * np.where(b + 3 * a < 1.503, 1.0, 0.0)
        ),
        "uu",
        2e-6,
    ),
    # 1 − max(−log(a) / 5, exp(−3 a)), which has a kink close to a = exp(−5)
    "jumps that pass each other": (
        lambda a, b: (
            np.where(a > np.exp(-5.0 * b), 1.0, 0.0) * np.where(b > np.exp(-3.0 * a), 1, 0)
        ),
        "uu",
        sum(
            quad(lambda a: 1.0 - max(-math.log(a) / 5.0, math.exp(-3.0 * a)), *ends, epsabs=1e-14)[
                0
            ]
            for ends in itertools.pairwise([math.exp(-5.0), 0.00753460656048284, 0.1, 1.0])
        ),
    ),
    "mixed": (lambda u, x: np.where(x - MU < u - 0.5, 1.0, 0.0), "un", 0.5),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_several_elements(name):
    cost, laws, truth = SEVERAL[name]
    assert right_or_refused(cost, truth, laws)


@pytest.mark.parametrize(
    "cost",
    [
        lambda x: 1.0 / (x - 0.4),
        lambda x: np.abs(x - 0.4) ** -0.5,  # has a mean, and no variance
        lambda x: np.exp(5.0 * x),
        lambda x: np.sin(1e6 * x) + x,
        lambda x: np.exp(x**2),
    ],
    ids=["pole", "no variance", "tail", "waves", "infinite"],
)
def test_what_does_not_converge_is_refused(cost):
    with pytest.raises(scg.EnumerationError, match=r"scg\.check"):
        moments(cost)


def test_a_mean_without_a_variance():
    """E exp(a x²) = exp(a μ² / (1 − 2a)) / √(1 − 2a), where a < 1/2; its square has twice the a."""
    with pytest.raises(scg.EnumerationError, match="the square of"):
        moments(lambda x: np.exp(0.3 * x**2))
    m = moments(lambda x: np.exp(0.3 * x**2), variance=False)
    truth = math.exp(0.3 * MU**2 / 0.4) / math.sqrt(0.4)
    assert abs(m.cost - truth) <= m.error < 1e-6
    assert np.isnan(m.variance["mu"])


def test_what_is_too_large_for_quadrature_is_refused():
    with pytest.raises(scg.EnumerationError, match="too many"):
        moments(lambda *x: np.tanh(sum(x)) ** 2, "nnnnn")


def test_what_the_least_rules_exceed_is_refused_before_anything_is_computed(monkeypatch):
    """15 points along each of 6 elements, or of 2 with a lower limit, are too many."""
    monkeypatch.setattr(Runner, "outcomes", None)
    for laws, options in (("nnnunn", {}), ("nu", {"limit": 224})):
        with pytest.raises(scg.EnumerationError, match="too many"):
            moments(lambda *x: np.tanh(sum(x)) ** 2, laws, **options)


def test_single_precision_is_refused():
    g = scg.Graph()
    x = g.sample("x", scg.Normal(g.parameter("mu", MU), 1.0))
    g.cost("cost", x**2)
    step = scg.compile(g, scg.ScoreFunction(), dtype="float32")
    with pytest.raises(scg.EnumerationError, match="float64"):
        scg.moments(step, {"mu": MU})


@st.composite
def integrands(draw):
    """A kink, a jump, a peak and a wave at random places, of random widths and heights."""
    place = st.floats(-2.5, 2.5)
    size = st.floats(0.1, 3.0)
    kinks = draw(st.lists(st.tuples(place, size), max_size=2))
    jumps = draw(st.lists(st.tuples(place, size), max_size=2))
    peaks = draw(st.lists(st.tuples(place, size, st.floats(-5.0, 0.0)), max_size=2))
    wave = draw(st.tuples(st.floats(0.0, 30.0), size))

    def f(x):
        total = wave[1] * np.sin(wave[0] * x) + 0.1 * x**2
        for c, h in kinks:
            total = total + h * np.abs(x - c)
        for c, h in jumps:
            total = total + np.where(x > c, h, 0.0)
        for c, h, w in peaks:
            total = total + h * np.exp(-(((x - c) / 10.0**w) ** 2))
        return total

    points = [c for c, _ in kinks + jumps]
    points += [p for c, _, w in peaks for p in around(c, 10.0**w)]
    return f, points


@settings(max_examples=25, deadline=None, derandomize=True)
@given(integrands())
def test_random_integrands(case):
    f, points = case
    right_or_refused(f, mean(f, points), slack=1e-11)
