"""SPSA: simultaneous perturbation of all parameters by random signs."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.errors import EstimatorError
from scg.estimators.parts.perturbations import even, flat_size, pairs
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.elementwise import greater, where
from scg.ops.gradient import stop
from scg.ops.shape import np_reshape


class SPSA(Estimator):
    """Difference of the cost at all parameters moved by random signs and their opposites; biased.

    1/(c K) Σ_i f(v + c s_i) s_iᵀ ∇θ v(θ), where half of the vectors s_i are random signs, the other
    half their opposites, and v is the value of a point mass: K evaluations for any number of
    parameters. Perturb the parameters of a black box: ``w = g.sample("w", scg.Delta(theta))``.
    It has the mean of a central difference in each parameter with random signs of the others:
    exact for quadratic costs, and a bias of c² times third derivatives in general. The cost that a
    step returns is that at the moved parameters. :class:`EvolutionStrategy` is unbiased for a
    smoothed cost.

    Parameters
    ----------
    step : float
        c > 0. The variance does not grow as c falls, but rounding does.
    samples : int
        K ≥ 2, even.
    allow_biased : bool
        Do not warn.

    References
    ----------
    Spall (1992).
    """

    unbiased = False
    orders = 0
    evaluations = "K"
    requires = ("point mass",)
    credit = "along"
    formula = "1/(c K) Σᵢ f(v(θ) + c sᵢ) sᵢᵀ ∇θ v(θ)"
    symbols = {  # noqa: RUF012
        "c": "how far parameters move",
        "s": "random signs, and their opposites",
        "v": "the value of the point mass",
    }
    cites = ("spall1992",)

    def __init__(self, step: float = 0.01, samples: int = 2, *, allow_biased: bool = False):
        if not step > 0:
            raise EstimatorError(f"SPSA: step must be a positive number, got {step!r}")
        self.step, self.samples = step, even("SPSA", samples)
        self.allow_biased = allow_biased

    def where(self) -> dict[str, Any]:
        return {"K": self.samples, "c": self.step}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Move the value by signs and their opposites."""
        u = noise.uniform((self.samples // 2, flat_size(dist)))
        plate, signs = pairs(where(greater(u, 0.5), 1.0, -1.0), noise, self.samples)
        signs = np_reshape(signs, dist.shape)
        value = stop(dist.mean() + self.step * signs)
        return Draw(value, plate=plate, aux={"signs": signs})

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the cost times the signs along the value."""
        return along(downstream.cost * draw.aux["signs"] / self.step, dist.mean())
