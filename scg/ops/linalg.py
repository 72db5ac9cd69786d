"""Contraction, the one product of linear algebra: matmul, dot and outer are special cases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir.dispatch import implements
from scg.ir.expr import Expr
from scg.ir.op import Op
from scg.ir.plate import Plates, ordered
from scg.ops import attributes
from scg.ops.base import is_boolean, plates_left
from scg.ops.reductions import sum
from scg.ops.shape import reshape

Labels = tuple[int, ...]


def _shape(a: Any, b: Any, left: Labels, right: Labels, out: Labels, over: Plates) -> Any:
    sizes: dict[int, int] = {}
    for labels, shape in ((left, a), (right, b)):
        for label, n in zip(labels, shape, strict=True):
            if sizes.setdefault(label, n) != n:
                raise ValueError(f"axes of length {sizes[label]} and {n} cannot be contracted")
    return tuple(sizes[label] for label in out)


def contract_arrays(
    a: np.ndarray, b: np.ndarray, left: tuple[Any, ...], right: tuple[Any, ...], out: Any
) -> np.ndarray:
    """Contract two arrays whose axes carry labels, by one (batched) matrix product.

    A label of both arguments is a batch axis where `out` has it, and contracted where not. A label
    of one argument is a free axis where `out` has it, and summed first where not.
    """
    a, left = _presum(a, left, right, out)
    b, right = _presum(b, right, left, out)
    both = [x for x in left if x in right]
    batch = [x for x in both if x in out]
    inner = [x for x in both if x not in out]
    free_a = [x for x in left if x not in right]
    free_b = [x for x in right if x not in left]
    size = dict(zip(left, a.shape, strict=True)) | dict(zip(right, b.shape, strict=True))

    def dims(labels: list[Any]) -> int:
        return math.prod(size[x] for x in labels)

    def arranged(x: np.ndarray, labels: Any, rows: list[Any], columns: list[Any]) -> np.ndarray:
        order = [labels.index(label) for label in batch + rows + columns]
        lead = [size[label] for label in batch]
        return x.transpose(order).reshape([*lead, dims(rows), dims(columns)])

    product = arranged(a, left, free_a, inner) @ arranged(b, right, inner, free_b)
    labels = batch + free_a + free_b
    product = product.reshape([size[x] for x in labels])
    return product.transpose([labels.index(x) for x in out])


def _presum(a: np.ndarray, labels: Any, other: Any, out: Any) -> tuple[np.ndarray, Any]:
    lone = tuple(i for i, x in enumerate(labels) if x not in other and x not in out)
    if not lone:
        return a, labels
    return a.sum(axis=lone), tuple(x for i, x in enumerate(labels) if i not in lone)


def _left(labels: Any, a: Expr, b: Expr, **attrs: Any) -> str | None:
    holds = attributes.are_integers(labels) and len(labels) == len(set(labels)) == a.ndim
    return None if holds else f"{a.ndim} different labels"


def _right(labels: Any, a: Expr, b: Expr, **attrs: Any) -> str | None:
    return _left(labels, b, a)


def _out(out: Any, a: Expr, b: Expr, left: Labels, right: Labels, over: Any) -> str | None:
    holds = attributes.are_integers(out) and len(set(out)) == len(out)
    # An axis summed in one argument only has no VJP.
    holds = holds and {*left} ^ {*right} <= {*out} <= {*left} | {*right}
    return None if holds else "labels of the arguments"


# The interpreter calls `contract_arrays` with plates as further labels. The VJP contracts the
# cotangent with the other argument, over the plates that the differentiated one lacks.
contract = Op(
    "contract",
    lambda a, b, left, right, out, over=(): contract_arrays(a, b, left, right, out),
    _shape,
    (
        lambda g, y, a, b, left, right, out, over: _vjp(g, b, a, out, right, left),
        lambda g, y, a, b, left, right, out, over: _vjp(g, a, b, out, left, right),
    ),
    plates=plates_left,
    linear=(0, 1),
    attributes={"left": _left, "right": _right, "out": _out, "over": attributes.over},
)


def _vjp(
    g: Expr, other: Expr, to: Expr, g_labels: Labels, other_labels: Labels, out: Labels
) -> Expr:
    lone = [x for x in out if x not in g_labels and x not in other_labels]
    if lone:
        raise DeclarationError(
            "contract: an axis summed in one argument only has no VJP; sum it first"
        )
    over = tuple(p for p in ordered(g.plates + other.plates) if p not in to.plates)
    return contract(g, other, left=g_labels, right=other_labels, out=out, over=over)


def check_numbers(name: str, *factors: Any) -> None:
    """Raise where all factors are booleans, whose products NumPy does not add but joins by `or`."""
    if all(map(is_boolean, factors)):
        raise DeclarationError(
            f"{name}: a sum of products of booleans is a boolean in NumPy. Write "
            "np.where(condition, 1, 0) for one of them to count"
        )


@implements(np.dot)
def np_dot(a: Any, b: Any) -> Any:
    """Sum of products over the last event axis of `a` and the last but one of `b`.

    It differs from :func:`matmul` where events have more than two axes: the result has the other
    axes of `a` and of `b` one after the other, where ``np.matmul`` broadcasts them.
    """
    n, m = np.ndim(a), np.ndim(b)
    if n == 0 or m == 0:
        return a * b
    check_numbers("dot", a, b)
    left, right = tuple(range(1, n)), tuple(range(n, n + m - 1))
    middle = (*right[:-1], 0, *right[-1:]) if m > 1 else (0,)
    return contract(a, b, left=(*left, 0), right=middle, out=left + right, over=())


@implements(np.matmul)
def matmul(a: Any, b: Any) -> Any:
    """Matrix product on event axes, by the rules of ``np.matmul``."""
    if not isinstance(a, Expr) and not isinstance(b, Expr):
        return np.matmul(a, b)
    n, m = np.ndim(a), np.ndim(b)
    if n == 0 or m == 0:
        raise DeclarationError("matmul: a scalar has no matrix product; write a * b")
    check_numbers("matmul", a, b)
    left = (0, 1)[2 - min(n, 2) :]
    right = (1, 2)[: min(m, 2)]
    out = ((0,) if n >= 2 else ()) + ((2,) if m >= 2 else ())
    if n <= 2 and m <= 2:
        return contract(a, b, left=left, right=right, out=out, over=())
    # Leading event axes are a batch that broadcasts: an axis of length 1 is dropped where that of
    # the other argument is longer.
    lead_a, lead_b = np.shape(a)[: max(n - 2, 0)], np.shape(b)[: max(m - 2, 0)]
    try:
        lead = np.broadcast_shapes(lead_a, lead_b)
    except ValueError as error:
        raise DeclarationError(
            f"matmul: the leading axes of events {np.shape(a)} and {np.shape(b)} do not broadcast"
        ) from error
    batch = tuple(range(3, 3 + len(lead)))
    a, batch_a = _dropped(a, lead_a, lead, batch)
    b, batch_b = _dropped(b, lead_b, lead, batch)
    return contract(a, b, left=batch_a + left, right=batch_b + right, out=batch + out, over=())


def _dropped(x: Any, own: tuple[int, ...], lead: tuple[int, ...], batch: Labels) -> Any:
    """Drop batch axes of length 1 where the joint ones are longer; the labels of the others."""
    pairs = list(zip(own, lead[len(lead) - len(own) :], batch[len(lead) - len(own) :], strict=True))
    kept = [(n, label) for n, longest, label in pairs if n == longest]
    shape = tuple(n for n, _ in kept) + tuple(np.shape(x)[len(own) :])
    return reshape(x, shape=shape), tuple(label for _, label in kept)


@implements(np.outer)
def outer(a: Any, b: Any) -> Any:
    """Outer product of two vectors."""
    if np.ndim(a) != 1 or np.ndim(b) != 1:
        raise DeclarationError(f"outer: expected two vectors, got {a!r} and {b!r}")
    check_numbers("outer", a, b)
    return contract(a, b, left=(0,), right=(1,), out=(0, 1), over=())


def dot(a: Any, b: Any) -> Any:
    """Sum of products over all event axes of two nodes of one shape."""
    return sum(a * b)
