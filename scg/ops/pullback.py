"""Pull cotangents back: reverse mode from graph to graph, so that every order is available."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scg.errors import CompilerError, DeclarationError
from scg.ir.expr import Expr, StochasticNode, describe
from scg.ir.walk import together, topological
from scg.ops.base import is_constant
from scg.ops.reductions import fit


def pullback(cotangents: Mapping[Expr, Expr], wrt: Iterable[Expr]) -> dict[Expr, Expr]:
    """Cotangents of `wrt` from those of other expressions; zero where an entry is missing.

    Each has the plates and the shape of its expression.
    """
    order = topological(cotangents)
    active = set(wrt)
    for expr in order:
        if expr.kind == "float" and any(arg in active for arg in expr.args):
            active.add(expr)
    found: dict[Expr, Expr] = {}
    waiting = {expr: [g] for expr, g in cotangents.items() if expr in active}
    for results in reversed(together(order)):
        expr = results[0]
        expr.graph.origin = expr.origin
        reached = {}
        for result in results:
            if result in waiting:
                g, *parts = waiting.pop(result)
                for part in parts:
                    g = g + part
                reached[result] = found[result] = g
        if not reached:
            continue
        if isinstance(expr, StochasticNode) and any(arg in active for arg in expr.args):
            raise DeclarationError(
                f"scg.grad: a path leads through the sampling of {describe(expr)}, which has no "
                "derivative before an estimator is chosen. For the partial derivative write "
                f"scg.stop_gradient on it"
            )
        for arg, part in _pulled(expr, reached, active):
            cotangent = fit(part, arg.plates, arg.shape)
            if cotangent.plates != arg.plates or cotangent.shape != arg.shape:
                raise CompilerError(f"the VJP of {expr.op.name} returned {cotangent!r}")
            if not is_constant(cotangent, 0):  # times an infinite slope it would be NaN
                waiting.setdefault(arg, []).append(cotangent)
    return found


def _pulled(expr: Expr, reached: Mapping[Expr, Expr], active: set[Expr]):
    """Arguments with parts of their cotangents, before these are fitted."""
    if expr.op.loop is not None:
        wanted = [arg in active for arg in expr.args]
        parts = expr.op.loop.vjp(reached, wanted)
        yield from ((a, part) for a, part in zip(expr.args, parts, strict=True) if part is not None)
        return
    for i, arg in enumerate(expr.args):
        rule = expr.op.vjp(i) if arg in active else None
        if rule is not None:
            yield arg, rule(reached[expr], expr, *expr.args, **expr.attrs)
