"""VIMCO: each particle's baseline is the multi-sample bound without that particle."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.errors import EstimatorError
from scg.estimators.protocol import (
    ANY_ORDER,
    Downstream,
    Draw,
    Estimator,
    Memory,
    control_variate,
)
from scg.ir.expr import Expr
from scg.ir.plate import Plate


class VIMCO(Estimator):
    """Score function on a plate of particles, with the cost without the own particle as baseline.

    Parameters
    ----------
    plate : Plate
        The user's plate of K ≥ 2 particles, of fixed length, over which the cost reduces: for
        example ``g.cost("bound", scg.iwae(log_w, plate))``.
    impute : {"geometric", "arithmetic"}
        How the own particle's weight is replaced: by the geometric or the arithmetic mean of the
        other weights.

    Notes
    -----
    Σⱼ (L̂ − L̂₋ⱼ) ∇θ log p(xⱼ; θ), with L̂₋ⱼ = −log 1/K (Σ_{i≠j} wᵢ + ŵ₋ⱼ) and log ŵ₋ⱼ = 1/(K−1)
    Σ_{i≠j} log wᵢ; Mnih and Rezende (2016, section 3), here as a cost, −L̂ of the paper. L̂₋ⱼ
    does not depend on particle j, so that it is a baseline. Draws between the particles and the
    cost are replayed on their own noise.
    """

    orders = ANY_ORDER
    evaluations = "K"
    suggested = False
    formula = "Σⱼ (f(x) − f̂₋ⱼ(x₋ⱼ)) ∇θ log p(xⱼ; θ)"
    cites = ("mnih2016",)

    def __init__(self, plate: Plate, impute: str = "geometric"):
        if not isinstance(plate, Plate):
            raise EstimatorError(
                f"VIMCO: expected the plate of the particles, e.g. scg.Plate('particles', "
                f"length=5), got {plate!r}"
            )
        self.plate = plate
        self.impute = impute

    def term(
        self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr | None:
        """Subtract the cost without the own particle."""
        return control_variate(draw, downstream.without(self.plate, self.impute))
