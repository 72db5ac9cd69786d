"""Checks of parameters of distributions that are computed of the graph's parameters alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from scg.engine.interpreter import Interpreter
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.op import PARAMETER
from scg.ir.walk import topological
from scg.ops.within import bounds
from scg.run.checks import ValueCheck, checks


class Computed:
    """Checks such as that of Normal(0, s − 3): few operations on numbers that a call brings.

    What data or samples decide, and what takes more than elementwise operations, is checked where
    a cost is NaN, or with ``check_finite``; an exponential or a softplus is known to be positive.

    Parameters
    ----------
    graph : Graph
        The declared graph.
    dtype : numpy dtype
        Type of all floats.
    """

    def __init__(self, graph: CoreGraph, dtype: Any):
        self.checks = _unknown(graph)
        nodes = dict(enumerate(check.node for check in self.checks))
        self.engine = Interpreter(nodes, dtype)

    def __call__(self, values: Mapping[str, np.ndarray]) -> None:
        """Check parameters by name, if all are there."""
        leaves = {leaf: values.get(leaf.attrs["name"]) for leaf in self.engine.leaves}
        if not self.checks or any(x is None for x in leaves.values()):
            return
        found = self.engine.run(leaves, {})
        for i, check in enumerate(self.checks):
            check(found[i])


_found: WeakKeyDictionary[CoreGraph, tuple[int, list[ValueCheck]]] = WeakKeyDictionary()


def _unknown(graph: CoreGraph) -> list[ValueCheck]:
    known = _found.get(graph)
    if known is None or known[0] != len(graph.roles):
        own = [check for check in checks(graph) if _is_unknown(check)]
        known = _found[graph] = len(graph.roles), own
    return known[1]


def _is_unknown(check: ValueCheck) -> bool:
    if not check.node.args or check.node.plates or check.mask is not None:
        return False
    low, high = bounds(check.node)
    if np.all(low >= check.constraint.low) and np.all(high <= check.constraint.high):
        return False
    return all(map(_is_cheap, topological((check.node,))))


def _is_cheap(expr: Expr) -> bool:
    moved = expr.op.elementwise or expr.op.name in ("reshape", "expand", "continuous")
    return moved if expr.args else expr.value is not None or expr.op is PARAMETER
