"""Pooling, window element by window element.

A loop over the elements of windows would read and write each result once for each element, in rows
as short as those of the result. Here element (i, j) of all windows is a slice of the image. Sums
and maxima over windows, what is computed of them, and windows that tile an image are statements
about these slices, which share one loop.
"""

from __future__ import annotations

import functools
from typing import Any

from scg.ir.expr import Expr
from scg.ir.op import intern
from scg.ops.convolution import _reach, _windows
from scg.ops.elementwise import add, maximum
from scg.ops.reductions import REDUCTIONS
from scg.ops.shape import part, take_slice, unslice
from scg.schedule.copies import note
from scg.schedule.rewritten import of_kernels
from scg.schedule.views import View

_sum, _max, _ = REDUCTIONS
_JOIN: dict[Any, Any] = {_sum: add, _max: maximum}
#: Longest side of windows that are taken apart, most of their elements, and the most operations
#: on top of windows that are repeated for each element.
LONGEST, MOST, DEEPEST = 8, 16, 4
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
        if height * width > MOST // 4:  # rows first, whose sums are an array
            slices = [functools.reduce(join, slices)]
        every = [y for row in slices for y in _shifted(row, -1, width, across, right, columns)]
        return functools.reduce(join, every)
    return functools.reduce(join, _elements(x)) if _is_of_windows(x) else None


def _shifted(x: Expr, axis: int, size: int, stride: int, apart: int, count: int) -> list[Expr]:
    starts = range(0, size * apart, apart)
    return [part(x, i, i + stride * (count - 1) + 1, stride, axis) for i in starts]


def folded_windows(e: Expr, views: Any) -> Expr | None:
    """The fold of windows that tile an image, or whose elements are equal."""
    (g,), (height, width, rows, columns) = e.args, e.args[0].shape[-4:]
    stride, dilation = e.attrs["stride"], e.attrs["dilation"]
    note(g, views)
    is_constant = not any(views[g].strides[-4:-2])
    if not (is_constant or _is_of_windows(g)) or max(height, width) > LONGEST or columns == 1:
        return None
    filled = e.shape[-2:] == (height * rows, width * columns)
    if stride == (height, width) and dilation == (1, 1) and filled and height * width <= MOST:
        return intern(e.graph, tiles, tuple(_elements(g)), {}, (e.shape, e.plates, e.kind))
    reach = _reach((height, width), dilation)
    if not is_constant or all(s >= r for s, r in zip(stride, reach, strict=True)):
        return None
    # a sum over windows of an image that holds the constants apart, between zeros
    lead = tuple((0, n, 1) for n in g.shape[:-4])
    places = zip(reach, (rows, columns), stride, strict=True)
    index = (*lead, *((r - 1, r + s * (n - 1), s) for r, n, s in places))
    wide = tuple(n + r - 1 for n, r in zip(e.shape[-2:], reach, strict=True))
    apart = unslice(_element(g, 0, 0), index=index, shape=(*e.shape[:-2], *wide))
    windows = _windows(apart, size=(height, width), stride=(1, 1), dilation=dilation)
    return pooled(_sum(windows, axes=(-4, -3), over=()))


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
