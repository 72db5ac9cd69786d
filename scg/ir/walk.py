"""Walk a graph of expressions: in topological order, and rebuilding it."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, is_

from scg.ir.expr import Expr


def topological(roots: Iterable[Expr], known: Container[Expr] = frozenset()) -> list[Expr]:
    """Expressions below `roots`, arguments before their users.

    Expressions in `known` are left out, with those that lie only below them.
    """
    order: list[Expr] = []
    entered: set[Expr] = set()
    left: set[Expr] = set()
    stack = list(roots)[::-1]
    while stack:
        expr = stack[-1]
        if expr in left or expr in known:
            stack.pop()
        elif not expr.args or expr in entered:  # its arguments, above it on the stack, are done
            left.add(expr)
            order.append(expr)
            stack.pop()
        else:
            entered.add(expr)
            stack += [arg for arg in expr.args[::-1] if arg not in left]
    return order


def together(order: Iterable[Expr]) -> list[tuple[Expr, ...]]:
    """Expressions in order; the results of one loop are joined at the place of the first.

    Nothing is computed from one result for another, so that arguments still come first.
    """
    found: dict[object, list[Expr]] = {}
    for expr in order:
        loop = expr.op.loop
        found.setdefault(expr if loop is None else loop.key(expr), []).append(expr)
    return list(map(tuple, found.values()))


def named_below(
    goal: Expr,
    names: Container[Expr],
    made_of: Callable[[Expr], Iterable[Expr]] = attrgetter("args"),
) -> list[Expr]:
    """Expressions in `names` on which one depends through others alone."""
    found: list[Expr] = []
    seen: set[Expr] = set()
    stack = list(made_of(goal))
    while stack:
        expr = stack.pop()
        if expr in seen:
            continue
        seen.add(expr)
        if expr in names:
            found.append(expr)
        else:
            stack += made_of(expr)
    return found


def rewrite(order: Iterable[Expr], env: dict[Expr, Expr]) -> dict[Expr, Expr]:
    """Rebuild the expressions of `order` with their arguments replaced by `env`.

    `env` is extended in place and returned; what it maps already is not rebuilt.
    """
    for expr in order:
        if expr not in env:
            expr.graph.origin = expr.origin
            env[expr] = rebuilt(expr, env)
    return env


def rebuilt(expr: Expr, env: Mapping[Expr, Expr]) -> Expr:
    """Expression of the same op on the arguments that `env` puts in place of its own."""
    args = tuple(map(env.__getitem__, expr.args))
    same = all(map(is_, args, expr.args))
    return expr if same else expr.op.build(expr.graph, args, expr.attrs)


def refilled(expr: Expr, passed: Callable[[Sequence[Expr]], Sequence[Expr]]) -> Expr:
    """The expression with its body, where it has one, rewritten by a pass."""
    loop = expr.op.loop
    return expr if loop is None else loop.refilled(expr, passed)


def everywhere(roots: Iterable[Expr]) -> Iterator[Expr]:
    """Expressions below `roots` and, each after its arguments, those of bodies."""
    for expr in topological(roots):
        if expr.op.loop is not None:
            yield from everywhere(expr.op.loop.inside(expr))
        yield expr
