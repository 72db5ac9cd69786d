"""Rejection sampling variational inference: pathwise gradients through accepted proposals."""

from __future__ import annotations

from typing import Any

from scg.common.arguments import Count
from scg.distributions.base import Distribution
from scg.estimators.protocol import ANY_ORDER, Draw, Estimator, Sampler
from scg.ops.reductions import sum


class RSVI(Estimator):
    """Pathwise gradient through the proposal of a rejection sampler, with a score for the rest.

    f′(x)ᵀ ∇θ T(ε, θ) + f(x) ∇θ log r(θ), with the noise ε of the accepted proposal, of density
    r(θ) = q(h(ε, θ); θ) s(ε, θ), where q is the density of the proposal's value h, and s = ∂h/∂ε:
    one evaluation and its slope. :class:`Reparameterization` has the lower variance where it is
    implicit, as it is for all these distributions here; use RSVI to compare, or for orders where
    implicit derivatives end.

    Parameters
    ----------
    augment : int
        B ≥ 0, the number of uniforms that augment the shape of gamma values. With B = 0 shapes
        must exceed 1/3. A larger B makes the proposal more accurate; the variance need not fall.

    References
    ----------
    Naesseth et al. (2017).
    """

    orders = ANY_ORDER
    requires = ("acceptance", "continuous paths")
    credit = "both"
    formula = "f′(x)ᵀ ∇θ T(ε, θ) + f(x) ∇θ log r(θ), x = T(ε, θ), r(θ) = q(h(ε, θ); θ) s(ε, θ)"
    symbols = {  # noqa: RUF012
        "ε": "the noise of the accepted proposal",
        "T": "the sample as a function of the noise",
        "h": "the value of the proposal",
        "q": "the density of the value of the proposal",
        "s": "the derivative of h in ε",
        "r": "the density of the noise",
    }
    cites = ("naesseth2017",)

    def __init__(self, augment: Count = 1):
        self.augment = augment

    def where(self) -> dict[str, Any]:
        return {"B": self.augment}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw an open path, and the log-density of its noise."""
        value, logp = dist.accepted(noise, self.augment)
        return Draw(value, logp=sum(logp))
