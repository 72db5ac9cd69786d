"""Log-gamma and digamma against mpmath, at their poles and zeros, and where they are reflected."""

import math

import mpmath as mp
import numpy as np
import pytest

from scg.special.gamma import ZERO, by_numpy

EXACT = {"log_gamma": lambda x: mp.re(mp.loggamma(x)), "digamma": mp.digamma}


def positive():
    rng = np.random.default_rng(0)
    ends = 10.0 ** rng.uniform(-15, -1, 60) * rng.choice([-1, 1], 60)
    edges = [np.nextafter(c, to) for c in (1.0, 2.0, 3.0) for to in (0.0, 9.0)]
    parts = [rng.uniform(0, 4, 300), 10.0 ** rng.uniform(-307, 300, 200), np.arange(1, 80) / 2]
    return np.concatenate([*parts, 1 + ends, 2 + ends, ZERO[0] + ends, edges])


def errors(name, x):
    with mp.workdps(50):
        exact = [EXACT[name](mp.mpf(v)) for v in x.tolist()]
        found = by_numpy(name)(x).tolist()
        return [
            float(abs(mp.mpf(f) - e) / abs(e)) if e else abs(f)
            for f, e in zip(found, exact, strict=True)
        ]


@pytest.mark.parametrize("name", EXACT)
def test_relative_errors_of_positive_numbers_are_four_units_also_near_zeros(name):
    x = positive()
    found = errors(name, x)
    assert max(found) < 9e-16, x[np.argmax(found)]


@pytest.mark.parametrize("name", EXACT)
def test_reflection(name):
    rng = np.random.default_rng(1)
    x = -np.concatenate([rng.uniform(0, 30, 200), 10.0 ** rng.uniform(-300, 9, 100)])
    with mp.workdps(50):
        exact = np.array([float(EXACT[name](mp.mpf(v))) for v in x.tolist()])
    error = np.abs(by_numpy(name)(x) - exact) / np.maximum(np.abs(exact), 1.0)
    assert error.max() < 4e-15, x[error.argmax()]


def test_ends():
    tiny, most = 5e-324, np.finfo(float).max
    x = [1.0, 2.0, 0.0, -0.0, -3.0, -most, np.inf, -np.inf, np.nan, tiny, -tiny, most]
    found, inf = by_numpy("log_gamma")(x), np.inf
    small = -math.log(tiny)
    expected = [0.0, 0.0, inf, inf, inf, inf, inf, inf, np.nan, small, small, inf]
    np.testing.assert_array_equal(found, expected)
    assert not np.signbit(found[:2]).any()
    found, nan = by_numpy("digamma")(x[2:]), np.nan
    expected = [-inf, inf, nan, nan, inf, nan, nan, -inf, inf, math.log(most)]
    np.testing.assert_array_equal(found, expected)


def test_shapes():
    for shape in ((), (0,), (2, 0), (3, 5000), (2, 3, 4)):
        x = np.random.default_rng(2).gamma(2.0, size=shape)
        found = by_numpy("digamma")(x)
        assert found.shape == shape and found.dtype == np.float64
        flat = [by_numpy("digamma")(v) for v in x.ravel()[::997]]
        np.testing.assert_array_equal(found.ravel()[::997], flat)
    np.testing.assert_array_equal(by_numpy("digamma")(x.T), by_numpy("digamma")(x).T)
