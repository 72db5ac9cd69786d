"""What constructors say to wrong arguments, and what they cost."""

import tracemalloc

import numpy as np
import pytest

import scg

WRONG = [
    (lambda: scg.Bernoulli(logit=0.3), "Bernoulli has no argument 'logit'; did you mean 'logits'?"),
    (lambda: scg.Normal(0.0, scle=1.0), "Normal has no argument 'scle'; did you mean 'scale'?"),
    (lambda: scg.Normal(0.0, 1.0, 2.0), "Normal: too many positional arguments"),
    # libraries differ in which of two comes first
    (lambda: scg.OrderedLogistic("a", [0.0]), "predictor of OrderedLogistic: expected real num"),
    (lambda: scg.RBM([0.0], [0.0], [[1], [1, 2]]), "weights of RBM: expected an array of numbers"),
    (lambda: scg.Bernoulli(0.3), "Bernoulli: too many positional arguments; it takes logits=, p"),
    (lambda: scg.Categorical([0.2, 0.8]), "Categorical: too many positional arguments; it takes"),
    (lambda: scg.Binomial(4, 0.3), "Binomial: too many positional arguments; it takes total_co"),
    (lambda: scg.MultivariateNormal([0.0], [[1.0]]), "MultivariateNormal: too many positional"),
    (lambda: scg.Gamma(), "Gamma: missing a required argument: 'concentration'"),
    (lambda: scg.Binomial(4, prob=0.3), "Binomial has no argument 'prob'; did you mean 'probs'?"),
    (lambda: scg.Mixture([scg.Normal()], prob=[1.0]), "Mixture has no argument 'prob'; did you"),
    (lambda: scg.Mixture(scg.Normal(), probs=[1.0]), "Mixture: components must be distributions"),
    (lambda: scg.Independent(scg.Normal([0.0]), axis=1), "Independent has no argument 'axis'"),
    (lambda: scg.Independent(3), "Independent: base must be a distribution, got 3"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_wrong_arguments(make, message):
    with pytest.raises(scg.DeclarationError) as raised:
        make()
    assert str(raised.value).startswith(message)


def test_whole_floats_count_trials():
    assert scg.Binomial(10.0, probs=0.3).total_count == 10


def test_a_large_factor_is_checked_without_a_copy():
    factor = np.eye(1500)
    tracemalloc.start()
    scg.MultivariateNormal(np.zeros(1500), scale_tril=factor)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * factor.nbytes
