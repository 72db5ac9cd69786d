"""The incomplete gamma function's derivatives in its shape against two oracles in high precision.

The first oracle is the power series in exact integers with truncated Taylor arithmetic in the shape
(DLMF 8.7.1), the second one mpmath's numerical differentiation. Neither knows of a contour.
"""

import math
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from scipy import special

from scg.special.incomplete_gamma import gammainc_da

TINY, HUGE = np.nextafter(0.0, 1.0), np.finfo(float).max


def taylor(a, x, bits):
    """P(a, x) and its first three derivatives in a, from x^a e^-x sum_n x^n / Gamma(a + n + 1)."""
    shape, argument = (int(Fraction(float(v)) * 2**bits) for v in (a, x))
    term = [1 << bits, 0, 0, 0]  # Taylor coefficients in a, fixed point
    total, n = list(term), 0
    while n <= x - a or max(map(abs, term)) > 2**20:  # below, rounding could stall the decay
        n += 1
        carry = 0
        for k in range(4):  # term *= x / (a + n + eps)
            carry = (argument * term[k] - (carry << bits)) // (shape + (n << bits))
            term[k] = carry
            total[k] += carry
    with mp.workprec(bits):
        a, x = mp.mpf(a), mp.mpf(x)
        series = [math.factorial(k) * mp.ldexp(mp.mpf(c), -bits) for k, c in enumerate(total)]
        l1, l2, l3 = mp.log(x) - mp.digamma(a + 1), -mp.psi(1, a + 1), -mp.psi(2, a + 1)
        front = [1, l1, l1**2 + l2, l1**3 + 3 * l1 * l2 + l3]
        scale = mp.exp(a * mp.log(x) - x - mp.loggamma(a + 1))
        return [
            float(scale * sum(math.comb(k, j) * front[k - j] * series[j] for j in range(k + 1)))
            for k in range(4)
        ]


def relative_errors(points, bits=220):
    """Errors of orders 0 to 3, an array (4, points).

    Orders 2 and 3 change their sign; there the error is relative to a twentieth of the size that
    they have nearby, |dP/da| over the width sqrt(1 + a) for each further order.
    """
    a, x = np.array(points).T
    exact = np.array([taylor(*point, bits) for point in points]).T
    nearby = [0.05 * np.abs(exact[1]) * (1 + a) ** (-(k - 1) / 2) for k in (2, 3)]
    size = np.maximum(np.abs(exact), [0 * a, 0 * a, *nearby])
    return np.abs([gammainc_da(a, x, k) for k in range(4)] - exact) / size


def quantiles(a, probabilities):
    """Arguments x with P(a, x) = p and with 1 - P(a, x) = p, where they are normal floats."""
    xs = [f(a, p) for p in probabilities for f in (special.gammaincinv, special.gammainccinv)]
    return sorted({float(x) for x in xs if x > 1e-300 and special.gammainc(a, x) < 1})


def test_accuracy_over_the_grid():
    points = []
    for a in (1e-3, 0.02, 0.3, 1 - 1e-9, 1, 1.5, 3, 4.999, 7.7, 12, 33.3, 100, 1e3, 1e4):
        points += [(a, x) for x in quantiles(a, [1e-12, 1e-8, 1e-3, 0.02, 0.1, 0.25, 0.4, 0.499])]
        points += [(a, a), (a, a * (1 + 1e-9)), (a, a + 4)]
    points += [(a, x) for a in (1e-3, 0.02) for x in (1e-300, 1e-80, 1e-5, 0.3, 1, 4, 15)]
    points += [(1e6, x) for x in (*quantiles(1e6, [1e-12, 1e-3, 0.3]), 1e6, 1e6 + 1)]
    errors = relative_errors(points)
    report = "; ".join(
        f"order {k}: {errors[k].max():.1e} at a, x = {points[errors[k].argmax()]}" for k in range(4)
    )
    print(f"worst relative errors over {len(points)} points: {report}")  # noqa: T201
    assert errors.max() < 1e-11, report


def test_accuracy_far_out():
    """In the tails beyond the grid, and at a larger shape."""
    points = [(1e-3, 100), (1, 1e-12), (1, 1e-30), (5, 1e-30), (100, 1), (100, 400), (0.5, 1e-40)]
    assert relative_errors(points, 900).max() < 1e-11
    assert relative_errors([(1e8, 1e8 - 5000)]).max() < 1e-11


@pytest.mark.parametrize("z", [-6.5, -2.0, 0.25, 4.0])
def test_huge_shapes_against_the_uniform_expansion(z):
    """DLMF 8.12.4 with the first coefficient of 8.12.7: at a = 1e13 all that a double can show."""
    a = 1e13
    x = a + z * math.sqrt(a)

    def temme(s):
        mu = mp.mpf(x) / s - 1
        eta = mp.sign(mu) * mp.sqrt(2 * (mu - mp.log1p(mu)))
        rest = mp.exp(-s * eta**2 / 2) / mp.sqrt(2 * mp.pi * s) * (1 / mu - 1 / eta)
        return mp.erfc(-eta * mp.sqrt(s / 2)) / 2 - rest

    with mp.workdps(80):
        exact = [float(mp.diff(temme, mp.mpf(a), k)) for k in range(4)]
    np.testing.assert_allclose([gammainc_da(a, x, k) for k in range(4)], exact, rtol=1e-11)


@pytest.mark.parametrize(("a", "x"), [(1e-3, 1e-3), (0.3, 2.0), (5.0, 3.0), (40.0, 55.0)])
def test_against_numerical_differentiation(a, x):
    with mp.workdps(60):
        derivatives = [
            mp.diff(lambda s: mp.gammainc(s, 0, mp.mpf(x), regularized=True), mp.mpf(a), k)
            for k in range(4)
        ]
    exact = np.array([float(d) for d in derivatives])
    np.testing.assert_allclose(taylor(a, x, 220), exact, rtol=1e-14)
    np.testing.assert_allclose([gammainc_da(a, x, k) for k in range(4)], exact, rtol=1e-11)


def test_closed_forms():
    x = np.geomspace(1e-10, 30, 50)
    np.testing.assert_allclose(gammainc_da(1, x, 0), -np.expm1(-x), rtol=1e-12)
    np.testing.assert_allclose(gammainc_da(0.5, x, 0), special.erf(np.sqrt(x)), rtol=1e-12)
    # P(a, x) -> 1 - a E1(x) as a -> 0
    np.testing.assert_allclose(gammainc_da(1e-20, x, 1), -special.exp1(x), rtol=1e-11)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_finite_for_all_positive_floats(order):
    rng = np.random.default_rng(0)
    a, x = 10 ** rng.uniform(-308, 308, (2, 20_000))
    near = a[:5_000] * rng.choice([1 - 1e-16, 1, 1 + 1e-9, 1 - 1e-5, 1.01, 0.5], 5_000)
    corners = [TINY, 1e-310, 1e-3, 1, 5, 1e17, HUGE / 2, HUGE]
    corner_a, corner_x = (m.ravel() for m in np.meshgrid(corners, corners))
    a = np.concatenate([a, a[:5_000], corner_a])
    value = gammainc_da(a, np.concatenate([x, near, corner_x]), order)
    assert np.isfinite(value).all()
    if order == 0:
        assert value.min() >= 0 and value.max() <= 1
    if order == 1:
        assert value.max() <= 0  # the gamma law grows stochastically with its shape


def test_shapes_and_the_borders():
    a, x = np.array([[0.5], [2.0], [7.0]], np.float32), np.linspace(0, 9, 1500)
    table = gammainc_da(a, x)
    assert table.shape == (3, 1500) and table.dtype == np.float64
    assert (table[:, 0] == 0).all() and (table[:, 1:] < 0).all()
    assert table[1, 1200] == gammainc_da(2, x[1200])  # blocks do not matter
    assert gammainc_da(np.ones((0, 3)), 2).shape == (0, 3) and gammainc_da(1, 1).shape == ()
    assert [gammainc_da(2, np.inf, k) for k in range(4)] == [1, 0, 0, 0]
    assert [gammainc_da(2, 0, k) for k in range(4)] == [0, 0, 0, 0]
    outside = gammainc_da([0, -1, np.nan, np.inf, 1, 1], [1, 1, 1, 1, -1, np.nan])
    assert np.isnan(outside).all()


@pytest.mark.parametrize("order", [-1, 4, 1.5, "1"])
def test_other_orders_are_an_error(order):
    with pytest.raises(ValueError, match=f"order 0, 1, 2 and 3, not {order!r}"):
        gammainc_da(1.0, 1.0, order)
