"""Guard: check what only a call can know - parameters of laws, observations, finite results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from scg.compiler.objective import reduction
from scg.distributions.base import Distribution
from scg.distributions.constraints import Constraint, Logits, Real
from scg.distributions.independent import Independent
from scg.distributions.mixture import Mixture
from scg.engine.program import Program
from scg.errors import CallError
from scg.graph.core import Graph
from scg.ir.expr import Expr, Plate, describe, ordered, topological
from scg.ops.base import DATA, PARAMETER, PLATE_SIZE
from scg.ops.reductions import NEED_ELEMENTS, expand

if TYPE_CHECKING:
    from scg.run.step import Step


class Check(NamedTuple):
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


def _of_law(what: str, law: Distribution) -> Iterator[Check]:
    family = type(law).__name__
    for name, value in law.parameters.items():
        constraint = _constraint(law, name)
        if isinstance(value, Expr) and not isinstance(constraint, (Real, Logits)):
            yield Check(f"{what} ({family}): {name}", value, constraint)


def checks(graph: Graph) -> list[Check]:
    """Return what must hold in every call: parameters of laws, and support of observations."""
    found: list[Check] = []
    for name, node in graph.stochastic.items():
        found += _of_law(f"node {name!r}", node.dist)
    for name, (law, value, mask) in graph.observations.items():
        found += _of_law(f"observation {name!r}", law)
        support = law.support
        if support.fixed:  # where it moves with the parameters log p says −∞
            found.append(Check(f"observation {name!r}: the value", value, support, mask))
    return found


def _same_place(mask: Expr, node: Expr) -> bool:
    return mask.op in (PARAMETER, DATA) and mask.plates == node.plates


# --- what depends on the sizes of plates ----------------------------------------------------------
def check_empty(graph: Graph, sizes: Mapping[Plate, int]) -> None:
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


_direct: WeakKeyDictionary[Graph, tuple[int, list[Check]]] = WeakKeyDictionary()


def checks_of_given(graph: Graph) -> list[Check]:
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


def check_given(checks: list[Check], values: Mapping[str, Any]) -> None:
    """Check values by name."""
    for check in checks:
        x = values.get(check.node.attrs["name"])
        if x is not None:
            check(x, None if check.mask is None else values.get(check.mask.attrs["name"]))


# --- what depends on draws ------------------------------------------------------------------------
class Guard:
    """Checks every call of a step; the error names the node.

    Parameters
    ----------
    step : Step
        The step.
    """

    def __init__(self, step: Step):
        self.step = step
        self.env = step.surrogate.env
        self.checks = [c for c in checks(step.graph) if c.node in self.env]
        outputs: dict[Any, Expr] = {}
        for i, check in enumerate(self.checks):
            outputs["value", i] = self.env[check.node]
            if check.mask is not None:
                mask = self.env.get(check.mask, check.mask)
                plates = ordered((*outputs["value", i].plates, *mask.plates))
                outputs["value", i] = expand(outputs["value", i], plates, check.node.shape)
                outputs["mask", i] = expand(mask, plates, mask.shape)
        self.program = Program(outputs, step.program.dtype)

    def before(self, values: Mapping[str, Any], noise: Mapping[str, Any], sizes: Any) -> None:
        """Check the laws' parameters and the observations, for some runs."""
        if not self.checks:
            return
        used = {name: noise[name] for name in self.program.noise}
        out = self.program.run(values, used, sizes)
        for i, check in enumerate(self.checks):
            there = out.get(("mask", i))
            try:
                check(out["value", i], there)
            except CallError:  # which run?
                for run, x in enumerate(out["value", i]):
                    check(x, None if there is None else there[run], f" in run {run}")

    def after(
        self,
        out: Mapping[Any, Any],
        values: Mapping[str, Any],
        noise: Mapping[str, Any],
        sizes: Any,
    ) -> None:
        """Raise where a cost or a gradient of a run is not finite, naming the node that made it."""
        for key, value in out.items():
            if key[0] in ("costs", "grads"):
                bad = ~np.isfinite(value).reshape(len(value), -1).all(axis=1)
                if bad.any():
                    self._blame(key, int(np.argmax(bad)), values, noise, sizes)

    def _blame(
        self, key: Any, run: int, values: Mapping[str, Any], noise: Mapping[str, Any], sizes: Any
    ) -> None:
        kind, name = key
        if kind == "costs":
            declared = {value: node for node, value in self.env.items()}
            root, what = self.env[self.step.graph.costs[name]], f"cost {name!r}"
        else:
            declared = {}
            root, what = self.step.program.outputs[key], f"the gradient of {name!r}"
        order = topological((root,))
        program = Program(dict(enumerate(order)), self.step.program.dtype)
        single = {leaf: noise[leaf][run : run + 1] for leaf in program.noise}
        out = program.run(values, single, sizes)
        found = {expr: out[i][0] for i, expr in enumerate(order)}
        expr = root
        while bad := [arg for arg in expr.args if not np.all(np.isfinite(found[arg]))]:
            expr = bad[0]
        node = declared.get(expr, expr)
        inputs = ", ".join(_shown(found[arg]) for arg in expr.args)
        made = f" = {node.op.name}({inputs})" if expr.args else ""
        raise CallError(
            f"{what} is not finite in run {run}; the first node that is not is "
            f"{describe(node)}{made} = {_shown(found[expr])}"
        )


def _shown(value: Any) -> str:
    value = np.asarray(value)
    if value.size == 1:
        return np.array2string(value.reshape(()), precision=6)
    bad = ~np.isfinite(value)
    if not bad.any():
        return "..."
    where_ = tuple(int(i) for i in np.argwhere(bad)[0])
    return f"{value[where_]} at index {', '.join(map(str, where_))}"
