"""Orthogonal evolution strategies: antithetic pairs whose directions are orthogonal."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.parts.perturbations import antithetic_draw, directions, even, flat_size
from scg.estimators.protocol import ANY_ORDER, Draw, Estimator, Sampler


class OrthogonalEvolution(Estimator):
    """Score function on antithetic pairs in orthogonal directions.

    1/K Σ_i f(x_i) ∇θ log p(x_i; θ), x_i = μ ± σ ε_i, where up to n directions ε_i in n dimensions
    are orthogonal, each with the length of an independent normal vector: K evaluations. Each
    direction alone is normal, so that the estimate is unbiased for the smoothed cost, as that of
    :class:`EvolutionStrategy`; with n directions it is exact in μ for a linear cost but for their
    lengths. Use it for several pairs; the directions take K²/4 products of n numbers.

    Parameters
    ----------
    samples : int
        K ≥ 2, even: K/2 directions.

    References
    ----------
    Choromanski et al. (2018).
    """

    orders = ANY_ORDER
    evaluations = "K"
    requires = ("normal values",)
    joint = True
    formula = "1/K Σᵢ f(xᵢ) ∇θ log p(xᵢ; θ)"
    cites = ("choromanski2018",)

    def __init__(self, samples: int = 4):
        self.samples = even("OrthogonalEvolution", samples)

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw pairs on both sides of the mean, in directions made orthogonal."""
        rows = directions(noise, self.samples // 2, flat_size(dist))
        return antithetic_draw(dist, rows, noise, self.samples)
