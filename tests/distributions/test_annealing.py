"""Annealed importance sampling in both directions: against sums over all configurations."""

import numpy as np
import pytest

import scg
from scg.distributions import annealing

from .test_rbm import parameters


def machine(n, m, seed=0, scale=1.0):
    return scg.RBM(**{k: scale * v for k, v in parameters(n, m, seed).items()})


@pytest.fixture
def large(monkeypatch):
    """Samples of the machine as where it has many units: the ends of chains."""
    monkeypatch.setattr(annealing, "LARGEST", 1)


@pytest.mark.parametrize("size", [(7, 4), (3, 8)])
def test_weights_are_unbiased_both_ways(size, seed):
    """z-test of the means of weights, few temperatures: Z/Z₀ on the way up, and Z₀/Z back.

    Four comparisons at |z| < 7: a false alarm in 1e-11. The errors of the logarithms are below
    0.01, so that a factor of 0.9 or 1.1 is found with probability 0.99.
    """
    rbm = machine(*size, scale=1.5)
    found = scg.annealed_log_z(rbm, seed=seed % 2**31, chains=40_000, temperatures=8)
    assert max(found.lower_stderr, found.upper_stderr) < 0.01
    assert abs(found.lower - rbm.log_normalizer) < 7 * found.lower_stderr
    assert abs(found.upper - rbm.log_normalizer) < 7 * found.upper_stderr


def test_few_chains_are_too_low_on_the_way_up_and_too_high_on_the_way_back():
    rbm = machine(7, 4, scale=2.0)
    found = [scg.annealed_log_z(rbm, seed=i, chains=2, temperatures=3) for i in range(1000)]
    low, high = (np.array([getattr(f, end) for f in found]) for end in ("lower", "upper"))
    for off in (rbm.log_normalizer - low, high - rbm.log_normalizer):
        assert off.mean() > 7 * off.std() / np.sqrt(len(off))


@pytest.mark.usefixtures("large")
def test_ends_of_chains_stand_in_for_samples():
    rbm = machine(7, 6)
    found = scg.annealed_log_z(rbm, seed=3, chains=500, temperatures=300)
    assert abs(found.lower - rbm.log_normalizer) < 0.05 > abs(found.upper - rbm.log_normalizer)


def test_more_independent_units_than_can_be_summed():
    a, b = np.linspace(-2, 2, 40), np.linspace(-1, 1, 30)
    rbm = scg.RBM(a, b, np.zeros((40, 30)))
    found = scg.annealed_log_z(rbm, seed=0, temperatures=50)
    truth = np.logaddexp(0.0, a).sum() + np.logaddexp(0.0, b).sum()
    assert abs(found.lower - truth) < 0.2 > abs(found.upper - truth)


def test_chains_may_start_at_given_samples():
    rbm = scg.RBM([-9.0, -9.0], [0.0], [[9.0], [9.0]])  # 00 with 0 or 1, 11 with 1
    found = scg.annealed_log_z(rbm, seed=0, start=[[0, 0], [0, 0], [1, 1]] * 50)
    assert abs(found.upper - rbm.log_normalizer) < 0.1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rbm": scg.Bernoulli(logits=0.0)}, "expected an scg.RBM of arrays"),
        ({"chains": 1}, "chains must be at least 2"),
        ({"temperatures": 0}, "temperatures must be a positive integer"),
        ({"seed": -1}, "seed must be an integer ≥ 0"),
        ({"start": np.zeros(3)}, r"zeros and ones of shape \(c, 3\)"),
        ({"start": np.full((2, 3), 0.5)}, "zeros and ones"),
        ({"start": np.zeros((2, 2))}, "zeros and ones"),
    ],
)
def test_errors(given, message):
    with pytest.raises(scg.ScgError, match=message):
        scg.annealed_log_z(**{"rbm": machine(3, 2), "seed": 0, **given})


def test_nodes_are_refused():
    a = scg.Graph().parameter("a", np.zeros(2))
    with pytest.raises(scg.DeclarationError, match="of arrays"):
        scg.annealed_log_z(scg.RBM(a, np.zeros(1), np.zeros((2, 1))), seed=0)
