"""Control variates on the latent behind a discrete sample, for REBAR, RELAX and LAX."""

from __future__ import annotations

import numpy as np

from scg.distributions.base import Distribution
from scg.estimators.baselines.network import tanh_network
from scg.estimators.protocol import Downstream, Draw, Memory, Route, Sampler
from scg.ir.expr import Expr
from scg.ops.elementwise import cast
from scg.ops.gradient import box, stop


def latent_draw(dist: Distribution, noise: Sampler, coupled: bool) -> Draw:
    """A stopped sample, its latent z, and a latent z̃ given the sample.

    Coupled, z̃ has the value of z, but another derivative: its noise, uniform given the sample, is a
    function of the noise of z.
    """
    x = stop(dist.sample(noise))
    z = dist.location() + dist.perturbation(x, noise)
    given = dist.condition(x, noise, stop(z) if coupled else None)
    return Draw(x, logp=dist.log_prob(x), aux={"z": z, "given": given})


def latent_control(logp: Expr, at_z: Expr, at_given: Expr) -> Expr:
    """The term c(z) − ⊠(ℓ) c(z̃) less its value, with ℓ the sample's log-probability.

    Its derivative is −c(z̃) ∇ℓ + ∇c(z) − ∇c(z̃). E[c(z)] = E[⊠(ℓ) c(z̃)] for all parameters, so that
    its mean is 0 at each order, whatever c is.
    """
    open_difference = at_z - at_given
    return (1.0 - box(logp)) * at_given + (open_difference - stop(open_difference))


def relaxed_control(
    dist: Distribution, draw: Draw, downstream: Downstream, tau: Expr | float, scale: Expr | float
) -> dict[Route, Expr]:
    """The terms of the costs at the relaxed latents, one for each route.

    A cost that mixes the elements of a plate depends on all their latents: its ℓ is summed over
    them.
    """
    assert draw.logp is not None
    at_z, at_given = (
        downstream.at(dist.relax(draw.aux[z], tau), below="relax", temperature=tau).costs
        for z in ("z", "given")
    )
    return {
        route: latent_control(route.score(draw.logp), scale * at_z[route], scale * at_given[route])
        for route in downstream.routes
    }


def network_control(
    draw: Draw, hidden: tuple[int, ...], downstream: Downstream, memory: Memory
) -> Expr:
    """The term of a network of the latent and of what the node depends on.

    Its weights learn on the variance of the estimate; its offset is a constant baseline. On a plate
    the network of an element sees the element's latent alone, and ℓ is the element's.
    """
    assert draw.logp is not None
    rest = [stop(cast(x)) for x in downstream.inputs]
    offset = memory.parameter("offset", (), lambda rng, shape: np.zeros(shape), "variance")
    at_z, at_given = (
        (tanh_network([draw.aux[z], *rest], hidden, memory, "variance") + offset) / downstream.unit
        for z in ("z", "given")
    )
    return latent_control(draw.logp, at_z, at_given)
