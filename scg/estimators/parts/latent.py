"""Control variates on the latent behind a discrete draw: what REBAR, RELAX and LAX share."""

from __future__ import annotations

import numpy as np

from scg.distributions.base import Distribution
from scg.estimators.baselines.network import tanh_network
from scg.estimators.protocol import Downstream, Draw, Memory, Sampler
from scg.ir.expr import Expr
from scg.ops.elementwise import cast
from scg.ops.gradient import box, stop


def latent_draw(dist: Distribution, noise: Sampler, coupled: bool) -> Draw:
    """Draw a stopped value, its latent z, and the latent z̃ given the value.

    Coupled, z̃ has the value of z and differs from it as a function of the parameters alone: the
    conditional noise is then a function of that of the draw, uniform given the draw.
    """
    x = stop(dist.sample(noise))
    z = dist.location() + dist.perturbation(x, noise)
    given = dist.condition(x, noise, stop(z) if coupled else None)
    return Draw(x, logp=dist.log_prob(x), aux={"z": z, "given": given})


def latent_control(draw: Draw, at_z: Expr, at_given: Expr) -> Expr:
    """Return the term c(z) − ⊠(ℓ) c(z̃) less its value.

    Its derivative is −c(z̃) ∇ℓ + ∇c(z) − ∇c(z̃). E[c(z)] = E[⊠(ℓ) c(z̃)] for all parameters, so that
    it has the mean 0 at every order, for every function c of the latent alone.
    """
    assert draw.logp is not None
    open_difference = at_z - at_given
    return (1.0 - box(draw.logp)) * at_given + (open_difference - stop(open_difference))


def latent_network(
    z: Expr, hidden: tuple[int, ...], downstream: Downstream, memory: Memory
) -> Expr:
    """Return a network of the latent and of what the node depends on, as a contribution.

    Its weights learn on the variance of the estimate; its offset is a constant baseline.
    """
    inputs = [z, *(stop(cast(x)) for x in downstream.inputs)]
    offset = memory.parameter("offset", (), lambda rng, shape: np.zeros(shape), "variance")
    return (tanh_network(inputs, hidden, memory, "variance") + offset) / downstream.unit
