"""Measure-valued gradients: the derivative of a distribution as a difference of two."""

from __future__ import annotations

import numpy as np

from scg.distributions.base import Distribution
from scg.estimators.parts.alternatives import marginalized
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, along
from scg.ir.expr import Expr
from scg.ir.op import constant
from scg.ops.elementwise import possible, where
from scg.ops.gradient import stop
from scg.ops.reductions import plate_sum


class MeasureValued(Estimator):
    """Difference of the cost at a positive and a negative part, for each coordinate.

    Σ_i c_i (f(x⁺_i) − f(x⁻_i)) ∇θ θ_i, with ∇p(x_i; θ_i) = c_i (p⁺ − p⁻) and x^±_i the sample with
    coordinate i drawn from p^±: 2 n |parameters| + 1 evaluations for n coordinates. Use it for few
    coordinates and costs without a slope, continuous or discrete. The parts of a normal are
    coupled; discrete coordinates have a point mass at each value, which makes the estimate that of
    :class:`RAM`. The nodes below are sampled again on the same noise.

    References
    ----------
    Pflug (1989); Mohamed et al. (2020).
    """

    evaluations = "2 n |parameters| + 1"
    requires = ("weak derivatives",)
    credit = "along"
    formula = "Σᵢ cᵢ (f(x⁺ᵢ) − f(x⁻ᵢ)) ∇θ θᵢ"
    symbols = {  # noqa: RUF012
        "c": "the constant of the weak derivative, ∇p = c (p⁺ − p⁻)",
        "x⁺": "the sample with coordinate i drawn from p⁺",
        "x⁻": "the sample with coordinate i drawn from p⁻",
    }
    cites = ("pflug1989", "mohamed2020")

    def draw(self, dist: Distribution, noise: Sampler) -> Draw:
        """Draw a stopped value, and its positive and negative parts."""
        x = stop(dist.sample(noise))
        parts = dist.weak_derivatives(x, noise) if dist.supports("weak_derivatives") else None
        return Draw(x, aux={"parts": parts})

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Inject the differences along the parameters."""
        if draw.aux["parts"] is None:
            return marginalized(dist, draw.value, downstream)
        x = draw.value
        plate = downstream.plate(x.size)
        own = np.eye(x.size, dtype=bool).reshape(-1, *x.shape)
        here = constant(x.graph, own, (plate,))

        counts_of_trials = dist.support.kind == "integer" and "probs" in dist.weak_parameters

        def cost(part: Expr, theta: Expr) -> Expr:
            replay = downstream.alone(dist.moved(x, here, stop(part)))
            cost = plate_sum(where(here, replay.cost, 0.0), plate)
            # where theta is 0 or 1, one part is impossible and its cost need not be finite
            return possible(cost, theta * (1.0 - theta)) if counts_of_trials else cost

        terms = [
            along(factor * (cost(positive, theta) - cost(negative, theta)), theta)
            for theta, factor, positive, negative in draw.aux["parts"]
        ]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total
