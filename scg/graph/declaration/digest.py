"""Digests of declarations: equal for equal models, also in different processes."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from scg.graph.core import CoreGraph
from scg.ir.expr import Expr
from scg.ir.plate import Plate, Time
from scg.ir.walk import everywhere


def digests(graph: CoreGraph) -> dict[str, str]:
    """A digest for each declared name: of its role, and of all that its value depends on.

    Initial values of parameters do not count. A user's own op counts with its code.
    """
    news = {leaf: new for scan in graph.scans.values() for leaf, new in scan.before.items()}
    roots = [*(node for node, _ in graph.roles.values()), *news.values()]
    found = _contents(roots, {})
    if news:  # a carry is also what it is one step later
        found = _contents(roots, {leaf: found[new] for leaf, new in news.items()})
    return {name: digest((role, found[node])) for name, (node, role) in graph.roles.items()}


def _contents(roots: Iterable[Expr], later: Mapping[Expr, str]) -> dict[Expr, str]:
    found: dict[Expr, str] = {}
    for expr in everywhere(roots):
        op = expr.op
        inside = () if op.loop is None else tuple(found[one] for one in op.loop.inside(expr))
        what = (
            f"op:{op.label}" if op.label else op.name,
            (op.numpy, op.vjps) if op.label else None,
            {**expr.attrs, "body": inside} if inside else expr.attrs,
            (expr.shape, expr.plates, expr.kind, expr.value),
        )
        also = (later[expr],) if expr in later else ()
        found[expr] = digest((what, tuple(found[arg] for arg in expr.args), *also))
    return found


def digest(value: Any) -> str:
    """The digest of a value's content, whatever its address in memory."""
    total = hashlib.sha256()
    for part in _parts(value, set()):
        total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()[:16]


def text(value: Any) -> str:
    """A representation without addresses, which change from process to process."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _parts(value: Any, seen: set[int]) -> Iterator[bytes]:
    """The content of a value; functions and classes that were seen before are only named."""
    yield type(value).__qualname__.encode()
    inside: Any = ()
    match value:
        case np.ndarray():
            yield f"{value.dtype.str}{value.shape}".encode()
            yield np.ascontiguousarray(value).tobytes()
        case Plate():
            inside = (value.name, value.length, value.size, value.reduce)
            inside += ("ordered",) if isinstance(value, Time) else ()
        case dict():
            inside = [part for item in value.items() for part in item]
        case tuple() | list():
            inside = value
        case set() | frozenset():
            inside = sorted(map(text, value))
        case functools.partial():
            inside = (value.func, value.args, value.keywords)
        case types.MethodType():
            inside = (value.__func__, value.__self__)
        case types.CodeType():
            inside = (value.co_code, value.co_names, value.co_consts)
        case types.FunctionType() | type():
            yield f"{value.__module__}.{value.__qualname__}".encode()
            if id(value) not in seen and not value.__module__.startswith("scg.dist"):
                seen.add(id(value))
                inside = _code(value) if isinstance(value, types.FunctionType) else _methods(value)
        case _ if dataclasses.is_dataclass(value):
            inside = [getattr(value, field.name) for field in dataclasses.fields(value)]
        case _:
            yield text(value).encode()
    yield str(len(inside)).encode()
    for part in inside:
        yield from _parts(part, seen)


def _code(function: types.FunctionType) -> list[Any]:
    """A function's code and the values that it uses; those of other modules by name."""
    used = [cell.cell_contents for cell in function.__closure__ or ()]
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        foreign = getattr(value, "__module__", None) not in (None, function.__module__)
        used.append(name if foreign or isinstance(value, types.ModuleType) else value)
    return [function.__code__, function.__defaults__, function.__kwdefaults__, *used]


def _methods(cls: type) -> list[Any]:
    return [part for part in vars(cls).values() if isinstance(part, types.FunctionType)]
