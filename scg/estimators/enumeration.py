"""Exact enumeration of a finite support."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.protocol import ANY_ORDER, Draw, Estimator, Sampler


class Enumeration(Estimator):
    """Exact sum over a finite support, weighted with its probabilities; no noise remains.

    Σ_x f(x) ∇θ p(x; θ), over all values x of the event: |support| evaluations. Use it for small
    supports. The values lie on a sample plate; those of several nodes nest, so that numbers of
    values multiply. Not to be confused with :class:`RAM`, which sums over one coordinate at a time,
    or ``scg.exact``, which averages over the whole graph.

    References
    ----------
    Mohamed et al. (2020).
    """

    orders = ANY_ORDER
    evaluations = "|support|"
    requires = ("finite support", "surviving plates")
    credit = "weight"
    formula = "Σₓ f(x) ∇θ p(x; θ)"
    cites = ("mohamed2020",)

    def draws(self, dist: Distribution) -> int:
        """Number of values."""
        return dist.cardinality()

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """All values, weighted with their probabilities."""
        plate = noise.plate(dist.cardinality())
        x = noise.constant(dist.enumerate_support(), plate)
        return Draw(x, plate=plate, weight=dist.prob(x))
