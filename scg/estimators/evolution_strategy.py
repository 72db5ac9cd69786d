"""Evolution strategies: the score function on antithetic pairs of perturbed parameters."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.parts.perturbations import antithetic_draw, even, flat_size
from scg.estimators.protocol import ANY_ORDER, Draw, Estimator, Sampler


class EvolutionStrategy(Estimator):
    """Score function on antithetic pairs of normal perturbations.

    1/K Σ_i f(x_i) ∇θ log p(x_i; θ), x_i = μ + σ ε_i for one half of the samples and μ − σ ε_i for
    the other: K evaluations of the cost f. μ and σ are mean and scale of the node's normal
    distribution p, θ its parameters, and ε_i standard normals. In μ it is 1/K Σ (f(μ + σ ε) − f(μ −
    σ ε)) ε/σ over pairs. Use it to perturb the parameters of a black box:
    ``w = g.sample("w", scg.Normal(theta, 0.1))``. The objective is the cost smoothed by the normal
    distribution, whose gradient it estimates without bias. Use :class:`OrthogonalEvolution` for
    several pairs, :class:`SPSA` for the cost itself, and :class:`Reparameterization` if the cost
    has a slope.

    Parameters
    ----------
    samples : int
        K ≥ 2, even. Nodes that are given one instance are sampled jointly.

    References
    ----------
    Salimans et al. (2017); Nesterov and Spokoiny (2017) for the smoothed cost.
    """

    orders = ANY_ORDER
    evaluations = "K"
    requires = ("normal values",)
    joint = True
    formula = "1/K Σᵢ f(xᵢ) ∇θ log p(xᵢ; θ)"
    cites = ("salimans2017", "nesterov2017")

    def __init__(self, samples: int = 2):
        self.samples = even("EvolutionStrategy", samples)

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw pairs on both sides of the mean."""
        rows = noise.normal((self.samples // 2, flat_size(dist)))
        return antithetic_draw(dist, rows, noise, self.samples)
