"""Differentiate: reverse mode from graph to graph, so that every order is available."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scg.arguments import checked
from scg.errors import CompilerError, DeclarationError
from scg.ir.expr import Expr, StochasticNode, describe
from scg.ir.op import constant
from scg.ir.walk import rewrite, topological
from scg.ops.base import is_constant
from scg.ops.gradient import IDENTITIES, box, stop
from scg.ops.reductions import expand, fit, zeros


def gradients(y: Expr, wrt: Sequence[Expr]) -> list[Expr]:
    """The derivatives of `y`, a scalar summed over its plates, in each of `wrt`.

    Each derivative has the plates and the shape of its expression; it is zero where `y` does not
    depend on the expression.
    """
    order = topological((y,))
    active = set(wrt)
    for expr in order:
        if expr.kind == "float" and any(arg in active for arg in expr.args):
            active.add(expr)
    found: dict[Expr, Expr] = {}
    waiting: dict[Expr, list[Expr]] = {}
    if y in active:
        waiting[y] = [expand(constant(y.graph, 1.0), y.plates, y.shape)]
    for expr in reversed(order):
        parts = waiting.pop(expr, None)
        if parts is None:
            continue
        expr.graph.origin = expr.origin
        g = parts[0]
        for part in parts[1:]:
            g = g + part
        found[expr] = g
        if isinstance(expr, StochasticNode) and any(arg in active for arg in expr.args):
            raise DeclarationError(
                f"scg.grad: a path leads through the sampling of {describe(expr)}, which has no "
                "derivative before an estimator is chosen. For the partial derivative write "
                f"scg.stop_gradient on it"
            )
        for i, arg in enumerate(expr.args):
            rule = expr.op.vjp(i) if arg in active else None
            if rule is not None:
                cotangent = fit(rule(g, expr, *expr.args, **expr.attrs), arg.plates, arg.shape)
                if cotangent.plates != arg.plates or cotangent.shape != arg.shape:
                    raise CompilerError(f"the VJP of {expr.op.name} returned {cotangent!r}")
                if not is_constant(cotangent, 0):  # times an infinite slope it would be NaN
                    waiting.setdefault(arg, []).append(cotangent)
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
                env[expr] = expr.op.build(expr.graph, args, expr.attrs)
    return env[y] if y in env else stop(y)


def erase(roots: Iterable[Expr]) -> dict[Expr, Expr]:
    """Each expression below `roots` without stops, marks and boxes, to differentiate once more."""
    env: dict[Expr, Expr] = {}
    for expr in topological(roots):
        if expr.op in IDENTITIES:
            env[expr] = expand(env[expr.args[0]], expr.plates, expr.shape)
        elif expr.op is box:
            env[expr] = expand(constant(expr.graph, 1.0), expr.plates, expr.shape)
        else:
            rewrite((expr,), env)
    return env


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
        If a path from `y` to `x` leads through a stochastic node's sampling.
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
    result = gradients(y, nodes)
    return result[0] if isinstance(x, Expr) else result
