"""Checks: constraints on arguments of distributions, on observations and on plates in each call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from scg.compiler.objective import reduction
from scg.distributions.base import Distribution
from scg.distributions.constraints import ClassLogits, Constraint, Logits, Real
from scg.errors import CallError
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.op import DATA, PARAMETER, PLATE_SIZE
from scg.ir.plate import Plate
from scg.ir.walk import topological
from scg.ops.base import broadcast
from scg.ops.custom import continuous
from scg.ops.gradient import gate
from scg.ops.reductions import NEED_ELEMENTS
from scg.ops.shape import reshape
from scg.ops.within import bounds


class ValueCheck(NamedTuple):
    """A node whose values must lie in a set, at least where a mask is true."""

    what: str
    node: Expr
    constraint: Constraint
    mask: Expr | None = None

    def __call__(self, x: Any, there: Any = None, where: str = "") -> None:
        """Raise unless the values lie in the set."""
        x = np.asarray(x)
        if there is None:
            complaint = self.constraint.complaint(x)
        else:
            rows = x[np.broadcast_to(np.asarray(there, bool), x.shape[: np.ndim(there)])]
            complaint = self.constraint.complaint(rows)
        if complaint is not None:
            raise CallError(f"{self.what} {complaint}{where}")


def _of_parameters(what: str, dist: Distribution) -> Iterator[ValueCheck]:
    family = type(dist).__name__
    for name, value in dist.parameters.items():
        constraint = dist.constraint(name)
        if isinstance(value, Expr) and not isinstance(constraint, (Real, Logits)):
            yield ValueCheck(f"{what} ({family}): {name}", value, constraint)


class Checks(NamedTuple):
    """Checks of arguments of distributions, and of observations, for one graph."""

    every: list[ValueCheck]  #: All of them.
    given: list[ValueCheck]  #: Those of values that are parameters or data.
    computed: list[ValueCheck]  #: Those of values that few operations make from parameters alone.


def checks_of(graph: CoreGraph) -> Checks:
    """The checks of a graph as it is now."""
    every = list(_every(graph))
    given = [check for check in every if _is_given(check)]
    computed = [check for check in every if _is_computed(check)]
    return Checks(every, given, computed)


def _every(graph: CoreGraph) -> Iterator[ValueCheck]:
    for name, node in graph.stochastic.items():
        yield from _of_parameters(f"node {name!r}", node.declared)
    for name, (dist, value, mask) in graph.observations.items():
        yield from _of_parameters(f"observation {name!r}", dist)
        if dist.support.fixed:  # where it moves with the parameters, log p is −∞ outside
            yield ValueCheck(f"observation {name!r}: the value", value, dist.support, mask)


def _is_given(check: ValueCheck) -> bool:
    if check.node.op not in (PARAMETER, DATA) or isinstance(check.constraint, ClassLogits):
        return False  # a padded row of logits may be all −∞: a mask leaves its cost out
    mask = check.mask
    return mask is None or (mask.op in (PARAMETER, DATA) and mask.plates == check.node.plates)


def _is_computed(check: ValueCheck) -> bool:
    if not check.node.args or check.node.plates or check.mask is not None:
        return False
    low, high = bounds(check.node)
    if np.all(low >= check.constraint.low) and np.all(high <= check.constraint.high):
        return False  # an exponential is positive
    return all(map(_is_cheap, topological((check.node,))))


def _is_cheap(expr: Expr) -> bool:
    if not expr.args:
        return expr.value is not None or expr.op is PARAMETER
    return expr.op.elementwise or expr.op in (broadcast, reshape, continuous)


def checks_of_recorded(graph: CoreGraph, leaves: Mapping[str, Expr]) -> list[ValueCheck]:
    """Checks of recorded values, and of the log-probabilities with which they were sampled.

    The graph may be one that the compiler unrolled; the checks are those of the declared graph.
    """
    graph, found = graph if graph.apart else graph.declared, []
    for name, leaf in leaves.items():
        node = graph.stochastic.get(name)
        sampled = graph.stochastic.get(name.removesuffix("_log_prob")) if node is None else node
        computed = graph.deterministics.get(name)
        gates = sampled.args if sampled is not None else () if computed is None else (computed,)
        masks = {expr.args[1] for expr in gates if expr.op is gate}
        mask = next(iter(masks), None)
        if len(masks) > 1 or not (mask is None or (mask.op is DATA and mask.plates == leaf.plates)):
            continue
        if node is None:
            found.append(ValueCheck(f"recorded {name!r}", leaf, Real(), mask))
        elif node.declared.support.fixed:
            what = f"recorded values of node {name!r}"
            found.append(ValueCheck(what, leaf, node.declared.support, mask))
    return found


def check_given(checks: list[ValueCheck], values: Mapping[str, Any]) -> None:
    """Make checks of parameters and data, which are given by name."""
    for check in checks:
        x = values.get(check.node.attrs["name"])
        if x is not None:
            check(x, None if check.mask is None else values.get(check.mask.attrs["name"]))


def check_steps(graph: CoreGraph, sizes: Mapping[Plate, int]) -> None:
    """Raise if a scan has no steps."""
    for scan in graph.scans.values():
        if sizes.get(scan.plate) == 0:
            raise CallError(
                f"plate {scan.plate.name!r} has no elements, but scan {scan.name!r} needs at least "
                "one step. Leave the call out"
            )


# --- plates without elements --------------------------------------------------------------------
def check_empty(graph: CoreGraph, sizes: Mapping[Plate, int]) -> None:
    """Raise if the costs need a mean or a maximum over a plate without elements; a sum is zero."""
    for name, cost in graph.costs.items():
        for plate in cost.plates:
            if sizes[plate] == 0 and (plate.size or reduction(plate, cost) == "mean"):
                raise CallError(
                    f"plate {plate.name!r} has no elements, so that cost {name!r} has no mean over "
                    "it. Leave the call out, or sum the costs: "
                    f'scg.Plate({plate.name!r}, reduce="sum")'
                )
    for expr in topological(graph.costs.values()):
        mean = expr.op is PLATE_SIZE  # sizes are there to be divided by
        plates = (expr.attrs["plate"],) if mean else expr.attrs.get("over", ())
        for plate in plates if mean or expr.op in NEED_ELEMENTS else ():
            if sizes[plate] == 0:
                raise CallError(
                    f"plate {plate.name!r} has no elements, so that there is no "
                    f"{'mean' if mean else expr.op.name} over it. Leave the call out"
                )
