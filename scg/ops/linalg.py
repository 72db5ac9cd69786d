"""Contraction: the one primitive of linear algebra, of which matmul, dot and outer are cases."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.errors import DeclarationError
from scg.expr import Expr, Plates, ordered
from scg.ops.base import Op

Labels = tuple[int, ...]


def _shape(a: Any, b: Any, left: Labels, right: Labels, out: Labels, over: Plates) -> Any:
    sizes: dict[int, int] = {}
    for labels, shape in ((left, a), (right, b)):
        for label, n in zip(labels, shape, strict=True):
            if sizes.setdefault(label, n) != n:
                raise ValueError(f"axes of length {sizes[label]} and {n} cannot be contracted")
    return tuple(sizes[label] for label in out)


def _plates(args: tuple[Expr, ...], attrs: dict[str, Any]) -> Plates:
    return ordered(p for arg in args for p in arg.plates if p not in attrs["over"])


def contract_arrays(
    a: np.ndarray, b: np.ndarray, left: tuple[Any, ...], right: tuple[Any, ...], out: Any
) -> np.ndarray:
    """Contract two arrays whose axes carry labels, by one (batched) matrix product.

    Labels in both arguments and in `out` are batch axes; in both but not in `out`, contracted;
    in one only, free, and summed first where `out` lacks them.
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
        return int(np.prod([size[x] for x in labels], dtype=int))

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


def _numpy(a: Any, b: Any, left: Labels, right: Labels, out: Labels, over: Any = ()) -> Any:
    return contract_arrays(a, b, left, right, out)


# The interpreter calls `contract_arrays` with plates as further labels. A VJP contracts the
# cotangent with the other argument over the plates that the first one lacks.
contract = Op(
    "contract",
    _numpy,
    _shape,
    (
        lambda g, y, a, b, left, right, out, over: _vjp(g, b, a, out, right, left),
        lambda g, y, a, b, left, right, out, over: _vjp(g, a, b, out, left, right),
    ),
    plates=_plates,
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


def matmul(a: Any, b: Any) -> Any:
    """Matrix product on event axes, by the rules of ``np.matmul``."""
    if not isinstance(a, Expr) and not isinstance(b, Expr):
        return np.matmul(a, b)
    n, m = np.ndim(a), np.ndim(b)
    if n == 0 or m == 0:
        raise DeclarationError("matmul: a scalar has no matrix product; write a * b")
    if n > 2 or m > 2:
        raise DeclarationError(
            f"matmul: events of {n} and {m} axes; put what repeats on a plate, or use np.einsum"
        )
    left = (0, 1)[2 - n :]
    right = (1, 2)[:m]
    out = ((0,) if n == 2 else ()) + ((2,) if m == 2 else ())
    return contract(a, b, left=left, right=right, out=out, over=())


def outer(a: Any, b: Any) -> Any:
    """Outer product of two vectors."""
    return contract(a, b, left=(0,), right=(1,), out=(0, 1), over=())


def dot(a: Any, b: Any) -> Any:
    """Sum of products over all event axes of two nodes of one shape."""
    from scg.ops.reductions import sum

    return sum(a * b)
