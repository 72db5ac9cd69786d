"""Products with one-hot vectors of many classes: a gather of rows, or a scatter of them.

Let h be the one-hot vector of k. Then Σ_c h_c y_c is y_k, and Σ g h over a plate adds each g at
its own k. No vector of all classes is made. With few classes a product of matrices is as fast.
Where k is not a class, h is zero: row 0 then stands for none, and its part is set to zero.
"""

from __future__ import annotations

import math

from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ops.elementwise import _possible, less, logical_and, multiply, where
from scg.ops.gather import _one_hot, gather, scatter, take_along
from scg.ops.reductions import REDUCTIONS
from scg.ops.shape import reshape, transpose
from scg.ops.within import bounds

#: Least number of classes for which a row is chosen instead of multiplied.
MANY = 64

_sum = REDUCTIONS[0]


class _Index:
    """The index of a one-hot vector."""

    def __init__(self, hot: Expr):
        (k,), self.length = hot.args, hot.shape[-1]
        low, high = bounds(k)
        self.inside: Expr | None = None
        if low < 0 or high >= self.length:
            self.inside = logical_and(less(-1, k), less(k, self.length))
            k = where(self.inside, k, 0)
        self.k = k

    def only(self, x: Expr) -> Expr:
        """`x`, whose first axes are those of the index, or 0 where it is not a class."""
        if self.inside is None:
            return x
        fresh = (1,) * (x.ndim - self.k.ndim)
        return where(reshape(self.inside, shape=(*self.k.shape, *fresh)), x, 0.0)

    def rows(self, x: Expr) -> Expr:
        """The rows of `x`."""
        return self.only(gather(x, self.k, rank=x.ndim, index_rank=self.k.ndim))

    def added(self, x: Expr, over: tuple[Plate, ...]) -> Expr:
        """`x` added to rows of zeros, over plates and the axes of the index."""
        k, options = self.k, {"rank": 1 + x.ndim - self.k.ndim, "index_rank": self.k.ndim}
        return scatter(self.only(x), k, length=self.length, over=over, **options)


def contracted(e: Expr) -> Expr | None:
    """A contraction with a one-hot vector."""
    a, b = e.args
    left, right = e.attrs["left"], e.attrs["right"]
    for hot, other, own, labels in ((a, b, left, right), (b, a, right, left)):
        if _is_hot(hot):
            found = _contracted(e, hot, other, own, labels)
            if found is not None:
                return found
    return None


def _contracted(
    e: Expr, hot: Expr, x: Expr, own: tuple[int, ...], labels: tuple[int, ...]
) -> Expr | None:
    out, over = e.attrs["out"], e.attrs["over"]
    *rows, place = own
    shared, kept = set(rows) & set(labels), set(rows) & set(out)
    if place in labels and place not in out and not (over or shared) and kept == set(rows):
        # Σ_c h_c x_c -> x_k
        rest = [label for label in labels if label != place]
        chosen = _Index(hot).rows(_arranged(x, labels, [place, *rest]))
        return _arranged(chosen, (*rows, *rest), out)
    summed_out = not kept and shared == set(rows) and bool(over or rows)
    if place in out and place not in labels and summed_out:
        # Σ h x over plates and axes -> x added at row k
        rest = [label for label in labels if label not in shared]
        added = _Index(hot).added(_arranged(x, labels, [*rows, *rest]), over)
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
        vector = hot.args[0] if hot.op is reshape and hot.args[0].ndim == 1 else hot
        if not _is_hot(vector):
            continue
        k = vector.args[0]
        if not over and hot.shape == x.shape and axes == tuple(range(-hot.ndim, 0))[k.ndim :]:
            # Σ_c h_c y_c -> y_k, also where the classes are those of a matrix
            if hot is not vector and y.shape == hot.shape:
                y = reshape(y, shape=vector.shape)
            if (chosen := _chosen(y, vector)) is not None:
                return chosen
        apart = math.prod(y.shape) == k.size and y.shape in ((), (*k.shape, 1))
        if apart and hot is vector and axes == tuple(range(-hot.ndim, -1)) and over:
            # Σ h g over plates and axes -> g added at place k
            return _Index(hot).added(reshape(y, shape=k.shape), over)
    return None


def _chosen(y: Expr, hot: Expr) -> Expr | None:
    if y.op is _possible and y.args[0] is y.args[1] and y.args[2] is hot:
        y = y.args[0]
    index = _Index(hot)
    if y.shape == hot.shape[-1:]:
        return index.rows(y)
    if y.shape == hot.shape:
        place = reshape(index.k, shape=(*index.k.shape, 1))
        return index.only(reshape(take_along(y, place, axis=-1), shape=index.k.shape))
    return None


def _is_hot(x: Expr) -> bool:
    """Whether an expression is one-hot over many classes."""
    return x.op is _one_hot and x.shape[-1] >= MANY


def _arranged(x: Expr, labels: tuple[int, ...], order: list[int]) -> Expr:
    """An expression with its axes, which have labels, in another order."""
    axes = tuple(labels.index(label) - len(labels) for label in order)
    return x if axes == tuple(range(-len(axes), 0)) else transpose(x, axes=axes)
