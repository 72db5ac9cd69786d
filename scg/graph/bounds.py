"""Multi-sample bounds as costs."""

from __future__ import annotations

from typing import Any

from scg.common.arguments import Fraction, checked, said
from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ops.reductions import plate_log_mean_exp


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


def _check_scalar(caller: str, name: str, value: Any, plate: Plate | None = None) -> None:
    here = "plate element" if plate is None else f"element of plate {plate.name!r}"
    if not isinstance(value, Expr) or value.shape != () or (plate and plate not in value.plates):
        raise DeclarationError(
            f"scg.{caller}: {name} is {said(value)}, expected a scalar for each {here}; "
            "sum log-probabilities over their events"
        )


#: The functions of this module that a declaration may call by name.
BOUNDS = (elbo, iwae, vr_iwae)
