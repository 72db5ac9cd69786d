"""Updates of few rows: tables such as embeddings, or parameters of each datum.

The gradient of ``table[k]`` is zero but in the rows k. A rule that leaves a parameter alone where
its gradient is zero, and treats each row by itself, need not touch the other rows. Both properties
are proved on the rule's expressions, so that they hold for a user's rule, too.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from scg.compiler.simplify import simplify
from scg.ir.expr import Expr
from scg.ir.walk import rewrite, topological
from scg.ops.base import broadcast
from scg.ops.elementwise import add, subtract
from scg.ops.gather import gather, scatter
from scg.ops.reductions import REDUCTIONS, expand, zeros
from scg.ops.shape import reshape

#: Least elements of a table that is updated by rows; below, whole updates are as fast.
LARGE = 1 << 17
#: Most indices of rows of one table.
FEW = 8


def touched(grad: Expr) -> list[Expr] | None:
    """Indices of all rows in which a gradient may differ from zero; None if they are not known."""
    found: dict[Expr, None] = {}
    stack = [grad]
    while stack:
        e = stack.pop()
        if e.op is scatter and not e.plates:
            found[e.args[1]] = None
        elif e.op in (add, subtract):
            stack += e.args
        else:  # the result is zero where one of these arguments is
            zero = [e.args[i] for i in e.op.linear if e.args[i].shape == e.shape]
            zero.sort(key=lambda arg: arg.op is not scatter)
            if not (zero and e.op.elementwise):
                return None
            stack.append(zero[0])
    return list(found) if len(found) <= FEW else None


def row_updates(
    grad: Expr, old: Mapping[Any, Expr], new: Mapping[Any, Expr]
) -> list[tuple[Expr, dict[Any, Expr]]] | None:
    """Indices of rows, and those rows of the arrays `new`; None where other rows change, too.

    `old` has the leaves that a rule moves - the parameter and its slots - and `new` what it makes
    of them, under the same keys.
    """
    indices = touched(grad) if grad.ndim and grad.size >= LARGE else None
    if not indices or any(leaf.shape != grad.shape for leaf in old.values()):
        return None
    found = []
    for k in indices:
        rows = _Rows(k, grad.shape)
        moved = {key: rows.of(expr) for key, expr in new.items()}
        still = rewrite(topological(moved.values()), {(g := rows.of(grad)): zeros(g)})
        rest = simplify([still[expr] for expr in moved.values()])
        kept = simplify([rows.of(old[key]) for key in moved])
        if any(one is not other for one, other in zip(rest, kept, strict=True)):
            return None
        found.append((k, moved))
    return found


class _Rows:
    """The rows k of expressions that have a row for each row of an array of some shape."""

    def __init__(self, k: Expr, shape: tuple[int, ...]):
        self.k, self.shape = k, shape
        self._known: dict[Expr, Expr] = {}
        self._chosen: set[Expr] = set()  # those of which the known expression has the rows k

    def of(self, expr: Expr) -> Expr:
        """The rows of an expression; itself, without an axis of rows, if it has none."""
        for one in topological((expr,), known=self._known):
            chosen = self._choose(one)
            self._known[one] = one if chosen is None else chosen
            self._chosen |= {one} if chosen is not None else set()
        found = self._known[expr]
        aligned = found is expr and expr.ndim == len(self.shape) and expr.shape[:1] == (1,)
        return reshape(expr, shape=expr.shape[1:]) if aligned else found

    def _choose(self, e: Expr) -> Expr | None:
        first = e.args[0] if e.args else e
        whole = len(self.shape)
        if e.op in REDUCTIONS and first in self._chosen and not e.attrs["over"]:
            # Σ over axes inside a row
            inside = first.ndim == whole and -whole not in e.attrs["axes"]
            return e.op.build(e.graph, (self._known[first],), e.attrs) if inside else None
        if e.ndim != whole or e.shape[0] != self.shape[0]:
            return None
        shape = (*self.k.shape, *e.shape[1:])
        if e.args and (e.op.elementwise or e.op is broadcast):
            # f(x, …)[k] -> f(x[k], …)
            args = tuple(self.of(arg) if arg.ndim == whole else arg for arg in e.args)
            now = args[0] if e.op is broadcast else e.op.build(e.graph, args, e.attrs)
            return expand(now, self.k.plates, shape)
        if e.op is reshape and first in self._chosen and first.shape[0] == e.shape[0]:
            return reshape(self._known[first], shape=shape)
        return gather(e, self.k, rank=whole, index_rank=self.k.ndim)


class Tables:
    """Arrays whose rows updates overwrite in place, each in a copy that no one else holds."""

    def __init__(self) -> None:
        self._own: dict[Hashable, np.ndarray] = {}
        self._before: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def begin(self) -> None:
        """Forget what the last update overwrote."""
        self._before = []

    def write(
        self, key: Hashable, array: np.ndarray, index: np.ndarray, rows: np.ndarray
    ) -> np.ndarray:
        """The array with some rows overwritten: itself, if it is what the last call returned."""
        if self._own.get(key) is not array:
            self._own[key] = array = array.astype(rows.dtype)
        self._before.append((array, index, array[index]))
        array[index] = rows
        return array

    def undo(self) -> None:
        """Bring back the rows that the last update overwrote."""
        for array, index, rows in reversed(self._before):
            array[index] = rows
        self._before = []

    def release(self) -> None:
        """Never overwrite again what was returned, because someone else holds it."""
        self._own = {}
