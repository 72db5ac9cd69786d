"""Attribute: which node's noise, and which term, a gradient's variance comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from scg.common.arguments import checked
from scg.engine.interpreter import Sizes
from scg.errors import CallError, EnumerationError
from scg.run.step import Step
from scg.seeds.noise import check_seed, extended
from scg.verify.attribution import Attribution
from scg.verify.by_step import by_step
from scg.verify.joint import Parts, attributed
from scg.verify.walk import LIMIT


@checked("scg.attribute(step, params)")
def attribute(
    step: Step,
    params: Mapping[str, Any],
    data: Mapping[str, Any] | None = None,
    state: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    seed: int | tuple[int, ...] = 0,
    runs: int = 10_000,
    limit: int = LIMIT,
) -> Attribution:
    """Attribute the variance of a step's gradient to nodes and terms.

    Use it to see where variance comes from before you change an estimator; :func:`scg.advise`
    tries estimators, and :meth:`Step.explain` says what each term is.

    Parameters
    ----------
    step : Step
        A compiled step.
    params, data, state : mapping
        As for a call of the step.
    seed, runs
        Where it samples: the seed, and the number of runs, at least two. There is one more run
        for each node but the last.
    limit : int
        The largest number of joint outcomes, or of points, to compute exactly; beyond it, and
        where moments cannot be computed, it samples.

    Returns
    -------
    Attribution

    Notes
    -----
    Let g be the gradient estimate of one run, and M_n its mean given the noise of the nodes up to
    n in the graph's order. Node n causes the variance E‖M_n‖² − E‖M_{n−1}‖² (law of total
    variance). A term g_s of g = Σ_s g_s causes Cov(g_s, g), which is split over the nodes in the
    same way: all shares add up to the variance, and those of control variates may be negative.
    Sampled shares use pairs of runs that share the noise of the nodes up to n (Sobol 1993), which
    is unbiased and needs no nested loop.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("chain")
    >>> a = g.sample("a", scg.Bernoulli(logits=g.parameter("theta", 0.0)))
    >>> b = g.sample("b", scg.Bernoulli(probs=0.25 + 0.5 * a))
    >>> g.cost("loss", (b - 0.2) ** 2)
    >>> found = scg.attribute(scg.compile(g, scg.ScoreFunction()), g.init(seed=0))
    >>> print(found)
                            a        b  all nodes
    loss · ∇log p(a)  0.0289  0.01688    0.04578
    all terms         0.0289  0.01688    0.04578
    variance of the gradient that the noise of each node adds; exact
    >>> round(found.heat["b"], 2)
    0.37
    """
    check_seed(seed)
    if step.plan.truncation is not None:
        raise CallError(
            f"attribute: the noise of truncate={step.plan.truncation!r} belongs to no node; "
            "compile the step without truncate"
        )
    values, sizes, _ = step.checked(params, data, state)
    step = by_step(step.unrolled(sizes))
    try:
        return attributed(step, values, sizes, limit)
    except EnumerationError as error:
        if runs < 2:
            raise CallError(f"attribute: sampling needs at least two runs, got {runs}") from None
        return _sampled(step, values, sizes, seed, runs, re.split(r"[:.] ", str(error))[0])


def _sampled(
    step: Step, values: Mapping[str, Any], sizes: Sizes, seed: Any, runs: int, reason: str
) -> Attribution:
    """Shares from pairs of runs that share the noise of the nodes up to n."""
    parts = Parts(step)
    products, first, others = [], 0.0, 0.0
    centre: np.ndarray | None = None
    for pairs in _pairs(step, parts, values, sizes, seed, runs):
        centre = pairs[0].mean(axis=0) if centre is None else centre
        here, *there = (each - centre for each in pairs)
        there = np.stack([*there, here])  # (nodes, runs, parts, components)
        whole, other = here.sum(axis=1), there.sum(axis=2)
        both = np.einsum("rsp,nrp->rns", here, other) + np.einsum("nrsp,rp->rns", there, whole)
        products.append(both / 2.0)
        first, others = first + here.sum(axis=0), others + there.sum(axis=1)
    joint = np.concatenate(products)
    shift = np.asarray(first) / runs, np.asarray(others) / runs
    means = (
        np.einsum("sp,np->ns", shift[0], shift[1].sum(axis=1))
        + np.einsum("nsp,p->ns", shift[1], shift[0].sum(axis=0))
    ) / 2.0
    joint = (joint - means) * (runs / (runs - 1.0))
    joint = np.diff(np.pad(joint, ((0, 0), (1, 0), (0, 0))), axis=1)
    sums = np.pad(joint, ((0, 0), (0, 1), (0, 1)))
    sums[:, -1, :-1], sums[:, :, -1] = (
        joint.sum(axis=1),
        np.pad(joint.sum(axis=2), ((0, 0), (0, 1))),
    )
    sums[:, -1, -1] = joint.sum(axis=(1, 2))
    stderr = sums.std(axis=0, ddof=1) / np.sqrt(runs)
    return Attribution(
        parts.nodes, parts.parts, joint.mean(axis=0), stderr, step.plan, runs, reason
    )


def _pairs(
    step: Step, parts: Parts, values: Mapping[str, Any], sizes: Sizes, seed: Any, runs: int
) -> Iterator[list[np.ndarray]]:
    """Parts in blocks of runs: on one noise, then with other noise after each node but the last."""
    program = parts.runner.program
    seeds = [extended(seed, k) for k in (0, 1)]
    length = max(1, program.block_length(sizes) // (1 + len(parts.nodes)))
    for start in range(0, runs, length):
        block = range(start, min(start + length, runs))
        same, new = (step.program.draw_noise(each, block, sizes) for each in seeds)
        found = []
        for kept in [len(parts.nodes), *range(len(parts.nodes) - 1)]:
            noise = {
                name: (same if parts.rank(name) <= kept else new)[name] for name in program.noise
            }
            out = parts.stacked(program.run(values, noise, sizes))
            found.append(np.broadcast_to(out, (len(block), *out.shape[1:])))
        yield found
