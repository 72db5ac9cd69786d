"""Borders in the body of a loop: what depends on some placeholders, and what can be had before."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any

from scg.ir.expr import Expr
from scg.ir.op import SIZED, intern, leaf
from scg.ir.plate import Plates
from scg.ir.walk import rewrite, topological
from scg.ops.base import broadcast
from scg.ops.gradient import mark
from scg.ops.shape import reshape, transpose

Exprs = tuple[Expr, ...]
PLACE = leaf("place")
_serial = itertools.count()
#: Ops that move no element, which a loop repeats rather than reads their results from memory.
_LIGHT = (broadcast, reshape, transpose)


def place(graph: Any, like: Expr, plates: Plates | None = None, number: Any = None) -> Expr:
    """A placeholder with the shape and the kind of an expression, and its plates or others.

    Without a `number` no other placeholder is equal to it.
    """
    key = ("new", next(_serial)) if number is None else number
    signature = (like.shape, like.plates if plates is None else plates, like.kind)
    return intern(graph, PLACE, (), {"place": key}, signature)


def outside(expr: Expr, places: Iterable[Expr], args: Iterable[Expr]) -> Expr:
    """An expression of a body for all steps at once: of the arguments."""
    return rewrite(topological((expr,)), dict(zip(places, args, strict=True)))[expr]


class Border:
    """The border between what depends on some placeholders, and what can be had before.

    What lies before it is cut out where it is largest, as far as `heavy` allows it: elsewhere
    light expressions are computed again of smaller ones. `places` maps each expression that is cut
    out to a new placeholder.
    """

    def __init__(
        self, roots: Sequence[Expr], late: Collection[Expr], heavy: Callable[[Expr], bool]
    ):
        self.roots = roots
        order = topological(roots)
        self.late = {*late}
        fixed = (e for e in order if e.value is not None or e.op in SIZED)
        known = {expr for expr in fixed if not expr.plates}
        for expr in order:
            if any(arg in self.late for arg in expr.args):
                self.late.add(expr)
            elif expr.op is mark or expr.op.loop is not None:
                continue
            elif expr.args and all(arg in known for arg in expr.args):
                known.add(expr)
        self.places: dict[Expr, Expr] = {}
        stack = [expr for expr in roots if expr not in self.late]
        stack += [a for e in order if e in self.late for a in e.args if a not in self.late]
        seen: set[Expr] = set()
        for expr in self._settled(stack[::-1], known, seen, heavy):
            self.places[expr] = place(expr.graph, expr)

    @staticmethod
    def _settled(
        stack: list[Expr], known: set[Expr], seen: set[Expr], heavy: Callable[[Expr], bool]
    ) -> Iterator[Expr]:
        while stack:
            expr = stack.pop()
            if expr in seen or expr in known:
                continue
            seen.add(expr)
            if not expr.args or (expr.op not in _LIGHT and heavy(expr)):
                yield expr
            else:
                stack += expr.args[::-1]

    def rewritten(self, kept: Iterable[Expr]) -> Exprs:
        """The roots, in which placeholders stand for what is cut out; `kept` stay as they are."""
        env = {**{expr: expr for expr in kept}, **self.places}
        order = topological(self.roots, known=env)
        rewrite(order, env)
        return tuple(env[root] for root in self.roots)


def weighty(order: Iterable[Expr], places: Collection[Expr]) -> set[Expr]:
    """Expressions with an op that is neither elementwise nor light, in them or below."""
    found: set[Expr] = set()
    for expr in order:
        light = expr.op.elementwise or expr.op in _LIGHT or not expr.args
        if expr not in places and (not light or any(arg in found for arg in expr.args)):
            found.add(expr)
    return found


def below(order: Iterable[Expr], places: Iterable[Expr]) -> set[Expr]:
    """Expressions that depend on some placeholders, these included."""
    found = {*places}
    for expr in order:
        if any(arg in found for arg in expr.args):
            found.add(expr)
    return found
