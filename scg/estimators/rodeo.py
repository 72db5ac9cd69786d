"""RODEO: control variates of mean zero from a discrete Stein operator."""

from __future__ import annotations

import numpy as np

from scg.distributions.base import Distribution
from scg.estimators.parts.options import at_least
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, along, control_variate
from scg.ir.expr import Expr
from scg.ir.op import constant
from scg.ops.activations import leaky_relu
from scg.ops.elementwise import where
from scg.ops.gradient import stop
from scg.ops.linalg import dot, matmul
from scg.ops.reductions import plate_sum, sum
from scg.ops.shape import np_reshape


class RODEO(Estimator):
    """Leave-one-out with Stein control variates for both the others' costs and the own score.

    1/K Σ_k ((f(x_k) − 1/(K−1) Σ_{j≠k} (f(x_j) + α u_j)) ∇θ log p(x_k; θ) + β ũ_k), with u = A h of
    mean zero: the Gibbs operator A averages p(flip) (h(flipped) − h(x)) over the n coordinates;
    h_k(y) = 1/(K−1) Σ_{j≠k} H₁(f(x_j), f′(x_j)ᵀ(y − x_j)), and ũ likewise with H₂ times ∇θ log p(y;
    θ). K evaluations and their slopes, plus K of replays with the nodes below at their means, if
    there are any. α and β start at 0; they and the network H learn on the variance of the estimate.
    Use it for binary units and smooth costs where :class:`DoubleCV`'s expansion is too crude and
    training is long enough to learn H.

    Parameters
    ----------
    samples : int
        K ≥ 2. Nodes that are given one instance are sampled jointly, K whole paths.
    hidden : int
        Width of H.

    References
    ----------
    Shi et al. (2022).
    """

    evaluations = "K"
    requires = ("binary values", "mean field", "differentiable costs")
    joint = True
    formula = "1/K Σₖ ((f(xₖ) − 1/(K−1) Σⱼ≠ₖ (f(xⱼ) + α uⱼ)) ∇θ log p(xₖ; θ) + β ũₖ)"
    symbols = {  # noqa: RUF012
        "α": "a learned scale",
        "β": "a learned scale",
        "u": "the Stein control variate of a sample's cost, of mean 0",
        "ũ": "the Stein control variate of the estimate, of mean 0",
    }
    cites = ("shi2022",)

    def __init__(self, samples: int = 2, hidden: int = 100):
        self.samples = at_least("RODEO", samples, 2)
        self.hidden = hidden

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Subtract the others' corrected costs, and inject the second control variate."""
        plate, x, mu, unit = draw.samples, draw.value, stop(dist.mean()), downstream.unit
        twin = downstream.twin(plate)
        same = constant(x.graph, np.eye(self.samples, dtype=bool), (plate, twin))

        def of_other(y: Expr) -> Expr:
            return plate_sum(where(same, y, 0.0), plate)

        def over_others(y: Expr) -> Expr:
            return plate_sum(where(same, 0.0, y), twin) / (self.samples - 1.0)

        slope = of_other(stop(downstream.at(x, below="mean").slope * unit))
        cost = of_other(stop(downstream.cost * unit))
        flip, chance = 1.0 - 2.0 * x, mu * (1.0 - x) + (1.0 - mu) * x
        line = dot(slope, x - of_other(x))
        here = over_others(self._network(cost, line, memory))
        there = over_others(self._network(cost, line + slope * flip, memory))

        first = sum(chance * (there[..., 0] - here[0])) / float(x.size)
        change = sum(chance * (there[..., 1] - here[1])) * (x - mu)
        second = (change + chance * there[..., 1] * flip) / float(x.size)
        alpha = memory.parameter("alpha", (), _zeros, "variance")
        beta = memory.parameter("beta", (), _zeros, "variance")
        a = downstream.others(plate, downstream.cost + alpha * first / unit)
        return control_variate(draw, a) + along(beta * second / unit, dist.location())

    def _network(self, cost: Expr, line: Expr, memory: Memory) -> Expr:
        """H: two outputs on a last axis for each element of `line`."""
        n = self.hidden
        weights = [
            memory.parameter(name, shape, _normal, "variance")
            for name, shape in (("W_cost", (n,)), ("W_line", (n,)), ("b", (n,)), ("out", (n, 2)))
        ]
        line = np_reshape(line, (*line.shape, 1))
        layer = leaky_relu(cost * weights[0] + line * weights[1] + weights[2], 0.3)
        return matmul(layer, weights[3])


def _zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.zeros(shape)


def _normal(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.normal(size=shape) / np.sqrt(shape[0])
