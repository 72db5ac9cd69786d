"""Contractions as loops of matrix products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scg.ir.expr import Expr
from scg.ir.plate import Plate, Plates

Label = Any


class Product(NamedTuple):
    """A contraction as a loop of matrix products; labels are plates or integers."""

    loop: tuple[Label, ...]
    rows: tuple[Label, ...]
    inner: tuple[Label, ...]
    columns: tuple[Label, ...]
    transposed: tuple[bool, bool, bool]


def matrix_product(a: Expr, b: Expr, plates: Plates, attrs: Mapping[str, Any]) -> Product | None:
    """Matrix products that compute a contraction of contiguous arrays, or None."""
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


def elements_of(
    label: Label, sizes: Mapping[Plate, int], lengths: Mapping[int, int] | Sequence[int]
) -> int:
    """Length of the axis that a label names."""
    return label.elements(sizes) if isinstance(label, Plate) else lengths[label]
