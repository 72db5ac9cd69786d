"""The latent behind a discrete draw: its law, its law given the draw, its smooth version."""

import numpy as np
import pytest
from scipy import stats

import scg
from scg.distributions import DISTRIBUTIONS
from scg.distributions.sequential import Sequential

RUNS = 20_000
PARTS = ("location", "perturbation", "condition", "relax", "separate", "latent")
LAWS = {
    "bernoulli": scg.Bernoulli(logits=np.array([0.4, -2.0])),
    "bernoulli-probs": scg.Bernoulli(probs=np.array([0.3, 0.9])),
    "one-hot": scg.OneHotCategorical(logits=np.array([[0.4, -2.0, 1.1], [0.0, 0.3, -0.5]])),
    "one-hot-probs": scg.OneHotCategorical(probs=np.array([0.5, 0.2, 0.3])),
}


class Leaves:
    """Noise that is drawn once for each tag."""

    def __init__(self, seed):
        self.rng, self.found = np.random.default_rng(seed), {}

    def uniform(self, shape, tag="u"):
        if tag not in self.found:
            self.found[tag] = self.rng.uniform(size=(RUNS, *shape))
        return self.found[tag]


def hard(law, z):
    if isinstance(law, scg.Bernoulli):
        return (z > 0).astype(float)
    return (z == z.max(axis=-1, keepdims=True)).astype(float)


def centred_cdf(law, z):
    """The distribution function of the latent without a condition."""
    e = z - law.location()
    return 1 / (1 + np.exp(-e)) if isinstance(law, scg.Bernoulli) else np.exp(-np.exp(-e))


@pytest.mark.parametrize("name", LAWS)
def test_the_draw_is_the_hard_latent(name):
    law, noise = LAWS[name], Leaves(1)
    x = law.sample(noise)
    np.testing.assert_array_equal(hard(law, law.location() + law.perturbation(x, noise)), x)
    np.testing.assert_array_equal(hard(law, law.condition(x, noise)), x)


@pytest.mark.statistical
@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("given", [False, True])
def test_both_latents_have_the_law_of_the_latent(name, given, seed):
    """Kolmogorov-Smirnov on every element; averaged over the draw z̃ has the law of z.

    With 20 000 runs a wrong condition, such as log(1 − p) for −log(1 − p), is at a distance of
    more than 0.05 where 0.02 is allowed.
    """
    law, noise = LAWS[name], Leaves(seed)
    x = law.sample(noise)
    z = law.condition(x, noise) if given else law.location() + law.perturbation(x, noise)
    u = np.reshape(centred_cdf(law, z), (RUNS, -1))
    for column in u.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-9
    tests = u.shape[1]
    if tests > 1:  # elements of one-hot vectors are independent, too
        correlation = np.corrcoef(stats.norm.ppf(u.T))[np.triu_indices(tests, 1)]
        assert np.all(np.abs(correlation) < 6.5 / np.sqrt(RUNS))


@pytest.mark.parametrize("name", LAWS)
def test_like_gives_the_latent_itself(name):
    law, noise = LAWS[name], Leaves(3)
    x = law.sample(noise)
    z = law.location() + law.perturbation(x, noise)
    np.testing.assert_allclose(law.condition(x, noise, z), z, rtol=1e-9, atol=1e-9)


def test_bernoulli_condition_is_the_papers():
    """z̃ = log(v / ((1 − v)(1 − p)) + 1) for b = 1, −log(v / ((1 − v) p) + 1) for b = 0."""
    law, noise = LAWS["bernoulli"], Leaves(4)
    x, p = law.sample(noise), law.probs
    z = law.condition(x, noise)
    v = 1 - noise.uniform(law.shape, "v")
    odds = v / (1 - v)
    expected = np.where(x == 1, np.log(odds / (1 - p) + 1), -np.log(odds / p + 1))
    np.testing.assert_allclose(z, expected, rtol=1e-9, atol=1e-12)
    # The same as the latent of one uniform that is squeezed into the interval of the draw.
    u = np.where(x == 1, (1 - v) * p, p + v * (1 - p))
    np.testing.assert_allclose(z, law.logits + np.log1p(-u) - np.log(u), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("logit", [-40.0, -12.0, 12.0, 40.0])
def test_extreme_probabilities_stay_finite(logit):
    law, noise = scg.Bernoulli(logits=np.array([logit])), Leaves(5)
    x = law.sample(noise)
    assert np.all(np.isfinite(law.condition(x, noise)))
    assert np.all(np.isfinite(law.condition(1.0 - x, noise)))


@pytest.mark.parametrize("name", LAWS)
def test_relax_tends_to_the_draw(name):
    law, noise = LAWS[name], Leaves(6)
    x = law.sample(noise)
    z = law.location() + law.perturbation(x, noise)
    assert np.mean(np.abs(law.relax(z, 1e-3) - x)) < 1e-3
    np.testing.assert_allclose(law.relax(law.location(), 1.0), law.probs, atol=1e-12)
    np.testing.assert_allclose(law.location(law.probs), law.location(), atol=1e-12)


@pytest.mark.parametrize("gap", [0.7, None])
def test_separate_on_two_classes_is_the_binary_one(gap):
    logit = np.linspace(-3, 3, 13)
    two = scg.OneHotCategorical(logits=np.stack([logit, np.zeros(13)], axis=-1))
    one = scg.Bernoulli(logits=logit)
    for x in (0.0, 1.0):
        moved = two.separate(np.stack([np.full(13, x), np.full(13, 1 - x)], axis=-1), gap)
        np.testing.assert_allclose(
            moved[:, 0] - moved[:, 1], one.separate(np.full(13, x), gap), atol=1e-12
        )


@pytest.mark.parametrize("family", DISTRIBUTIONS, ids=lambda cls: cls.__name__)
def test_a_family_has_all_of_it_or_nothing(family):
    joint = issubclass(family, Sequential)  # no element has a latent that is moved on its own
    have = {family.supports(part) for part in (PARTS[:4] if joint else PARTS)}
    assert len(have) == 1
    if have == {False}:
        assert family not in (scg.Bernoulli, scg.OneHotCategorical)
