"""Convolutions as products of shifted images, without a copy of all windows.

Windows of h rows and w columns hold each number of an image h·w times. Here an image is unfolded
along its columns alone, to a *band* of w images. Where windows move by one row, the numbers of row
d of all windows are a block of the band that begins d rows below its top. A convolution is a sum
over d of products with these blocks; the gradient of its weights has a product for each d. The
gradient of the image adds products to the blocks of a band of zeros, which is then folded along the
columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scg.ir.expr import Expr
from scg.ops.convolution import _fold, _windows
from scg.ops.linalg import contract
from scg.ops.shape import reshape, transpose
from scg.schedule.copies import copied
from scg.schedule.pool import folded_windows
from scg.schedule.turns import Labels, finished, in_turns

#: Fewest images of a band; with fewer, products of all windows are faster.
LEAST = 8


def shifted(e: Expr, views: Any) -> Expr | None:
    """A contraction with windows as products with the blocks of a band, where that is faster."""
    sides = [e.attrs["left"], e.attrs["right"]]
    at = next((k for k, x in enumerate(e.args) if x.op is _windows), None)
    if at is None or not _is_faster(e.args[at].shape, e.args[at].attrs["stride"]):
        return None
    (image,), attrs = e.args[at].args, e.args[at].attrs
    (height, width), (_, step), (down, right) = attrs["size"], attrs["stride"], attrs["dilation"]
    band = _windows(image, size=(1, width), stride=(1, step), dilation=(1, right))
    band = copied(reshape(band, shape=band.shape[:1] + band.shape[2:]), views)
    blocks = _windows(band, size=(height, 1), stride=(1, 1), dilation=(down, 1))
    channel, row, across, *place = sides[at]
    sides[at] = channel, across, row, *place
    args = [reshape(blocks, shape=blocks.shape[:3] + blocks.shape[4:])] * 2
    args[1 - at], sides[1 - at] = _arranged(e.args[1 - at], sides[1 - at], row, sides[at], views)
    out = e.attrs["out"]
    if row not in out:
        return finished(in_turns(args, (*sides, out), row), e)
    free = dict.fromkeys(label for own in (sides[at], sides[1 - at]) for label in own)
    out = (row, *(label for label in free if label in out and label != row))
    adds = e.attrs["over"][-1] if e.attrs["over"] else None
    return finished(in_turns(args, (*sides, out), row, adds=adds), e)


def folded(e: Expr, views: Any) -> Expr:
    """The fold of a contraction as products that add to the blocks of a band."""
    if (found := folded_windows(e)) is not None:
        return found
    (g,), (_, step), (down, right) = e.args, e.attrs["stride"], e.attrs["dilation"]
    if g.op is not contract or g.attrs["over"] or not _is_faster(g.shape, e.attrs["stride"]):
        return e
    channel, row, across, *place = g.attrs["out"]
    out = channel, across, row, *place
    own = (g.attrs[side] for side in ("left", "right"))
    pairs = (_arranged(x, k, row, out, views) for x, k in zip(g.args, own, strict=True))
    args, sides = zip(*pairs, strict=True)
    band = in_turns(args, (*sides, out), row, down)
    apart = reshape(band, shape=(*band.shape[:1], 1, *band.shape[1:]))
    return _fold(apart, shape=e.shape[-2:], stride=(1, step), dilation=(1, right))


def _is_faster(shape: Sequence[int], stride: tuple[int, int]) -> bool:
    """Whether windows of a shape (channels, height, width, rows, columns) had better be a band."""
    channels, height, width, rows, _ = shape
    return stride[0] == 1 and height > 1 and rows > 1 and channels * width >= LEAST


def _arranged(x: Expr, labels: Labels, row: int, last: Labels, views: Any) -> tuple[Expr, Labels]:
    """A factor in an array of its own: the row first, and in the end labels of the other side."""
    order = tuple(sorted(labels, key=lambda k: (k != row, k in last and last.index(k))))
    if order != labels:
        x = transpose(x, axes=tuple(labels.index(k) - len(labels) for k in order))
    return copied(x, views), order
