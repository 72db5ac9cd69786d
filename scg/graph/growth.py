"""Growth: a carry gets the plates of what its cell makes of it, and what is declared on it, too."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from scg.graph.carry import CARRY, Scan
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import intern
from scg.ir.plate import Plate, ordered
from scg.ir.walk import rebuilt, topological
from scg.ops.reductions import expand


def grown(graph: Any, declared: set[str], before: set[str]) -> Callable[[Expr], Expr]:
    """Give each new carry the plates of what the cell makes of it; rebuild what is declared on it.

    Returns what takes the place of an expression.
    """
    env: dict[Expr, Expr] = {}

    def now(expr: Expr) -> Expr:
        for e in topological((expr,), known=env):
            env[e] = _rebuilt(graph, e, env, sizes)
        return env[expr]

    scans: dict[str, Scan] = {n: s for n, s in graph.scans.items() if n not in before}
    sizes: dict[Expr, tuple[Plate, ...]] = {}
    while True:
        short = {
            leaf: (*now(leaf).plates, *now(new).plates)
            for scan in scans.values()
            for leaf, new in scan.before.items()
            if not set(now(new).plates) <= set(now(leaf).plates)
        }
        if not short:
            break
        sizes |= short
        env.clear()
    for name, scan in scans.items():
        leaves = tuple(map(now, scan.carries))
        news = (now(new) for new in scan.news)
        wide = tuple(expand(x, y.plates, x.shape) for x, y in zip(news, leaves, strict=True))
        graph.scans[name] = replace(scan, carries=leaves, news=wide)
    if sizes:
        _redeclare(graph, [name for name in graph.roles if name not in declared], now)
    return now


def _rebuilt(
    graph: Any, expr: Expr, env: Mapping[Expr, Expr], sizes: Mapping[Expr, tuple[Plate, ...]]
) -> Expr:
    args = tuple(env[arg] for arg in expr.args)
    if expr in sizes:
        return CARRY.build(graph, args, {**expr.attrs, "plates": ordered(sizes[expr])})
    if not isinstance(expr, StochasticNode) or all(map(operator.is_, args, expr.args)):
        return rebuilt(expr, env)
    every = ordered((*expr.plates, *(plate for arg in args for plate in arg.plates)))
    node = intern(graph, expr.op, args, expr.attrs, (expr.shape, every, expr.kind))
    graph.homes[node] = graph.homes.get(expr, frozenset())
    return node


def _redeclare(graph: Any, names: list[str], now: Callable[[Expr], Expr]) -> None:
    graph.layers = {name: [*map(now, made)] for name, made in graph.layers.items()}
    graph.densities = {
        now(expr): tuple(
            d._replace(
                args=tuple(map(now, d.args)), value=None if d.value is None else now(d.value)
            )
            for d in every
        )
        for expr, every in graph.densities.items()
    }
    for name in names:
        node, role = graph.roles[name]
        if role in ("parameter", "data") or now(node) is node:
            continue
        graph.roles[name] = now(node), role
        kept = {"stochastic": graph.stochastic, "deterministic": graph.deterministics}
        kept.get(role, graph.costs)[name] = now(node)
        if node in graph.names:
            graph.names[now(node)] = graph.names.pop(node)
        if name in graph.observations:
            seen = graph.observations[name]
            dist = type(seen.dist).rebuild(
                tuple(now(v) if isinstance(v, Expr) else v for v in seen.dist.parameters.values()),
                seen.dist.static,
            )
            there = None if seen.mask is None else now(seen.mask)
            graph.observations[name] = type(seen)(dist, now(seen.value), there)
