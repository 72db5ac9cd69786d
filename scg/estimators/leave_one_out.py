"""Leave-one-out: several samples, each with the mean cost of the others as its baseline."""

from __future__ import annotations

from scg.distributions.base import Distribution
from scg.estimators.parts.options import at_least
from scg.estimators.protocol import ANY_ORDER, Downstream, Draw, Estimator, Memory, control_variate
from scg.ir.expr import Expr


class LeaveOneOut(Estimator):
    """Score function on K samples with a leave-one-out baseline (VarGrad, RLOO).

    1/K Σ_i (f(x_i) − 1/(K−1) Σ_{j≠i} f(x_j)) ∇θ log p(x_i; θ): K evaluations. Use it first for
    discrete nodes: it works for any distribution and cost, and learns nothing. Nodes that share an
    instance are sampled jointly, K whole paths; separate instances sample K times for each sample
    of their parents. :class:`VIMCO` is for costs that are themselves a bound of K particles.

    Parameters
    ----------
    samples : int
        K ≥ 2.

    References
    ----------
    Mnih and Rezende (2016); Kool, van Hoof and Welling (2019).
    """

    orders = ANY_ORDER
    evaluations = "K"
    joint = True
    formula = "1/K Σᵢ (f(xᵢ) − 1/(K−1) Σⱼ≠ᵢ f(xⱼ)) ∇θ log p(xᵢ; θ)"
    cites = ("mnih2016", "kool2019")

    def __init__(self, samples: int = 2):
        self.samples = at_least("LeaveOneOut", samples, 2)

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Subtract the mean cost of the other samples."""
        return control_variate(draw, downstream.others(draw.samples))
