"""Multi-sample bounds as costs, and rewrites of them that have other gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scg.common.arguments import Fraction, checked, said
from scg.errors import DeclarationError
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import Plate
from scg.ir.walk import topological
from scg.ops.gradient import graft, stop
from scg.ops.reductions import expand, plate_log_mean_exp, plate_sum, shares, zeros


@checked("scg.elbo(log_p, z.log_prob())", DeclarationError)
def elbo(log_p: Expr, log_q: Expr) -> Expr:
    """Negative evidence lower bound log q(z | x) − log p(x, z), a cost.

    Use it with one sample for each example; :func:`iwae` is tighter, with several.

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
        _check_scalar("elbo", name, value)
    return log_q - log_p


@checked("scg.iwae(log_w, plate)", DeclarationError)
def iwae(log_w: Expr, plate: Plate) -> Expr:
    """Negative importance-weighted bound −log 1/K Σ_k w_k over K particles, a cost.

    Its pathwise gradient in q's parameters gets noisier with K; :func:`dreg` mends this.

    Parameters
    ----------
    log_w : Expr
        Log-weights log p(x, z_k) − log q(z_k | x), a scalar for each particle k.
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
    _check_scalar("iwae", "log_w", log_w, plate)
    return -plate_log_mean_exp(log_w, plate)


@checked("scg.vr_iwae(log_w, plate, alpha=0.5)", DeclarationError)
def vr_iwae(log_w: Expr, plate: Plate, alpha: Fraction) -> Expr:
    """Negative variational Rényi bound −1/(1 − α) log 1/K Σ_k w_k^(1 − α) over K particles, a cost.

    It lies between :func:`iwae` (α = 0) and the mean of :func:`elbo` (α → 1). Use a larger α where
    the weights of many dimensions collapse onto one particle.

    Parameters
    ----------
    log_w : Expr
        Log-weights log p(x, z_k) − log q(z_k | x), a scalar for each particle k.
    plate : Plate
        The particles.
    alpha : float
        0 ≤ α < 1.

    Notes
    -----
    Daudel, Benton, Shi and Doucet (2023).

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("bound")
    >>> particles = scg.Plate("particles", length=3)
    >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.0)), plates=particles)
    >>> g.cost("bound", scg.vr_iwae(2.0 * b, particles, alpha=0.5))
    >>> round(scg.exact(g, g.init(seed=0)).cost, 6)
    -1.162161
    """
    _check_scalar("vr_iwae", "log_w", log_w, plate)
    return -plate_log_mean_exp((1.0 - alpha) * log_w, plate) / (1.0 - alpha)


@checked("scg.dreg(lambda z: log_p(z), z, plate)", DeclarationError)
def dreg(log_joint: Callable[[Expr], Expr], z: Expr, plate: Plate) -> Expr:
    """Importance-weighted bound with the doubly reparameterized gradient, a cost.

    Its value is that of :func:`iwae`. Use it for reparameterized nodes; for others there is
    :func:`reweighted_wake_sleep`.

    Parameters
    ----------
    log_joint : callable
        log p(x, z) as a function of z: a scalar for each particle.
    z : Expr
        The stochastic node, sampled from q on the particles and reparameterized.
    plate : Plate
        The particles.

    Notes
    -----
    With weights w_k of the particles, ŵ_k = w_k / Σ_j w_j and q's parameters φ, the gradient in φ
    is −Σ_k ŵ_k² ∂log w_k/∂z_k · ∂z_k/∂φ; in the parameters of p it is the bound's own. Tucker et
    al. (2019).

    Raises
    ------
    DeclarationError
        If `z` is no stochastic node on `plate`, or if its distribution depends on another one.
    """
    node = _check_node(z, plate, "dreg")
    stopped = node.given(tuple(map(stop, node.args)))

    def log_w(value: Expr) -> Expr:
        return log_joint(value) - stopped.log_prob(value)

    first = log_w(node)
    share = _normalised(first, plate)
    # The second ŵ multiplies only what flows back through z.
    second = log_w(graft(node, expand(share, node.plates, node.shape) * node))
    return graft(iwae(first, plate), -plate_sum(share * second, plate))


@checked("scg.reweighted_wake_sleep(lambda z: log_p(z), z, plate)", DeclarationError)
def reweighted_wake_sleep(log_joint: Callable[[Expr], Expr], z: Expr, plate: Plate) -> Expr:
    """Importance-weighted bound with the gradients of both wake phases, a cost.

    Its value is that of :func:`iwae`. Use it for discrete nodes.

    Parameters
    ----------
    log_joint : callable
        log p(x, z) as a function of z: a scalar for each particle.
    z : Expr
        The stochastic node, sampled from q on the particles. It gets no credit.
    plate : Plate
        The particles.

    Notes
    -----
    With normalised weights ŵ_k the gradient is −Σ_k ŵ_k ∇ (log p(x, z_k) + log q(z_k | x)) at
    fixed samples; Bornschein and Bengio (2015). In the parameters of p it is the bound's gradient.
    In those of q it is the gradient of KL(p(z|x) ‖ q) up to a bias of order 1/K, not the bound's.
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


def _check_scalar(caller: str, name: str, value: Any, plate: Plate | None = None) -> None:
    here = "plate element" if plate is None else f"element of plate {plate.name!r}"
    if not isinstance(value, Expr) or value.shape != () or (plate and plate not in value.plates):
        raise DeclarationError(
            f"scg.{caller}: {name} is {said(value)}, expected a scalar for each {here}; "
            "sum log-probabilities over their events"
        )


def _check_node(z: Expr, plate: Plate, caller: str) -> StochasticNode:
    if not isinstance(z, StochasticNode) or plate not in z.plates:
        raise DeclarationError(
            f"scg.{caller}: expected a stochastic node on plate {plate.name!r}, got {said(z)}"
        )
    for expr in topological(z.args):
        if isinstance(expr, StochasticNode):
            raise DeclarationError(
                f"scg.{caller}: the distribution of {z.name!r} depends on node {expr.name!r}; the "
                "rewrite is for a single stochastic layer. Use scg.iwae(log_w, plate) for several"
            )
    return z


#: The functions of this module that a declaration may call by name.
BOUNDS = (elbo, iwae, vr_iwae, dreg, reweighted_wake_sleep)
