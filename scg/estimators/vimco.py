"""VIMCO: each particle's baseline is the multi-sample bound without that particle."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.parts.options import among
from scg.estimators.protocol import ANY_ORDER, Downstream, Draw, Estimator, Memory, control_variate
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ops.elementwise import possible


class VIMCO(Estimator):
    """Score function on a plate of particles, with the cost without the own particle as baseline.

    Σ_j (f(x) − f̂_{−j}(x_{−j})) ∇θ log p(x_j; θ), with the particles x_j of weights w_j, the cost f
    = −log 1/K Σ_i w_i and f̂_{−j} the same with log w_j replaced by the mean 1/(K−1) Σ_{i≠j} log
    w_i: K evaluations, those of the particles. Use it for multi-sample bounds; it is not a way to
    sample K times, which is :class:`LeaveOneOut`. Nodes between the particles and the cost keep
    their noise.

    Parameters
    ----------
    plate : Plate
        Your plate of K particles, over which the cost reduces: for example
        ``g.cost("bound", scg.iwae(log_w, plate))``. The data of a call may determine K; a single
        particle has a constant baseline.
    impute : {"geometric", "arithmetic"}
        Whether w_j is replaced by the geometric or the arithmetic mean of the other weights.

    References
    ----------
    Mnih and Rezende (2016); L̂ there is −f.
    """

    orders = ANY_ORDER
    evaluations = "K"
    suggested = False
    formula = "Σⱼ (f(x) − f̂₋ⱼ(x₋ⱼ)) ∇θ log p(xⱼ; θ)"
    symbols = {  # noqa: RUF012
        "x": "the samples of the particles",
        "f̂": "the cost with one particle's part imputed from the others",
    }
    cites = ("mnih2016",)

    def __init__(self, plate: Plate, impute: str = "geometric"):
        among("VIMCO", impute, "impute", "geometric", "arithmetic")
        self.plate = plate
        self.impute = impute

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Subtract the cost without the own particle; 0 where no other particle is possible."""
        without = downstream.without(self.plate, self.impute)
        return control_variate(draw, possible(without, 0.0))
