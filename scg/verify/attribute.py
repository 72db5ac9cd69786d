"""Attribute: which node's noise, and which term, a gradient's variance comes from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from scg.common.arguments import checked
from scg.engine.blocks import RunMoments, merged, moments
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
        for each node but the last, so that the time grows with the square of the number of nodes.
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
    parts, unbiased = Parts(step), runs / (runs - 1.0)
    found = merged(_moments(step, parts, values, sizes, seed, runs))
    here, *there = (found["mean", n] for n in (None, *parts.nodes))
    means = np.diff([_products(here[None], each[None])[0] for each in there], axis=0, prepend=0.0)
    joint = np.array([found["share", n] for n in parts.nodes])
    spread = np.array([found.get(("spread", ("share", n)), 0.0) for n in (*parts.nodes, None)])
    return Attribution(
        parts.nodes,
        parts.parts,
        unbiased * (joint[:, :-1] - means),
        unbiased * np.sqrt(spread / (runs - 1.0) / runs),
        step.plan,
        runs,
        reason,
    )


def _moments(
    step: Step, parts: Parts, values: Mapping[str, Any], sizes: Sizes, seed: Any, runs: int
) -> Iterator[tuple[range, RunMoments]]:
    """Moments over blocks of runs: of the share of each node, and of parts on its noise.

    The node None stands for all of them.
    """
    program, last = parts.runner.program, len(parts.nodes) - 1
    ranks = {name: parts.rank(name) for name in program.noise}
    seeds = [extended(seed, k) for k in (0, 1)]
    centre = np.zeros(())
    for block in program.blocks(runs, sizes):
        same, new = (step.program.draw_noise(each, block, sizes) for each in seeds)
        out = parts.stacked(program.run(values, same, sizes))
        centre = centre if block.start else out.mean(axis=0)
        here = np.broadcast_to(out, (len(block), *out.shape[1:])) - centre
        found = moments({("mean", None): here})
        before = np.zeros(here.shape[:2])
        for n, name in enumerate(parts.nodes):  # the noise of nodes up to this one is the same
            noise = {leaf: (same if rank <= n else new)[leaf] for leaf, rank in ranks.items()}
            there = here if n == last else parts.stacked(program.run(values, noise, sizes)) - centre
            joint = _products(here, there)
            found |= moments({("mean", name): there, ("share", name): _with_sum(joint - before)})
            before = joint
        yield block, found | moments({("share", None): _with_sum(before)})


def _products(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Σ_p g_s g over components p, with g_s a part in one run and g all parts in the other one."""
    both = np.einsum("rsp,rp->rs", here, there.sum(axis=1))
    return (both + np.einsum("rsp,rp->rs", there, here.sum(axis=1))) / 2.0


def _with_sum(shares: np.ndarray) -> np.ndarray:
    """The shares of parts, and their sum."""
    return np.concatenate([shares, shares.sum(axis=1, keepdims=True)], axis=1)
