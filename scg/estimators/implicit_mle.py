"""Implicit maximum likelihood: how the most probable value changes if scores move downhill."""

from __future__ import annotations

from typing import Any

from scg.distributions.base import Distribution
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ops.elementwise import log
from scg.ops.gradient import stop


class ImplicitMLE(Estimator):
    """Change of the most probable value as perturbed scores move downhill; biased.

    1/λ (x − A(z − λ f′(x)))ᵀ ∇θ s(θ), x = A(z), z = s(θ) + ε, with s the scores of the
    distribution, A(z) the value x of the largest z·x, Gumbel noise ε and a step λ: one evaluation
    and its slope.
    Use it for subsets and matchings, whose most probable value is cheap. Its sample (perturb-and-
    MAP) is exact for classes; for others its distribution is another one, so that the cost is
    biased, too. :class:`StraightThrough` differentiates exact marginals at an exact sample.

    Parameters
    ----------
    step : float
        λ > 0, in the user's units of a cost. The paper leaves the factor 1/λ to the learning rate.
    allow_biased : bool
        Do not warn.

    References
    ----------
    Niepert, Minervini and Franceschi (2021).
    """

    unbiased = False
    orders = 0
    requires = ("scores", "differentiable costs")
    credit = "along"
    formula = "1/λ (x − A(z − λ f′(x)))ᵀ ∇θ s(θ), x = A(z), z = s(θ) + ε"
    symbols = {  # noqa: RUF012
        "s": "the scores of the values",
        "A": "the value of the largest product with scores",
        "z": "the scores with noise",
        "ε": "Gumbel noise",
    }
    cites = ("niepert2021",)

    def __init__(self, step: float = 1.0, *, allow_biased: bool = False):
        self.step = step
        self.allow_biased = allow_biased

    def where(self) -> dict[str, Any]:
        return {"λ": self.step}

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Decide at scores with Gumbel noise."""
        z = stop(dist.scores() - log(-log(noise.uniform(dist.shape, "g"))))
        return Draw(stop(dist.decide(z)), aux={"z": z})

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the difference along the scores."""
        slope = downstream.at(draw.value, below="same").slope * downstream.unit
        change = draw.value - dist.decide(stop(draw.aux["z"] - self.step * slope))
        return along(change / (self.step * downstream.unit), dist.scores())
