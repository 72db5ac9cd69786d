"""Products with one-hot vectors of many classes: a gather of rows, or a scatter of them.

Let h be the one-hot vector of k. Then Σ_c h_c y_c is y_k, and Σ g h over a plate adds each g at
its own k. No vector of all classes is made. With few classes a product of matrices is as fast. The
rules need a k that is a class for certain: h is zero where k is none, which has no row.
"""

from __future__ import annotations

import math

from scg.ir.expr import Expr
from scg.ops.elementwise import _possible, multiply
from scg.ops.gather import _one_hot, gather, scatter, take_along
from scg.ops.reductions import REDUCTIONS
from scg.ops.shape import reshape, transpose
from scg.ops.within import bounds

#: Least number of classes for which a row is chosen instead of multiplied.
MANY = 64

_sum = REDUCTIONS[0]


def contracted(e: Expr) -> Expr | None:
    """A contraction with a one-hot vector."""
    a, b = e.args
    left, right = e.attrs["left"], e.attrs["right"]
    for hot, other, own, labels in ((a, b, left, right), (b, a, right, left)):
        if _is_sure(hot):
            found = _contracted(e, hot, other, own, labels)
            if found is not None:
                return found
    return None


def _contracted(
    e: Expr, hot: Expr, x: Expr, own: tuple[int, ...], labels: tuple[int, ...]
) -> Expr | None:
    out, over, k = e.attrs["out"], e.attrs["over"], hot.args[0]
    *rows, place = own
    shared, kept = set(rows) & set(labels), set(rows) & set(out)
    if place in labels and place not in out and not (over or shared):
        # Σ_c h_c x_c -> x_k
        rest = [label for label in labels if label != place]
        chosen = gather(_arranged(x, labels, [place, *rest]), k, rank=x.ndim, index_rank=k.ndim)
        return _arranged(chosen, (*rows, *rest), out) if kept == set(rows) else None
    if (
        place in out
        and place not in labels
        and (over or rows)
        and not kept
        and len(shared) == k.ndim
    ):
        # Σ h x over plates and axes -> x added at row k
        rest = [label for label in labels if label not in shared]
        ordered = _arranged(x, labels, [*rows, *rest])
        rank = 1 + len(rest)
        added = scatter(ordered, k, length=hot.shape[-1], rank=rank, index_rank=k.ndim, over=over)
        return _arranged(added, (place, *rest), out)
    return None


def summed(e: Expr) -> Expr | None:
    """A sum of products with a one-hot vector."""
    (x,) = e.args
    axes, over = e.attrs["axes"], e.attrs["over"]
    if x.op is _possible and any(arg is x.args[2] for arg in x.args[0].args):
        x = x.args[0]  # a product with h is 0 where h is
    if x.op is not multiply:
        return None
    for hot, y in (x.args, x.args[::-1]):
        if not _is_sure(hot):
            continue
        k = hot.args[0]
        if axes == (-1,) and not over and (chosen := _chosen(y, k, hot)) is not None:
            return chosen  # Σ_c h_c y_c -> y_k
        apart = math.prod(y.shape) == k.size and y.shape in ((), (*k.shape, 1))
        if apart and axes == tuple(range(-hot.ndim, -1)) and x.plates == hot.plates:
            # Σ h g over plates and axes -> g added at place k
            g = reshape(y, shape=k.shape)
            return scatter(g, k, length=hot.shape[-1], rank=1, index_rank=k.ndim, over=over)
    return None


def _chosen(y: Expr, k: Expr, hot: Expr) -> Expr | None:
    if y.op is _possible and y.args[0] is y.args[1] and y.args[2] is hot:
        y = y.args[0]
    if y.shape == hot.shape:
        place = reshape(k, shape=(*k.shape, 1))
        return reshape(take_along(y, place, axis=-1), shape=k.shape)
    return gather(y, k, rank=1, index_rank=k.ndim) if y.shape == hot.shape[-1:] else None


def _is_sure(x: Expr) -> bool:
    """Whether an expression is one-hot over many classes, one of which its index is."""
    if x.op is not _one_hot or x.shape[-1] < MANY:
        return False
    low, high = bounds(x.args[0])
    return low >= 0 and high < x.shape[-1]


def _arranged(x: Expr, labels: tuple[int, ...], order: list[int]) -> Expr:
    """An expression with its axes, which have labels, in another order."""
    axes = tuple(labels.index(label) - len(labels) for label in order)
    return x if axes == tuple(range(-len(axes), 0)) else transpose(x, axes=axes)
