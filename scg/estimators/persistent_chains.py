"""Persistent chains: samples of a machine whose partition function is not known."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.distributions.base import Distribution
from scg.distributions.rbm import RBM
from scg.estimators.parts.options import at_least
from scg.estimators.protocol import Downstream, Draw, Estimator, Memory, Sampler, control_variate
from scg.ir.expr import Expr
from scg.ops.elementwise import cast, greater, where
from scg.ops.gradient import stop
from scg.ops.linalg import matmul
from scg.ops.reductions import plate_sum
from scg.ops.shape import np_reshape


class PersistentChains(Estimator):
    """Block Gibbs chains that go on from call to call, with a leave-one-out baseline; biased.

    1/K Σ_i (f(x_i) − 1/(K−1) Σ_{j≠i} f(x_j)) ∇θ log p̃(x_i; θ): K evaluations of the cost f. x_i is
    where chain i is, θ are the parameters of an :class:`RBM`, p̃ = Z p is its unnormalised
    probability and Z its partition function; log Z drops out. Each call moves each of the K
    chains by some steps at the present parameters, and the state keeps where they are: pass
    ``state=`` from call to call, as `fit` does. The chains lag behind the distribution, which
    makes the estimate biased. Use it for RBMs of more than 20 units on both sides, above all as a
    learned prior: the node's sample is the negative phase in :meth:`RBM.contrast`. All other
    estimators sample an RBM exactly, which only smaller ones allow.

    Parameters
    ----------
    samples : int
        K ≥ 2, the number of chains.
    steps : int
        Steps of each chain in a call, at least 1.
    allow_biased : bool
        Do not warn.

    Notes
    -----
    The state holds a probability for each unit of each chain: 0 or 1, or 1/2 at the start. A call
    with several runs returns the mean over them, from which the units of the next call start
    independently of each other.

    References
    ----------
    Tieleman (2008).
    """

    unbiased = False
    orders = 0
    evaluations = "K"
    requires = ("Gibbs sampler", "no plates")
    formula = "1/K Σᵢ (f(xᵢ) − 1/(K−1) Σⱼ≠ᵢ f(xⱼ)) ∇θ log p̃(xᵢ; θ)"
    symbols = {"p̃": "the probability but for its constant"}  # noqa: RUF012
    cites = ("tieleman2008",)

    def __init__(self, samples: int = 100, steps: int = 1, *, allow_biased: bool = False):
        self.samples = at_least("PersistentChains", samples, 2)
        self.steps = at_least("PersistentChains", steps, 1, "steps")
        self.allow_biased = allow_biased

    def draw(self, dist: RBM, noise: Sampler) -> Draw:
        """Move each chain from where it was."""
        plate, n = noise.plate(self.samples), dist.shape[0]
        own = noise.constant(np.eye(self.samples), plate)
        on = noise.on(plate)
        before = noise.memory.state("chains", 0.5, (self.samples, n), bounds=(0.0, 1.0))
        x: Any = cast(where(greater(matmul(own, before), on.uniform((n,), "start")), 1, 0))
        for i in range(self.steps):
            x = dist.gibbs(x, on, i)
        x = stop(x)
        logp = dist.log_weight(x)
        return Draw(x, logp=logp, plate=plate, aux={"elements": logp, "own": own})

    def term(self, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory) -> Expr:
        """Keep the chains, and subtract the mean cost of the others."""
        column = np_reshape(draw.aux["own"], (self.samples, 1))
        memory.update("chains", downstream.average(plate_sum(column * draw.value, draw.samples)))
        return control_variate(draw, downstream.others(draw.samples))
