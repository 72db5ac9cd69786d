"""Reparameterization: the sample is a differentiable function of noise."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.protocol import ANY_ORDER, Draw, Estimator, Sampler


class Reparameterization(Estimator):
    """Pathwise gradient through x = T(θ, ε): location-scale, inverse CDF, or implicit.

    f′(x)ᵀ ∇θ T(θ, ε), with noise ε: one evaluation and its slope. Use it wherever every path from
    the node to its costs is continuous: nothing needs to be chosen, and the variance is mostly
    lowest. A jump on a path (a comparison, argmax, floor) is an error, because its derivative
    misses it.

    References
    ----------
    Kingma and Welling (2014); where T is implicit, Figurnov et al. (2018) and Graves (2016).
    """

    orders = ANY_ORDER
    requires = ("reparameterized distribution", "continuous paths")
    credit = "pathwise"
    formula = "f′(x)ᵀ ∇θ T(θ, ε), x = T(θ, ε)"
    cites = ("kingma2014", "figurnov2018", "graves2016")

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw an open path."""
        return Draw(dist.sample(noise))
