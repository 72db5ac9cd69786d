"""Moments over runs are as exact as the type in which they are returned."""

import numpy as np

from scg.engine.blocks import alike, moments


def test_means_of_many_runs_in_single_precision():
    """Σ 0.8 over 300,000 runs in single precision loses three digits."""
    runs = np.full((300_000, 2), np.float32(0.8))
    runs[::2, 1] = 0.4
    found = moments({"g": runs})
    mean, spread = found["g"], found["spread", "g"]
    assert mean.dtype == spread.dtype == np.float32
    np.testing.assert_allclose(mean, [0.8, 0.6], rtol=2e-7)
    np.testing.assert_allclose(spread, [0.0, 300_000 * 0.2**2], rtol=1e-6, atol=1e-6)


def test_moments_of_integers_are_no_integers():
    found = moments({"n": np.array([0, 1, 1])})
    np.testing.assert_allclose([found["n"], found["spread", "n"]], [2 / 3, 2 / 3], rtol=1e-15)


def test_blocks_are_alike_where_a_near_length_divides_the_runs():
    """Each length has a table with memory of its own."""
    for runs, most, expected in [(400, 11, 10), (100, 11, 10), (7, 11, 7), (13, 11, 11), (1, 1, 1)]:
        assert alike(runs, most) == expected
