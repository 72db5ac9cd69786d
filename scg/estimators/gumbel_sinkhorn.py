"""Gumbel-Sinkhorn: a matching is replaced by a doubly stochastic matrix near it."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.estimators.parts.temperature import Temperature, checked, temperature_of
from scg.estimators.protocol import Draw, Estimator, Sampler
from scg.ir.expr import Expr
from scg.ops.elementwise import exp, log
from scg.ops.reductions import logsumexp


class GumbelSinkhorn(Estimator):
    """Relaxation of matchings by the Sinkhorn operator, on scores with Gumbel noise; biased.

    f′(y)ᵀ ∇θ y(θ, ε), y(θ, ε) = S((X(θ) + ε)/τ), with the scores X of the matching, Gumbel noise ε,
    the temperature τ, and S the exponential whose rows and columns are divided by their sums in
    turn, K times. One evaluation and its slope. The cost is that of another model, in which the
    matrix y replaces the permutation. Use it for smooth costs of matchings; :class:`REBAR` relaxes
    a matching row by row and is unbiased, :class:`GumbelSoftmax` does so alone.

    Parameters
    ----------
    temperature : float or callable
        τ > 0, or a schedule: a function of the number of calls made, in NumPy notation.
    iterations : int
        K ≥ 1. Afterwards columns sum to one, and rows nearly.
    allow_biased : bool
        Do not warn.

    References
    ----------
    Mena et al. (2018).
    """

    unbiased = False
    orders = 0
    requires = ("matchings", "differentiable costs")
    credit = "pathwise"
    formula = "f′(y)ᵀ ∇θ y(θ, ε), y(θ, ε) = S((X(θ) + ε)/τ)"
    symbols = {  # noqa: RUF012
        "S": "the Sinkhorn operator",
        "X": "the scores of the pairs",
        "y": "the relaxed matching",
        "ε": "Gumbel noise",
    }
    cites = ("mena2018",)

    def __init__(
        self, temperature: Temperature = 1.0, iterations: int = 20, *, allow_biased: bool = False
    ):
        self.temperature = checked("GumbelSinkhorn", temperature)
        self.iterations = iterations
        self.allow_biased = allow_biased

    def where(self) -> dict[str, Any]:
        return {"K": self.iterations, "τ": self.temperature}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw the relaxed matching."""
        tau = temperature_of(self.temperature, None, noise.memory)
        z = (dist.scores() - log(-log(noise.uniform(dist.shape, "g")))) / tau
        return Draw(sinkhorn(z, self.iterations))


def sinkhorn(z: Expr, iterations: int) -> Expr:
    """exp(z) with rows and columns divided by their sums in turn."""
    for _ in range(iterations):
        z = z - logsumexp(z, -1, keepdims=True)
        z = z - logsumexp(z, -2, keepdims=True)
    return exp(z)
