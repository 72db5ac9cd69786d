"""Exact enumeration of a finite support."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.protocol import ANY_ORDER, Draw, Estimator, Sampler


class Enumeration(Estimator):
    """Put the whole support on a plate, weighted with its probabilities; no noise remains.

    Notes
    -----
    Σ_x f(x) ∇θ p(x; θ). Every node has a plate of its own: plates of several nodes nest.
    """

    orders = ANY_ORDER
    evaluations = "|support|"
    requires = ("finite support", "surviving plates")
    credit = "weight"
    formula = "Σₓ f(x) ∇θ p(x; θ)"
    cites = ("mohamed2020",)

    def draws(self, dist: Distribution) -> int:
        """Return the number of values."""
        return dist.cardinality()

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Return all values, weighted with their probabilities."""
        plate = noise.plate(dist.cardinality())
        x = noise.constant(dist.enumerate_support(), plate)
        return Draw(x, plate=plate, weight=dist.prob(x))
