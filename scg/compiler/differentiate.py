"""Differentiate: reverse mode from graph to graph, so that every order is available."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import Any

from scg.common.arguments import checked
from scg.errors import DeclarationError
from scg.graph.carry import backwards
from scg.ir.expr import Expr, StochasticNode, describe
from scg.ir.op import constant
from scg.ir.operation import Operation
from scg.ir.walk import rebuilt, refilled, topological
from scg.ops.gradient import IDENTITIES, box, stop
from scg.ops.pullback import pullback
from scg.ops.reductions import expand, zeros


def gradients(y: Expr, wrt: Sequence[Expr]) -> list[Expr]:
    """The derivatives of `y`, a scalar summed over its plates, in each of `wrt`.

    Each derivative has the plates and the shape of its expression; it is zero where `y` does not
    depend on the expression.
    """
    seed = expand(constant(y.graph, 1.0), y.plates, y.shape)
    found = pullback({y: seed}, wrt)
    return [found[x] if x in found else zeros(x) for x in wrt]


def through(y: Expr, x: Expr) -> Expr:
    """`y` as a function of `x` alone: all else that it depends on is stopped.

    Derivatives in `x` also pass the stops that stand between `x` and `y`.
    """
    env: dict[Expr, Expr] = {x: x}
    for expr in topological((y,)):
        if expr not in env and any(arg in env for arg in expr.args):
            args = tuple(env[arg] if arg in env else stop(arg) for arg in expr.args)
            if expr.op in IDENTITIES:
                env[expr] = expand(args[0], expr.plates, expr.shape)
            else:
                whole = refilled(expr, lambda roots: _opened(roots, IDENTITIES))
                env[expr] = whole.op.build(expr.graph, args, whole.attrs)
    return env[y] if y in env else stop(y)


def erase(
    roots: Iterable[Expr], ops: Container[Operation] = (*IDENTITIES, box)
) -> dict[Expr, Expr]:
    """Each expression below `roots` without stops, marks and boxes, to differentiate once more."""
    env: dict[Expr, Expr] = {}
    for expr in topological(roots):
        if expr.op not in ops:
            expr.graph.origin = expr.origin
            env[expr] = refilled(rebuilt(expr, env), lambda inside: _opened(inside, ops))
        else:
            now = constant(expr.graph, 1.0) if expr.op is box else env[expr.args[0]]
            env[expr] = expand(now, expr.plates, expr.shape)
    return env


def _opened(roots: Sequence[Expr], ops: Container[Operation]) -> list[Expr]:
    env = erase(roots, ops)
    return [env[root] for root in roots]


@checked("scg.grad(y, [x])", DeclarationError)
def grad(y: Expr, x: Expr | Sequence[Expr]) -> Expr | list[Expr]:
    """Derivative of a declared node in other nodes, as nodes of the model.

    Use it inside a model, for instance for a gradient penalty. The gradients of the costs in the
    parameters are what a step returns; see :func:`scg.compile`.

    Parameters
    ----------
    y : Expr
        A scalar per plate element; its sum over plates is differentiated.
    x : Expr or list of Expr
        A node, or a list of nodes.

    Returns
    -------
    Expr or list of Expr
        The derivative in the node, or a list of them.

    Raises
    ------
    DeclarationError
        If a path from `y` to `x` leads through a stochastic node's sampling, or to earlier steps
        through the carry of a scan.
    """
    nodes = list(x) if isinstance(x, Sequence) else [x]
    for node in (y, *nodes):
        if not isinstance(node, Expr):
            raise DeclarationError(f"scg.grad: expected nodes, got {node!r}")
        if node.graph is not y.graph:
            raise DeclarationError(
                f"scg.grad: {describe(node)} belongs to graph {node.graph.name!r}, "
                f"{describe(y)} to graph {y.graph.name!r}; declare the model in one graph"
            )
    if y.shape != ():
        raise DeclarationError(
            f"scg.grad: {describe(y)} must be a scalar per plate element; write np.sum(...)"
        )
    _check_steps(y, nodes)
    result = gradients(y, nodes)
    return result[0] if isinstance(x, Expr) else result


def _check_steps(y: Expr, nodes: Sequence[Expr]) -> None:
    """Raise where a path from `y` leads to one of some nodes through the carry of a scan."""
    graph: Any = y.graph
    before = {x: new for scan in graph.scans.values() for x, new in scan.before.items()}
    order = backwards(graph, [y]) if before else []
    active, more = set(nodes), True
    while more:
        known = len(active)
        for expr in order:  # arguments come before their users
            if expr not in active and any(arg in active for arg in _open(expr)):
                active.add(expr)
        active |= {x for x, new in before.items() if new in active}
        more = len(active) > known
    stack, seen = [y], set(nodes)
    while stack:
        expr = stack.pop()
        if expr in before and expr in active and expr not in seen:
            refuse: Any = expr.op.vjp(0)
            refuse(expr, expr, *expr.args, **expr.attrs)
        if expr not in seen:
            seen.add(expr)
            stack += _open(expr)


def _open(expr: Expr) -> list[Expr]:
    """Arguments to which derivatives lead, which those through samples are meant to do, too."""
    rules = (isinstance(expr, StochasticNode) or expr.op.vjp(i) for i in range(len(expr.args)))
    return [arg for arg, rule in zip(expr.args, rules, strict=True) if rule]
