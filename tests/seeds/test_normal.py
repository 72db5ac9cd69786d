"""The normal quantile on the grids of the noise: all of the smaller one, samples of the other."""

import mpmath
import numpy as np
import pytest
from scipy import special

from scg.seeds.normal import to_normal


def quantiles(u):
    z = u.copy()
    to_normal(z)
    return z


@pytest.fixture(scope="module")
def every():
    """All float32 uniforms and their quantiles."""
    u = ((np.arange(2**23) + 0.5) * 2.0**-23).astype(np.float32)
    return u, quantiles(u)


def test_every_float32_normal_is_within_four_units_and_eleven_ten_millionths(every):
    u, z = every
    exact = special.ndtri(u.astype(np.float64))
    off = np.abs(z - exact)
    assert (off / np.spacing(np.abs(exact).astype(np.float32))).max() < 4.0
    assert 5e-7 < off.max() < 1.1e-6
    assert (off / np.abs(exact)).max() < 2.8e-7


def test_float32_normals_grow_with_the_uniform_and_mirror_it(every):
    u, z = every
    assert (np.diff(z) >= 0).all()
    assert (z == -z[::-1]).all() and (quantiles(1 - u[: 2**20]) == -z[: 2**20]).all()
    assert z[-1] == np.float32(5.2947044) and z[2**22] > 0


def test_float32_normals_have_the_moments_of_the_law(every):
    z = every[1].astype(np.float64)
    # exactly, for the law on the grid: a cell in the far tail counts with its middle
    exact = special.ndtri((np.arange(2**23) + 0.5) * 2.0**-23)
    for power in (2, 4, 6):
        assert abs(np.mean(z**power) / np.mean(exact**power) - 1) < 1e-7


def test_float64_normals_are_within_six_units():
    rng = np.random.default_rng(0)
    k = np.concatenate(
        [rng.integers(0, 2**51, 1000), 2 ** np.arange(52), 2**51 - 1 - np.arange(100)]
    )
    k = np.concatenate([k, np.ceil(0.075 * 2**52) + np.arange(-100, 100)])  # where tails begin
    u = (k + 0.5) * 2.0**-52
    u = u[u < 0.5]
    z, worst = quantiles(u), 0.0
    assert (quantiles(1 - u) == -z).all()
    with mpmath.workdps(40):
        for x, found in zip(u.tolist(), z.tolist(), strict=True):
            # one step of Newton from ten digits is exact to twenty
            y = mpmath.mpf(found)
            exact = y - (mpmath.ncdf(y) - mpmath.mpf(x)) / mpmath.npdf(y)
            worst = max(worst, float(abs(y - exact) / mpmath.mpf(np.spacing(abs(found)))))
    assert 1.0 < worst < 6.0


def test_normals_are_finite_at_the_ends():
    for dtype, last in ((np.float64, 53), (np.float32, 24)):
        ends = np.array([2.0**-last, 1 - 2.0**-last], dtype)
        np.testing.assert_allclose(quantiles(ends), special.ndtri(ends.astype(float)), rtol=1e-6)
