"""Law 13: long runs against the truth, with one false-alarm rate for the whole family of tests.

Every component of every gradient below is one z-test; the thresholds are set by Bonferroni so
that all of them together fail by chance less often than once in a million times.  A pass is worth
what it could have detected, so that is reported with each test.
"""

from statistics import NormalDist

import numpy as np
import pytest

import scg

from .choices import CHOICES, Choice, applies, warm
from .graphs import ROWS
from .test_bias import ROW as TWO_UNITS

FAMILY_WISE = 1e-6
POWER = 0.99
RUNS = 20_000
PATH = Choice("path", scg.Reparameterization)

TABLE = [
    *(
        ("vector_layers", name)
        for name, choice in CHOICES.items()
        if name != "enumeration" and applies(ROWS["vector_layers"], choice)
    ),
    ("three_layers", "muprop"),
    ("three_layers", "muprop-rollout"),
    ("three_layers", "loo3"),
    ("diamond", "loo3"),
    ("shared_parents", "score+selfcritical"),
    ("categorical_chain", "score"),
    ("categorical_chain", "loo3"),
    ("one_hot_chain", "muprop"),
    ("global_parent", "loo3"),
    ("batch_statistic", "muprop"),
    ("log_mean_exp", "loo3"),
    ("nested_plates", "loo3"),
    ("subsampled_plate", "score+constant"),
    ("node_below_stop", "loo2"),
    ("mixed", "score"),
    ("mixed", "muprop"),
    ("mixed", "loo3"),
    ("mixed", "automatic"),
    ("pathwise", "path"),
]
#: One test for each component of each gradient, and one for each cost.
TESTS = sum(1 + sum(v.size for v in ROWS[row].params.values()) for row, _ in TABLE)
THRESHOLD = NormalDist().inv_cdf(1 - FAMILY_WISE / (2 * TESTS))
MARGIN = THRESHOLD + NormalDist().inv_cdf(POWER)


def run(row, choice, seed, runs=RUNS):
    step = scg.compile(row.build(), estimator=choice.make())
    state = warm(step.init(seed=0))
    return step(row.params, seed=(seed, len(row.name)), runs=runs, state=state, data=row.data)


def z_scores(out, truth):
    """Differences in standard errors; a component without any spread must be exact."""
    for name, value in truth.items():
        difference = np.asarray(out.grads[name]) - value
        error = np.asarray(out.stderr[name])
        exact = error < 1e-12
        assert np.all(np.abs(difference[exact]) < 1e-9), f"{name} has no spread, but is off"
        z = np.divide(difference, error, out=np.zeros(value.shape), where=~exact)
        yield name, z, error


@pytest.mark.statistical
@pytest.mark.parametrize("row, name", TABLE, ids=lambda value: str(value))
def test_no_bias_is_found(row, name, seed, record_property):
    row, choice = ROWS[row], {**CHOICES, "path": PATH}[name]
    out = run(row, choice, seed)
    for parameter, z, error in z_scores(out, row.grads):
        detectable = MARGIN * float(np.max(error))
        report = (
            f"{row}, {choice}, {parameter}: largest |z| {np.max(np.abs(z)):.2f} of {THRESHOLD:.2f} "
            f"allowed; a bias of {detectable:.3g} would have been found with probability {POWER}"
        )
        record_property(parameter, report)
        assert np.all(np.abs(z) <= THRESHOLD), report
        truth = float(np.max(np.abs(row.grads[parameter])))
        assert detectable < max(1.0, truth), f"too few runs to say anything: {report}"


@pytest.mark.statistical
def test_the_family_finds_a_known_bias(seed):
    """Power: the same test rejects straight-through on the row of law 10."""
    biased = Choice("through", lambda: scg.StraightThrough(allow_biased=True))
    out = run(TWO_UNITS, biased, seed)
    ((_, z, error),) = z_scores(out, TWO_UNITS.grads)
    assert np.all(np.abs(z) > THRESHOLD), f"z {z}; detectable bias {MARGIN * error}"


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


def test_the_thresholds_keep_the_family_wise_rate():
    assert TESTS * 2 * NormalDist().cdf(-THRESHOLD) <= FAMILY_WISE * (1 + 1e-6)
