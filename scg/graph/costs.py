"""Costs: what may be one, masks, and observations."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from scg.common.arguments import said
from scg.distributions.base import Distribution
from scg.errors import DeclarationError
from scg.ir.expr import Expr, StochasticNode, describe
from scg.ir.op import constant
from scg.ops.elementwise import cast, where
from scg.ops.gradient import mark, observed

#: Marks the value of an observation, which each call checks.
CHECKED = "checked"


class Observation(NamedTuple):
    """What was observed: its distribution, its value, and where it was observed."""

    dist: Distribution
    value: Expr
    mask: Expr | None


def check_distribution(name: str, dist: Any) -> None:
    """Raise unless the node `name` is given a distribution."""
    if not isinstance(dist, Distribution):
        raise DeclarationError(
            f"node {name!r}: expected a distribution such as scg.Bernoulli(logits=...), "
            f"got {said(dist)}"
        )


def cost_of(name: str, node: Expr, mask: Expr | None) -> Expr:
    """The node of a cost, zero where the mask is not true."""
    if node.shape != ():
        own = name.rpartition("/")[2]
        raise DeclarationError(
            f"cost {name!r} has event shape {node.shape}, expected a scalar per plate element. "
            f'Write np.sum(...) around it: g.cost("{own}", np.sum(...))'
        )
    if node.value is not None and not np.isfinite(node.value):
        raise DeclarationError(f"cost {name!r} is the number {node.value}, which is not finite")
    if mask is not None:
        node = _masked(name, node, mask)
    # A cost is deterministic: a stochastic node must be an ancestor of it to get credit.
    plain = node.kind == "float" and not isinstance(node, StochasticNode)
    return node if plain else cast(node)


def cost_of_observation(name: str, seen: Observation) -> Expr:
    """The node −log p(value), summed over the event, zero where the mask is not true."""
    dist, node, mask = seen
    if node.shape != dist.shape:
        raise DeclarationError(
            f"observation {name!r}: the value has event shape {node.shape}, but "
            f"{type(dist).__name__} has events of shape {dist.shape}"
        )
    if dist.kind == "int" and node.kind != "int":
        raise DeclarationError(
            f"observation {name!r}: {type(dist).__name__} has integer values, got {describe(node)} "
            f'of kind {node.kind}; declare data with kind="int"'
        )
    if node.value is not None and mask is None and dist.support.fixed:
        if complaint := dist.support.complaint(node.value):
            raise DeclarationError(f"observation {name!r}: the value {complaint}")
    own = [x for x in (node, *dist.parameters.values()) if isinstance(x, Expr)]
    if mask is not None and not set(mask.plates) <= {p for x in own for p in x.plates}:
        raise DeclarationError(
            f"observation {name!r}: the mask is {describe(mask)}, but masks {describe(node)}; "
            "it needs no other plates"
        )
    # each call checks the value against a fixed support: log_prob need not look for infinite data
    value = mark(node, label=CHECKED) if dist.support.fixed else node
    try:
        logp = dist.log_prob(value, mask=mask)
    except DeclarationError as error:
        raise DeclarationError(f"observation {name!r}: {error}") from error
    return observed(-logp if isinstance(logp, Expr) else constant(node.graph, -logp))


def _masked(name: str, value: Expr, mask: Expr) -> Expr:
    if mask.shape != value.shape or not set(mask.plates) <= set(value.plates):
        raise DeclarationError(
            f"cost {name!r}: the mask is {describe(mask)}, but masks {describe(value)}; "
            "it needs the same shape and no other plates"
        )
    return where(mask, value, 0.0)
