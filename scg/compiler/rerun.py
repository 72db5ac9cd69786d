"""Rerun: the graph below a node once more, with other values and the same noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from scg.compiler.first_run import FirstRun
from scg.compiler.recur import NeedsSteps
from scg.distributions.base import Distribution
from scg.errors import CompilerError
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import constant
from scg.ir.plate import Plate
from scg.ir.walk import rewrite
from scg.ops.gradient import stop
from scg.ops.reductions import expand

#: What may happen to the stochastic nodes below the replaced one.
BELOW = ("mean", "mode", "same", "kept", "expected", "relax")


@dataclass
class Rerun:
    """A second run of the graph."""

    env: dict[Expr, Expr]  #: What each declared expression is in this run.
    weights: dict[Plate, Expr]  #: The weights of sample plates.
    #: With below="kept": the log-probability of each kept sample given its new parents.
    logp: dict[StochasticNode, Expr] = field(default_factory=dict)


def rerun(
    first: FirstRun,
    env: dict[Expr, Expr],
    below: str,
    change: Callable[[Expr, dict[Expr, Expr]], Expr | None] | None = None,
    temperature: Expr | float = 1.0,
) -> Rerun:
    """Run the graph again with the replaced expressions in `env`, which is extended in place.

    Parameters
    ----------
    below : {"mean", "mode", "same", "kept", "expected", "relax"}
        The stochastic nodes below are at their mean or mode, sampled by their own estimators from
        the same noise, kept as they were, put on plates of all their values, or relaxed on the
        same noise at a `temperature`.
    change : callable, optional
        Returns what takes the place of an expression, or None.
    """
    if below not in BELOW:
        known = ", ".join(f'"{word}"' for word in BELOW)
        raise CompilerError(f"downstream.at(...): below must be one of {known}, got {below!r}")
    if first.graph.scans:
        raise NeedsSteps
    run = Rerun(env, dict(first.weights))
    for expr in first.influence.order:
        if expr in env:
            continue
        new = change(expr, env) if change is not None else None
        if new is not None:
            env[expr] = new
        elif not any(env[arg] is not first.env[arg] for arg in expr.args):
            env[expr] = first.env[expr]
        elif isinstance(expr, StochasticNode):
            env[expr] = (
                relaxed(first, expr, env, temperature)
                if below == "relax"
                else _redrawn(first, expr, run, below)
            )
        else:
            rewrite((expr,), env)
    return run


def _redrawn(first: FirstRun, node: StochasticNode, run: Rerun, below: str) -> Expr:
    if below in ("mean", "mode"):
        return central(first, node, run.env, below)
    if below == "same":
        draw = first.draw_of(node, run.env)
        if draw.plate is not None and draw.weight is not None:
            run.weights[draw.plate] = draw.weight
        return draw.value
    if below == "expected":
        value, plate, weight = enumerated(first, node, run.env)
        run.weights[plate] = weight
        return value
    value = first.env[node]
    run.logp[node] = conditional(node, run.env).log_prob(value)
    return value


def conditional(node: StochasticNode, env: dict[Expr, Expr]) -> Distribution:
    """The distribution of a node given what `env` holds for its parents."""
    return node.given(tuple(env[arg] for arg in node.args))


def central(first: FirstRun, node: StochasticNode, env: dict[Expr, Expr], how: str) -> Expr:
    """The mean or the mode of a node given what `env` holds for its parents, on all its plates.

    A node without a mean keeps its sample: only costs that give no credit depend on it.
    """
    family = node.attrs["family"]
    if how == "mean" and not (family.supports("mean") and family.extends_to_mean):
        return stop(first.env[node])
    dist = conditional(node, env)
    value = dist.mean() if how == "mean" else dist.mode()
    return expand(value, (*value.plates, *node.plates), node.shape)


def relaxed(
    first: FirstRun, node: StochasticNode, env: dict[Expr, Expr], temperature: Expr | float
) -> Expr:
    """A node as a smooth function of its parents, on the noise of its sample in the first run.

    The perturbation is that of the first run, even where it was computed from the sample, because
    its distribution depends on no parent.
    """
    dist, noise = conditional(node, env), first.noises[node]
    draw = first.draws[node]
    if draw.plate is not None and draw.weight is None:
        noise = noise.on(draw.plate)
    if node.attrs["family"].supports("relax"):
        before = first.dists[node]
        shift = stop(before.perturbation(stop(before.sample(noise)), noise))
        value = dist.relax(dist.location() + shift, temperature)
    else:
        value = dist.sample(noise)
    return expand(value, (*value.plates, *node.plates), node.shape)


def enumerated(
    first: FirstRun, node: StochasticNode, env: dict[Expr, Expr]
) -> tuple[Expr, Plate, Expr]:
    """All values of a node on a plate of its own, the plate, and their probabilities."""
    plate = first.value_plate(node)
    value = constant(first.graph, node.declared.enumerate_support(), (plate,))
    value = expand(value, (*value.plates, *node.plates), node.shape)
    return value, plate, conditional(node, env).prob(value)


def expectation(first: FirstRun) -> Rerun:
    """Run the graph with each stochastic node on a plate of all its values."""
    if first.graph.scans:
        raise NeedsSteps
    run = Rerun({}, dict(first.weights))
    for expr in first.influence.order:
        if isinstance(expr, StochasticNode):
            run.env[expr], plate, run.weights[plate] = enumerated(first, expr, run.env)
        else:
            rewrite((expr,), run.env)
    return run
