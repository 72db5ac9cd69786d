"""Checks: what parameters of distributions, observations and plates must hold in every call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from scg.compiler.objective import reduction
from scg.distributions.base import Distribution
from scg.distributions.constraints import Constraint, Logits, Real
from scg.distributions.independent import Independent
from scg.distributions.mixture import Mixture
from scg.errors import CallError
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.op import DATA, PARAMETER, PLATE_SIZE
from scg.ir.plate import Plate
from scg.ir.walk import topological
from scg.ops.reductions import NEED_ELEMENTS


class ValueCheck(NamedTuple):
    """A node whose values must lie in a set, at least where the mask is true."""

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


def _constraint(law: Distribution, name: str) -> Constraint:
    """Return the constraint of a parameter, which may be one of a component's."""
    while isinstance(law, (Independent, Mixture)):
        if isinstance(law, Independent):
            law = law.base
        elif "/" in name:
            k, _, name = name.partition("/")
            law = law.components[int(k)]
        else:
            law = law.choice
    return law.constraints[name]


def _of_law(what: str, law: Distribution) -> Iterator[ValueCheck]:
    family = type(law).__name__
    for name, value in law.parameters.items():
        constraint = _constraint(law, name)
        if isinstance(value, Expr) and not isinstance(constraint, (Real, Logits)):
            yield ValueCheck(f"{what} ({family}): {name}", value, constraint)


def checks(graph: CoreGraph) -> list[ValueCheck]:
    """Return what must hold in every call: parameters of laws, and support of observations."""
    found: list[ValueCheck] = []
    for name, node in graph.stochastic.items():
        found += _of_law(f"node {name!r}", node.declared)
    for name, (law, value, mask) in graph.observations.items():
        found += _of_law(f"observation {name!r}", law)
        support = law.support
        if support.fixed:  # where it moves with the parameters log p says −∞
            found.append(ValueCheck(f"observation {name!r}: the value", value, support, mask))
    return found


def _same_place(mask: Expr, node: Expr) -> bool:
    return mask.op in (PARAMETER, DATA) and mask.plates == node.plates


# --- what depends on the sizes of plates ----------------------------------------------------------
def check_empty(graph: CoreGraph, sizes: Mapping[Plate, int]) -> None:
    """Raise where the costs need a mean or a maximum over a plate that has no elements.

    A sum over it is zero.
    """
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


_direct: WeakKeyDictionary[CoreGraph, tuple[int, list[ValueCheck]]] = WeakKeyDictionary()


def checks_of_given(graph: CoreGraph) -> list[ValueCheck]:
    """Return what must hold of laws' parameters and observations that are parameters or data."""
    known = _direct.get(graph)
    if known is None or known[0] != len(graph.roles):
        given = (PARAMETER, DATA)
        own = [
            check
            for check in checks(graph)
            if check.node.op in given
            and (check.mask is None or _same_place(check.mask, check.node))
        ]
        known = _direct[graph] = len(graph.roles), own
    return known[1]


def check_given(checks: list[ValueCheck], values: Mapping[str, Any]) -> None:
    """Check values by name."""
    for check in checks:
        x = values.get(check.node.attrs["name"])
        if x is not None:
            check(x, None if check.mask is None else values.get(check.mask.attrs["name"]))
