"""Generalized reparameterization: pathwise gradients through standardized samples."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.protocol import ANY_ORDER, Draw, Estimator, Sampler
from scg.ops.reductions import sum


class GREP(Estimator):
    """Pathwise gradient through a standardized sample, with a score for the rest (G-REP).

    f′(x)ᵀ ∇θ T(ε, θ) + f(x) ∇θ log r(θ), with the noise ε that has mean 0 and variance 1 for all
    parameters, of density r(θ) = q(T(ε, θ); θ) s(ε, θ), where q is the density of x and s = ∂T/∂ε:
    one evaluation and its slope. :class:`RSVI` depends less on the parameters through r, and
    :class:`Reparameterization` not at all.

    References
    ----------
    Ruiz, Titsias and Blei (2016).
    """

    orders = ANY_ORDER
    requires = ("standardization", "continuous paths")
    credit = "both"
    formula = "f′(x)ᵀ ∇θ T(ε, θ) + f(x) ∇θ log r(θ), x = T(ε, θ), r(θ) = q(T(ε, θ); θ) s(ε, θ)"
    symbols = {  # noqa: RUF012
        "ε": "the standardized noise",
        "T": "the sample as a function of the noise",
        "q": "the density of the sample",
        "s": "the derivative of T in ε",
        "r": "the density of the noise",
    }
    cites = ("ruiz2016",)

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw an open path, and the log-density of its noise."""
        value, logp = dist.standardized(noise)
        return Draw(value, logp=sum(logp))
