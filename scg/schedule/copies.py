"""Copies of views, for ops that read contiguous arrays."""

from __future__ import annotations

from scg.ir.expr import Expr
from scg.ops.base import elementwise
from scg.schedule.views import View, is_whole, view_of, whole

#: The identity as an elementwise op: it makes a contiguous array of a view.
copy = elementwise("copy", lambda x: x, lambda g, y, x: g, kind="same", kernel="{0}")


def note(root: Expr, views: dict[Expr, View]) -> None:
    """Note the views of all expressions below `root` that have none yet."""
    stack = [root]
    while stack:
        expr = stack[-1]
        if expr in views:
            stack.pop()
        elif waiting := [arg for arg in expr.args if arg not in views]:
            stack += waiting
        else:
            view = view_of(expr, views)
            views[expr] = whole(expr) if view is None else view


def copied(expr: Expr, views: dict[Expr, View]) -> Expr:
    """The expression, or a copy if it has no contiguous array of its own."""
    note(expr, views)
    return expr if is_whole(views[expr], expr) else copy(expr)
