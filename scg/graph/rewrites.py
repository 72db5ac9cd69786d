"""Multi-sample bounds that have other gradients than their own: DReG, GDReG, wake phases, TVO."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from scg.common.arguments import checked, said
from scg.distributions.base import Distribution
from scg.errors import DeclarationError
from scg.graph.approximation import Approximation, through
from scg.graph.bounds import iwae
from scg.ir.expr import Expr
from scg.ir.op import plate_size
from scg.ir.plate import Plate
from scg.ops.elementwise import maximum
from scg.ops.gradient import graft, held, self_normalised
from scg.ops.indexing import getitem
from scg.ops.powers import absorb
from scg.ops.reductions import plate_sum, shares, sum


@checked("scg.dreg(lambda z: log_p(z), z, plate)", DeclarationError)
def dreg(log_joint: Callable[..., Any], z: Expr | Sequence[Expr], plate: Plate) -> Expr:
    """Importance-weighted bound with the doubly reparameterized gradient, a cost.

    Its value is that of :func:`iwae`. Use it for reparameterized nodes; for others there is
    :func:`reweighted_wake_sleep`. :func:`gdreg` treats the prior's parameters alike.

    Parameters
    ----------
    log_joint : callable
        log p(x, z) as a function of z, or of each layer: a scalar for each particle.
    z : Expr or sequence of Expr
        The stochastic node, sampled from q on the particles and reparameterized; or all layers z₁,
        z₂, … of q(z₁) q(z₂ | z₁) ….
    plate : Plate
        The particles.

    Notes
    -----
    With weights w_k of the particles, ŵ_k = w_k / Σ_j w_j and q's parameters φ, the gradient in φ
    is −Σ_k ŵ_k² ∂log w_k/∂z_k · ∇z_k, where ∂log w_k/∂z_k is taken at fixed φ; in the parameters of
    p it is the bound's own. Tucker et al. (2019). With several layers, log q(z₂ | z₁) depends on z₁
    through the parameters of z₂'s distribution, and ∂log w_k/∂z₁ includes this: stopping these
    parameters as a whole is biased (Bauer and Mnih 2021).

    Raises
    ------
    DeclarationError
        If a layer is not a stochastic node on `plate`, is not reparameterized, or depends on a node
        that is not listed.
    """
    q = Approximation("dreg", z, plate).reparameterized()

    def log_w(values: Sequence[Expr]) -> Expr:
        return q.density("log_joint", log_joint, values) - q.log_prob_through(values)

    first = log_w(q.layers)
    share = held(shares(first, (), (plate,)))
    # The second ŵ multiplies only what flows back through z.
    second = log_w(q.scaled(share))
    return q.path_alone(graft(iwae(first, plate), -plate_sum(share * second, plate)))


@checked("scg.gdreg(lambda z: prior(z), lambda z: log_likelihood(z), z, plate)", DeclarationError)
def gdreg(
    prior: Callable[..., Any],
    log_likelihood: Callable[..., Any],
    z: Expr | Sequence[Expr],
    plate: Plate,
) -> Expr:
    """Importance-weighted bound, doubly reparameterized in q and in the prior, a cost.

    Its value is that of :func:`iwae`, its gradient in q's parameters that of :func:`dreg`. Use it
    for learned priors: where prior and posterior are close, its variance in the prior's parameters
    is below that of the score ∇log p(z), which the other bounds have.

    Parameters
    ----------
    prior : callable
        The prior of z as a function of z: a distribution whose samples have a path; or as a
        function of each layer, a list of the prior of each layer given others.
    log_likelihood : callable
        log p(x | z) as a function of z, or of each layer: a scalar for each particle.
    z : Expr or sequence of Expr
        The stochastic node, sampled from q on the particles and reparameterized; or all layers of
        q.
    plate : Plate
        The particles.

    Notes
    -----
    With weights w_k of the particles and ŵ_k = w_k / Σ_j w_j, the gradient in the parameters λ of
    the prior p(z) is −Σ_k (ŵ_k ∂log p(x | z_k)/∂z_k − ŵ_k² ∂log w_k/∂z_k) · ∇z̃_k. Here z̃ = T(ε̃; λ)
    is z as a sample of the prior, with the noise ε̃ = T⁻¹(z; λ) held fixed. Bauer and Mnih (2021).
    With several layers each prior has this gradient at fixed other layers, with the priors of
    those others in place among log p(x | z).

    Raises
    ------
    DeclarationError
        If a layer is not a stochastic node on `plate`, is not reparameterized, or depends on a node
        that is not listed; or if there is no prior for each layer.
    UnsupportedError
        If a prior has no path through given values (`opened`).

    Examples
    --------
    The prior of which q is a sample: the gradient has no variance in its location.

    >>> import scg
    >>> g = scg.Graph("prior")
    >>> particles = scg.Plate("particles", length=1)
    >>> z = g.sample("z", scg.Normal(0.0, 1.0), plates=particles)
    >>> mu = g.parameter("mu", 0.0)
    >>> log_likelihood = lambda v: -0.5 * v
    >>> g.cost("bound", scg.gdreg(lambda v: scg.Normal(mu, 1.0), log_likelihood, z, particles))
    >>> m = scg.moments(scg.compile(g), g.init(seed=0))
    >>> round(float(m.mean["mu"]), 6) + 0.0, round(float(m.variance["mu"]), 6) + 0.0
    (0.0, 0.0)
    """
    q = Approximation("gdreg", z, plate).reparameterized()

    def likelihood(values: Sequence[Expr]) -> Expr:
        return q.density("log_likelihood", log_likelihood, values)

    def log_priors(values: Sequence[Expr], at: Sequence[Expr]) -> Expr:
        parts = zip(_priors(prior, values), at, strict=True)
        return reduce(add, [law.log_prob(value) for law, value in parts])

    def log_w(values: Sequence[Expr], log_prior: Expr) -> Expr:
        return likelihood(values) + log_prior - q.log_prob_through(values)

    first = log_w(q.layers, log_priors(q.layers, q.layers))
    share = held(shares(first, (), (plate,)))

    # In q and the likelihood: DReG, with the parameters of the prior fixed.
    values = q.scaled(share)
    (log_prior,) = through([log_priors(values, values)], dict(zip(values, values, strict=True)))
    second = share * log_w(values, log_prior)
    # In the prior: each layer as a sample of its prior, with everything else fixed.
    values = [held(layer) for layer in q.layers]
    values = [law.opened(v) for law, v in zip(_priors(prior, values), values, strict=True)]
    others = likelihood(values) + log_priors(values, [held(v) for v in values])
    both = [others, log_w(values, log_priors(values, values))]
    others, whole = through(both, dict(zip(values, values, strict=True)))
    third = share * (others - share * whole)
    return q.path_alone(graft(iwae(first, plate), -plate_sum(second + third, plate)))


@checked("scg.reweighted_wake_sleep(lambda z: log_p(z), z, plate)", DeclarationError)
def reweighted_wake_sleep(
    log_joint: Callable[..., Any], z: Expr | Sequence[Expr], plate: Plate
) -> Expr:
    """Importance-weighted bound with the gradients of both wake phases, a cost.

    Its value is that of :func:`iwae`. Use it for discrete nodes. Its gradient is marked as biased.

    Parameters
    ----------
    log_joint : callable
        log p(x, z) as a function of z, or of each layer: a scalar for each particle.
    z : Expr or sequence of Expr
        The stochastic node, sampled from q on the particles; or all layers of q. It gets no credit.
    plate : Plate
        The particles.

    Notes
    -----
    With normalised weights ŵ_k the gradient is −Σ_k ŵ_k ∇ (log p(x, z_k) + log q(z_k | x)) at
    fixed samples; Bornschein and Bengio (2015). In the parameters of p it is the bound's gradient.
    In those of q it is the gradient of KL(p(z|x) ‖ q) up to a bias of order 1/K, not the bound's.
    """
    q = Approximation("reweighted_wake_sleep", z, plate)
    joint, log_q = q.density("log_joint", log_joint, q.stopped), q.log_prob(q.stopped)
    log_w = joint - log_q
    share = held(shares(log_w, (), (plate,)))
    slope = -plate_sum(share * (joint + log_q), plate)
    return self_normalised(graft(iwae(log_w, plate), slope))


@checked("scg.tvo(lambda z: log_p(z), z, plate, partition=(0, 0.1, 1))", DeclarationError)
def tvo(
    log_joint: Callable[..., Any],
    z: Expr | Sequence[Expr],
    plate: Plate,
    partition: Sequence[float],
    rule: str = "left",
) -> Expr:
    """Negative thermodynamic variational objective with its covariance gradient, a cost.

    log p(x) is the integral of E log w over β from 0 to 1, under p(x, z)^β q(z | x)^(1−β),
    normalised. The objective is a Riemann sum of it: a lower bound with the left ends of the
    intervals (:func:`elbo` for one interval), an upper one with the right. Its gradient needs no
    path: use it for discrete nodes. It is marked as biased.

    Parameters
    ----------
    log_joint : callable
        log p(x, z) as a function of z, or of each layer: a scalar for each particle.
    z : Expr or sequence of Expr
        The stochastic node, sampled from q on the particles; or all layers of q. It gets no credit.
    plate : Plate
        The particles, K ≥ 2: one has no covariance, so that its gradient in q's parameters is
        noise of mean zero.
    partition : sequence of float
        The ends of the intervals, from 0 to 1. Curvature lies near 0: a first interval of 0.01 to
        0.3 is usual.
    rule : {"left", "right", "trapezoid"}
        The points of the Riemann sum.

    Notes
    -----
    With K particles of weights w_k, ŵ_k ∝ w_k^β estimates the mean at β, and the gradient there is
    −Σ_k ŵ_k (∇log w_k + K/(K−1) (log w_k − Σ_j ŵ_j log w_j) ∇ (β log p(x, z_k) + (1−β) log q(z_k |
    x))) at fixed samples. Masrani, Le and Wood (2019). At β = 0 and K ≥ 2 it is unbiased;
    elsewhere the weights' normalisation makes value and gradient biased in the order 1/K.
    """
    q = Approximation("tvo", z, plate)
    beta, length = _points(partition, rule)
    densities = q.density("log_joint", log_joint, q.stopped), q.log_prob(q.stopped)
    log_p, log_q = (getitem(v, (None,)) for v in densities)
    log_w = log_p - log_q
    share = held(shares(log_w * beta, (), (plate,)))
    mean = plate_sum(absorb(share, log_w), plate)
    count = plate_size(mean.graph, plate)
    spread = held(count / maximum(count - 1.0, 1.0) * absorb(share, log_w - mean))
    tempered = beta * log_p + (1.0 - beta) * log_q
    slope = plate_sum(share * log_w + spread * tempered, plate)
    return self_normalised(-sum(length * graft(mean, slope)))


def _priors(prior: Callable[..., Any], values: Sequence[Expr]) -> list[Distribution]:
    """The prior of each layer, given the values of all."""
    found = prior(*values)
    laws = list(found) if isinstance(found, (list, tuple)) else [found]
    if len(laws) != len(values) or not all(isinstance(law, Distribution) for law in laws):
        wanted = "a distribution" if len(values) == 1 else f"a list of {len(values)} distributions"
        raise DeclarationError(f"scg.gdreg: prior must return {wanted}, got {said(found)}")
    return laws


def _points(partition: Sequence[float], rule: str) -> tuple[np.ndarray, np.ndarray]:
    """The points β of the Riemann sum, and their weights."""
    try:
        ends = np.asarray(partition, dtype=float)
    except (TypeError, ValueError):
        ends = np.zeros(0)
    whole = ends.ndim == 1 and len(ends) > 1 and tuple(ends[[0, -1]]) == (0, 1)
    if not (whole and np.all(np.diff(ends) > 0)):
        raise DeclarationError(
            f"scg.tvo: partition must rise from 0 to 1, such as (0, 0.1, 1), got {said(partition)}"
        )
    sides = {"left": (1.0, 0.0), "right": (0.0, 1.0), "trapezoid": (0.5, 0.5)}
    if rule not in sides:
        raise DeclarationError(
            f'scg.tvo: rule must be "left", "right" or "trapezoid", got {rule!r}'
        )
    left, right = sides[rule]
    length = left * np.append(np.diff(ends), 0.0) + right * np.append(0.0, np.diff(ends))
    return ends[length > 0], length[length > 0]
