"""Pooling, window element by window element.

A loop over the elements of windows would read and write each result once for each element, in rows
as short as those of the result. Here element (i, j) of all windows is a slice of the image. Sums
and maxima over windows, what is computed of them, and windows that tile an image are statements
about these slices, which share one loop. Means of other windows have row functions, which take a
plane at a time.
"""

from __future__ import annotations

import functools
import math
from typing import Any

from scg.ir.expr import Expr
from scg.ir.op import intern
from scg.ops.base import broadcast
from scg.ops.convolution import _windows
from scg.ops.elementwise import add, cast, maximum
from scg.ops.reductions import REDUCTIONS
from scg.ops.shape import part, take_slice
from scg.schedule.copies import copy, note
from scg.schedule.rewritten import of_kernels
from scg.schedule.views import View

_sum, _max, _ = REDUCTIONS
_JOIN: dict[Any, Any] = {_sum: add, _max: maximum}
#: Longest side of windows that are taken apart, most of their elements, most elements whose slices
#: are faster than sums of rows or planes, and the most operations on top of windows that are
#: repeated for each element.
LONGEST, MOST, FEW, DEEPEST = 8, 16, 4, 4
#: Windows without overlap in an image that they fill; the arguments are their elements.
tiles = of_kernels("tiles")


def pooled(e: Expr) -> Expr | None:
    """A sum or maximum over the elements of windows, where this is faster."""
    (x,), join = e.args, _JOIN[e.op]
    if e.attrs["axes"] != (-4, -3) or e.attrs["over"] or x.kind != "float" or x.shape[-1] == 1:
        return None
    if x.op is _windows and max(x.shape[-4:-2]) <= LONGEST:
        (image,), (height, width, rows, columns) = x.args, x.shape[-4:]
        (step, across), (down, right) = x.attrs["stride"], x.attrs["dilation"]
        slices = _shifted(image, -2, height, step, down, rows)
        if height * width > FEW:  # rows first, whose sums are an array
            slices = [functools.reduce(join, slices)]
        every = [y for row in slices for y in _shifted(row, -1, width, across, right, columns)]
        return functools.reduce(join, every)
    return functools.reduce(join, _elements(x)) if _is_of_windows(x) else None


def _shifted(x: Expr, axis: int, size: int, stride: int, apart: int, count: int) -> list[Expr]:
    starts = range(0, size * apart, apart)
    return [part(x, i, i + stride * (count - 1) + 1, stride, axis) for i in starts]


def averaged(e: Expr, views: Any) -> Expr:
    """The mean of windows: plane by plane, unless few tile an image, or one is the image."""
    (x,), size, stride = e.args, e.attrs["size"], e.attrs["stride"]
    if x.shape[-2:] != size and not _fill(x.shape, size, stride, FEW):
        return e.op.build(e.graph, (_dense(x, views),), e.attrs)
    total = _sum(_windows(x, size=size, stride=stride, dilation=(1, 1)), axes=(-4, -3), over=())
    found = pooled(total)
    return (total if found is None else found) / float(math.prod(size))


def shared(e: Expr, views: Any) -> Expr:
    """The adjoint of the mean of windows."""
    (g,), size, stride = e.args, e.attrs["size"], e.attrs["stride"]
    each = g / float(math.prod(size))
    if e.shape[-2:] == size:
        return broadcast(each, shape=e.shape, plates=e.plates)
    if _fill(e.shape, size, stride, FEW):
        return intern(e.graph, tiles, (each,) * math.prod(size), {}, (e.shape, e.plates, e.kind))
    return e.op.build(e.graph, (_dense(g, views),), e.attrs)


def _dense(x: Expr, views: Any) -> Expr:
    """An image whose elements are adjacent along rows."""
    x = x if x.kind == "float" else cast(x)
    note(x, views)
    return x if views[x].strides[-1] == 1 else copy(x)


def _fill(shape: Any, size: tuple[int, ...], stride: tuple[int, ...], most: int) -> bool:
    """Whether windows of few elements fill an image without overlap."""
    filled = shape[-2] % size[0] == shape[-1] % size[1] == 0
    return filled and stride == size and math.prod(size) <= most


def folded_windows(e: Expr) -> Expr | None:
    """The fold of windows that fill an image."""
    (g,), size = e.args, e.args[0].shape[-4:-2]
    fills = _fill(e.shape, size, e.attrs["stride"], MOST) and e.attrs["dilation"] == (1, 1)
    if not fills or g.shape[-1] == 1 or not _is_of_windows(g):
        return None
    return intern(e.graph, tiles, tuple(_elements(g)), {}, (e.shape, e.plates, e.kind))


def _is_of_windows(x: Expr, deepest: int = DEEPEST) -> bool:
    """Whether few elementwise operations compute an array of small windows from windows."""
    if x.ndim < 4 or x.shape[-4] * x.shape[-3] > MOST:
        return False
    if x.op is _windows:
        return True
    below = x.op.elementwise and deepest > 0
    return below and any(_is_of_windows(arg, deepest - 1) for arg in x.args)


def _elements(x: Expr) -> list[Expr]:
    height, width = x.shape[-4:-2]
    return [_element(x, i, j) for i in range(height) for j in range(width)]


def _element(x: Expr, i: int, j: int, deepest: int = DEEPEST) -> Expr:
    """Element (i, j) of all windows: operations on slices, or a slice of the array."""
    if x.ndim < 3:
        return x
    if x.op.elementwise and deepest > 0 and _is_of_windows(x, deepest):
        args = tuple(_element(arg, i, j, deepest - 1) for arg in x.args)
        return x.op.build(x.graph, args, x.attrs)
    whole = [(0, n, 1) for n in x.shape]
    at = [k if n > 1 else 0 for k, n in zip((i, j), x.shape[-4:-2], strict=False)]
    if x.ndim == 3:
        at = [j if x.shape[0] > 1 else 0]
    return take_slice(x, index=(*whole[: x.ndim - 2 - len(at)], *at, *whole[-2:]))


def places(e: Expr, own: View) -> list[View]:
    """Where the arguments of :data:`tiles` lie in its array."""
    (rows, columns), (below, _) = e.args[0].shape[-2:], own.strides[-2:]
    height, width = e.shape[-2] // rows, e.shape[-1] // columns
    strides = (*own.strides[:-2], height * below, width)
    return [View(e, strides, i * below + j) for i in range(height) for j in range(width)]
