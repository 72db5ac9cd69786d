"""Lower: bring a program into the few shapes that compiled kernels know.

What remains is elementwise ops, sums and maxima, matrix products of contiguous operands, joins,
ops that a kernel computes row by row, and *views*: ops that move no element (:class:`View`). A
user's own op, a Python function, keeps it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from scg.ir.expr import Expr
from scg.ir.plate import Plate, Plates
from scg.ir.walk import topological
from scg.ops.base import elementwise
from scg.ops.elementwise import (
    absolute,
    cast,
    equal,
    exp,
    less,
    multiply,
    not_equal,
    square,
    where,
)
from scg.ops.powers import _power
from scg.ops.reductions import REDUCTIONS, keep, log_of_sum
from scg.ops.shape import reshape, transpose
from scg.schedule.rewritten import RULES, expanded

_sum, _max, _logsumexp = REDUCTIONS

#: The identity as an elementwise op: it makes a contiguous array of a view.
copy = elementwise("copy", lambda x: x, lambda g, y, x: g, kind="same", kernel="{0}")

_SAME = ("continuous", "mixed_supports")  # identities


class View(NamedTuple):
    """Elements of an expression that lie in the array of another one.

    Attributes
    ----------
    base : Expr
        Whose array it is: plates first, then the event, contiguous.
    strides : tuple of int
        Steps along the event axes, in elements.
    offset : int
        Where the event begins.

    Along plates that the base lacks a view repeats.
    """

    base: Expr
    strides: tuple[int, ...]
    offset: int


@functools.cache
def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a contiguous event, in elements."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def whole(expr: Expr) -> View:
    """Return the view of an expression that has its own array."""
    return View(expr, contiguous(expr.shape), 0)


def is_whole(view: View, expr: Expr) -> bool:
    """Whether a view of `expr` is contiguous and nowhere repeats."""
    steps = zip(expr.shape, view.strides, contiguous(expr.shape), strict=True)
    same = all(a == b for n, a, b in steps if n != 1)
    return same and expr.plates == view.base.plates and view.base.size == expr.size


def view_of(expr: Expr, views: Mapping[Expr, View]) -> View | None:
    """Return an expression as a view of its argument's array, or None where it needs its own."""
    name = expr.op.name
    if name not in (
        "reshape",
        "expand",
        "transpose",
        "slice",
        "windows",
        "continuous",
        "mixed_supports",
    ):
        return None
    (arg,) = expr.args
    view = views[arg]
    if name in ("continuous", "mixed_supports"):
        return view
    if name == "windows":
        moved = zip(view.strides[-2:], expr.attrs["stride"], strict=True)
        between = tuple(step * stride for step, stride in moved)
        return view._replace(strides=(*view.strides[:-2], *between, *view.strides[-2:]))
    if name == "reshape":
        strides = _reshaped(arg.shape, view.strides, expr.shape)
        return None if strides is None else view._replace(strides=strides)
    if name == "expand":
        fresh = expr.ndim - arg.ndim
        inner = zip(arg.shape, expr.shape[fresh:], view.strides, strict=True)
        kept = tuple(step if n == m else 0 for n, m, step in inner)
        return view._replace(strides=(0,) * fresh + kept)
    if name == "transpose":
        return view._replace(strides=tuple(view.strides[a] for a in expr.attrs["axes"]))
    offset, strides = view.offset, []
    for part, step in zip(expr.attrs["index"], view.strides, strict=True):
        offset += step * (part if isinstance(part, int) else part[0])
        if not isinstance(part, int):
            strides.append(step * part[2])
    return view._replace(strides=tuple(strides), offset=offset)


def _reshaped(
    old: tuple[int, ...], strides: tuple[int, ...], new: tuple[int, ...]
) -> tuple[int, ...] | None:
    """Return the strides of an event in another shape, or None where elements must move."""
    solid = [(n, s) for n, s in zip(old, strides, strict=True) if n != 1]
    if [n for n, _ in solid] == [n for n in new if n != 1]:
        steps = iter(solid)
        return tuple(next(steps)[1] if n != 1 else 0 for n in new)
    if all(s == t for (n, s), t in zip(solid, contiguous(tuple(n for n, _ in solid)), strict=True)):
        return contiguous(new)
    return None


def lower(
    outputs: Mapping[Any, Expr], products: bool = True
) -> tuple[dict[Any, Expr], dict[Expr, View]]:
    """Return the outputs in lowered form, and the view that every expression is.

    Without `products` there are no matrix products to call.
    """
    env: dict[Expr, Expr] = {}
    views: dict[Expr, View] = {}
    outputs = expanded(outputs)
    rules = _RULES if products else _RULES | {"contract": _by_elements}
    for expr in topological(outputs.values()):
        args = tuple(env[arg] for arg in expr.args)
        same = all(a is b for a, b in zip(args, expr.args, strict=True))
        expr.graph.origin = expr.origin
        now = expr if same else expr.op.build(expr.graph, args, expr.attrs)
        rule = rules.get(now.op.name)
        if rule is not None:
            now = rule(now, views)
        _look(now, views)
        env[expr] = now
    return {key: env[expr] for key, expr in outputs.items()}, views


def _look(root: Expr, views: dict[Expr, View]) -> None:
    """Note the views of what a rule built: of everything below `root` that has none yet."""
    stack = [root]
    while stack:
        expr = stack[-1]
        waiting = [arg for arg in expr.args if arg not in views]
        if expr in views or not waiting:
            stack.pop()
            view = views.get(expr) or view_of(expr, views)
            views[expr] = whole(expr) if view is None else view
        else:
            stack += waiting


# --- rules: each returns an equal expression of ops that are lowered already -----------------
def _lower_reshape(e: Expr, views: dict[Expr, View]) -> Expr:
    (x,) = e.args
    return e if view_of(e, views) is not None else reshape(copy(x), shape=e.shape)


def _lower_sum(e: Expr, views: dict[Expr, View]) -> Expr:
    (x,) = e.args  # NumPy counts what is true
    return _sum(where(x, 1, 0), **e.attrs) if x.kind == "bool" else e


def _lower_max(e: Expr, views: dict[Expr, View]) -> Expr:
    (x,) = e.args
    return not_equal(_max(where(x, 1, 0), **e.attrs), 0) if x.kind == "bool" else e


def _lower_power(e: Expr, views: dict[Expr, View]) -> Expr:
    x, exponent = e.args  # a product is many times faster than libm's pow
    if exponent.value is None or exponent.shape or x.kind != "float":
        return e
    products = {
        -2: lambda: 1.0 / square(x),
        -1: lambda: 1.0 / x,
        3: lambda: x * square(x),
        4: lambda: square(square(x)),
    }
    product = products.get(exponent.value.item())
    return e if product is None else product()


def _lower_times_power(e: Expr, views: dict[Expr, View]) -> Expr:
    factor, *rest = e.args
    raised = _lower_power(_power.build(e.graph, tuple(rest), {}), views)
    return where(equal(factor, 0.0), 0.0, factor * raised)


def _lower_logsumexp(e: Expr, views: dict[Expr, View]) -> Expr:
    (x,) = e.args
    top = _finite_max(x, e.attrs)
    shape = keep(x.shape, e.attrs["axes"])
    return log_of_sum(_sum(exp(x - reshape(top, shape=shape)), **e.attrs)) + top


def _lower_shift(e: Expr, views: dict[Expr, View]) -> Expr:
    return _finite_max(e.args[0], e.attrs)


def _finite_max(x: Expr, attrs: Mapping[str, Any]) -> Expr:
    top = _max(x, **attrs)
    return where(less(absolute(top), np.inf), top, 0.0)


def _lower_contract(e: Expr, views: dict[Expr, View]) -> Expr:
    a, b = e.args
    attrs = dict(e.attrs)
    # contract(transpose(x), y) -> contract(x, y) with its labels permuted
    for side, arg in (("left", a), ("right", b)):
        while arg.op.name == "transpose":
            axes = arg.attrs["axes"]
            labels: list[Any] = [None] * len(axes)
            for label, axis in zip(attrs[side], axes, strict=True):
                labels[axis] = label
            attrs[side], arg = tuple(labels), arg.args[0]
        a, b = (arg, b) if side == "left" else (a, arg)
    a, b = (x if x.kind == "float" else cast(x) for x in (a, b))
    e = e.op.build(e.graph, (a, b), attrs)
    if matrix_product(a, b, e.plates, attrs) is None:
        return _by_elements(e, views)
    for arg in (a, b):
        _look(arg, views)
    a, b = (x if is_whole(views[x], x) else copy(x) for x in (a, b))
    return e.op.build(e.graph, (a, b), attrs)


def _by_elements(e: Expr, views: dict[Expr, View]) -> Expr:
    """Write a contraction as a product and a sum, which fuse with their neighbours."""
    a, b = (x if x.kind == "float" else cast(x) for x in e.args)
    left, right, out = e.attrs["left"], e.attrs["right"], e.attrs["out"]
    labels = [*out, *(x for x in dict.fromkeys(left + right) if x not in out)]

    def arranged(x: Expr, own: tuple[Any, ...]) -> Expr:
        order = sorted(range(len(own)), key=lambda i: labels.index(own[i]))
        if order != list(range(len(own))):
            x = transpose(x, axes=tuple(i - len(own) for i in order))
        size = dict(zip((own[i] for i in order), x.shape, strict=True))
        return reshape(x, shape=tuple(size.get(label, 1) for label in labels))

    product = multiply(arranged(a, left), arranged(b, right))
    axes = tuple(range(-(len(labels) - len(out)), 0))
    over = tuple(p for p in product.plates if p not in e.plates)
    return _sum(product, axes=axes, over=over) if axes or over else product


_RULES = RULES | {
    "power": _lower_power,
    "times_power": _lower_times_power,
    "sum": _lower_sum,
    "max": _lower_max,
    "reshape": _lower_reshape,
    "shift": _lower_shift,
    "logsumexp": _lower_logsumexp,
    "contract": _lower_contract,
}


# --- matrix products ----------------------------------------------------------------------------
Label = Any


class Product(NamedTuple):
    """A contraction as a loop of matrix products; labels are plates or integers.

    ``transposed`` says of left, right and result whether its matrix is stored by columns.
    """

    loop: tuple[Label, ...]
    rows: tuple[Label, ...]
    inner: tuple[Label, ...]
    columns: tuple[Label, ...]
    transposed: tuple[bool, bool, bool]


def matrix_product(a: Expr, b: Expr, plates: Plates, attrs: Mapping[str, Any]) -> Product | None:
    """Return how a contraction of contiguous arrays is a matrix product, or None if it is not."""
    left: tuple[Label, ...] = (*a.plates, *attrs["left"])
    right: tuple[Label, ...] = (*b.plates, *attrs["right"])
    out: tuple[Label, ...] = (*plates, *attrs["out"])
    if any(x not in out and (x not in left or x not in right) for x in left + right):
        return None  # an axis that only one argument has, and that is summed
    inner = tuple(x for x in left if x in right and x not in out)
    for depth in range(len(out) + 1):
        loop = out[:depth]
        rest_a, rest_b, rest = (
            tuple(x for x in labels if x not in loop) for labels in (left, right, out)
        )
        if any(
            labels[len(labels) - len(r) :] != r for labels, r in ((left, rest_a), (right, rest_b))
        ):
            continue
        rows = tuple(x for x in rest_a if x not in inner)
        columns = tuple(x for x in rest_b if x not in inner)
        if not inner or not (rows or columns) or set(rows) & set(columns):
            continue
        if rest_a not in (rows + inner, inner + rows) or rest not in (
            rows + columns,
            columns + rows,
        ):
            continue
        if rest_b not in (inner + columns, columns + inner):
            continue
        by_columns = (rest_a != rows + inner, rest_b != inner + columns, rest != rows + columns)
        return Product(loop, rows, inner, columns, by_columns)
    return None


def elements_of(label: Label, sizes: Mapping[Plate, int], lengths: Mapping[int, int]) -> int:
    """Return the length of the axis that a label names."""
    if not isinstance(label, Plate):
        return lengths[label]
    return label.length if label.length is not None else sizes[label]
