"""Law 13: what the averages of long runs are worth; the matrix tells where they are used."""

from dataclasses import replace

import numpy as np
import pytest

import scg

from .choices import compiled, moments
from .graphs import ROWS
from .verdicts import (
    AGAIN,
    FIRST_RUNS,
    MARGIN,
    THRESHOLD,
    WEAKEST,
    Runs,
    largest_bias,
    scale_of,
)

RUNS = 20_000


@pytest.mark.statistical
@pytest.mark.parametrize("bias", [2.0, 0.0])
def test_runs_find_the_bias_that_they_are_to_find(bias, seed):
    """Power: a truth that is off by twice what is found 99 times in 100, and one that is not.

    Twice as much is 18 standard errors, of which 7 are found. What is found 99 times in 100, which
    the runs tell to 2 %, is compared with the exact variance.
    """
    row = replace(ROWS["two_units"])
    moved = bias * WEAKEST * scale_of(row.grads)
    row.__dict__["grads"] = {name: value + moved for name, value in row.grads.items()}
    step = compiled(row, "score")
    runs = Runs(step, row, (seed, 1))
    assert runs.detectable <= WEAKEST
    error = np.sqrt(np.max(moments(step, row).variance["theta"]) / runs.runs)
    assert runs.detectable == pytest.approx(MARGIN * error / scale_of(row.grads), rel=0.2)
    assert (runs.z > THRESHOLD) is bool(bias)
    assert (runs.runs >= AGAIN * FIRST_RUNS) is bool(bias)  # looked at again


@pytest.mark.statistical
def test_runs_find_a_known_bias(seed):
    """Straight-through, whose bias moments computes exactly."""
    row = ROWS["two_units"]
    step = compiled(row, "through")
    runs = Runs(step, row, (seed, 2))
    assert runs.z > THRESHOLD
    exact = largest_bias(moments(step, row).mean, row.grads)
    assert abs(runs.bias - exact) < runs.detectable


@pytest.mark.statistical
def test_standard_errors_are_those_of_the_exact_variance(seed):
    """stderr² · runs estimates the variance that moments computes exactly."""
    row = ROWS["vector_layers"]
    step = scg.compile(row.build(), estimator=scg.ScoreFunction())
    out = step(row.params, seed=(seed, 99), runs=RUNS)
    m = scg.moments(step, row.params)
    for name, variance in m.variance.items():
        ratio = np.asarray(out.stderr[name]) ** 2 * RUNS / variance
        # The relative error of a sample variance is about sqrt((kurtosis - 1) / runs); a score
        # with a kurtosis of 50 has 5 % there, and seven of these are allowed.
        assert np.all(np.abs(ratio - 1) < 7 * np.sqrt(49 / RUNS)), f"{name}: {ratio}"
