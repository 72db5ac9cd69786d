"""Multi-sample bounds as costs, and rewrites of them that have other gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scg.errors import DeclarationError
from scg.ir.expr import Expr, StochasticNode, describe
from scg.ir.plate import Plate
from scg.ir.walk import topological
from scg.ops.gradient import graft, stop
from scg.ops.reductions import expand, plate_log_mean_exp, plate_sum, shares, zeros


def elbo(log_p: Expr, log_q: Expr) -> Expr:
    """Return log q(z | x) − log p(x, z), the negative evidence lower bound as a cost.

    Parameters
    ----------
    log_p, log_q : Expr
        Log-densities of the model and of the approximation, scalars per plate element. With
        ``log_q = z.log_prob(stop_params=True)`` the gradient sticks the landing (Roeder et al.
        2017): it has no variance where q is the posterior.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("bound")
    >>> z = g.sample("z", scg.Normal(loc=g.parameter("mu", 0.0), scale=1.0))
    >>> g.cost("bound", scg.elbo(scg.Normal(0.5, 1.0).log_prob(z), z.log_prob()))
    """
    for name, value in (("log_p", log_p), ("log_q", log_q)):
        if not isinstance(value, Expr) or value.shape != ():
            raise DeclarationError(
                f"scg.elbo: {name} is {_shown(value)}, expected a scalar per plate element; "
                "sum log-probabilities over their events"
            )
    return log_q - log_p


def iwae(log_w: Expr, plate: Plate) -> Expr:
    """Return −log 1/K Σ_k w_k, the importance-weighted bound as a cost.

    Parameters
    ----------
    log_w : Expr
        Log-weights log p(x, z_k) − log q(z_k | x), a scalar for each particle.
    plate : Plate
        The particles.

    Notes
    -----
    Burda, Grosse and Salakhutdinov (2016).

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("bound")
    >>> particles = scg.Plate("particles", length=3)
    >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.0)), plates=particles)
    >>> g.cost("bound", scg.iwae(2.0 * b, particles))
    >>> round(scg.exact(g, g.init(seed=0)).cost, 6)
    -1.300354
    """
    _check_weights(log_w, plate, "iwae")
    return -plate_log_mean_exp(log_w, plate)


def dreg(log_joint: Callable[[Expr], Expr], z: Expr, plate: Plate) -> Expr:
    """Return the importance-weighted bound with the doubly reparameterized gradient.

    Parameters
    ----------
    log_joint : callable
        log p(x, z) as a function of z: a scalar for each particle.
    z : Expr
        The stochastic node, drawn from q on the particles and reparameterized.
    plate : Plate
        The particles.

    Notes
    -----
    With the normalised weights ŵ_k the gradient in q's parameters is
    −Σ_k ŵ_k² ∂log w_k/∂z_k · ∂z_k/∂φ, that in p's the bound's own; Tucker et al. (2019).

    Raises
    ------
    DeclarationError
        If `z` is no stochastic node on `plate`, or its law depends on another one.
    """
    node = _check_node(z, plate, "dreg")
    law = node.given(tuple(map(stop, node.args)))

    def log_w(value: Expr) -> Expr:
        return log_joint(value) - law.log_prob(value)

    first = log_w(node)
    share = _normalised(first, plate)
    # The second ŵ multiplies what flows back through z alone.
    second = log_w(graft(node, expand(share, node.plates, node.shape) * node))
    return graft(iwae(first, plate), -plate_sum(share * second, plate))


def reweighted_wake_sleep(log_joint: Callable[[Expr], Expr], z: Expr, plate: Plate) -> Expr:
    """Return the importance-weighted bound with the gradient of both wake phases.

    Parameters
    ----------
    log_joint : callable
        log p(x, z) as a function of z: a scalar for each particle.
    z : Expr
        The stochastic node, drawn from q on the particles. It gets no credit and may be discrete.
    plate : Plate
        The particles.

    Notes
    -----
    −Σ_k ŵ_k ∇ (log p(x, z_k) + log q(z_k | x)) at fixed draws; Bornschein and Bengio
    (2015). In p's parameters it is the bound's gradient; in q's it is that of KL(p(z|x) ‖ q) up to
    a bias of order 1/K, and not that of the bound.
    """
    node = _check_node(z, plate, "reweighted_wake_sleep")
    value = stop(node)
    joint, log_q = log_joint(value), node.declared.log_prob(value)
    log_w = joint - log_q
    share = _normalised(log_w, plate)
    return graft(iwae(log_w, plate), -plate_sum(share * (joint + log_q), plate))


def _normalised(log_w: Expr, plate: Plate) -> Expr:
    """ŵ, without a derivative."""
    share = shares(log_w, (), (plate,))
    return graft(share, zeros(share))


def _shown(value: Any) -> str:
    return describe(value) if isinstance(value, Expr) else repr(value)


def _check_plate(plate: Any, caller: str) -> None:
    if not isinstance(plate, Plate):
        raise DeclarationError(f"scg.{caller}: expected a scg.Plate of particles, got {plate!r}")


def _check_weights(log_w: Expr, plate: Plate, caller: str) -> None:
    _check_plate(plate, caller)
    if not isinstance(log_w, Expr) or log_w.shape != () or plate not in log_w.plates:
        raise DeclarationError(
            f"scg.{caller}: log_w is {_shown(log_w)}, expected a scalar for each element of "
            f"plate {plate.name!r}; sum log-probabilities over their events"
        )


def _check_node(z: Expr, plate: Plate, caller: str) -> StochasticNode:
    _check_plate(plate, caller)
    if not isinstance(z, StochasticNode) or plate not in z.plates:
        raise DeclarationError(
            f"scg.{caller}: expected a stochastic node on plate {plate.name!r}, got {_shown(z)}"
        )
    for expr in topological(z.args):
        if isinstance(expr, StochasticNode):
            raise DeclarationError(
                f"scg.{caller}: the law of {z.name!r} depends on node {expr.name!r}; the rewrite "
                "is for a single stochastic layer. Use scg.iwae(log_w, plate) for several"
            )
    return z


#: What a declaration may call by name.
BOUNDS = (elbo, iwae, dreg, reweighted_wake_sleep)
