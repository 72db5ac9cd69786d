"""Contractions as loops of matrix products."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from scg.ir.expr import Expr
from scg.ir.plate import Plate, Plates

Label = Any


class Product(NamedTuple):
    """A contraction as a loop of matrix products; labels are plates or integers.

    The last label of the loop may be none of the result: then products add to one another.
    """

    loop: tuple[Label, ...]
    rows: tuple[Label, ...]
    inner: tuple[Label, ...]
    columns: tuple[Label, ...]
    transposed: tuple[bool, bool, bool]
    turn: tuple[Label, ...] = ()  # a loop inside the others


def matrix_product(a: Expr, b: Expr, plates: Plates, attrs: Mapping[str, Any]) -> Product | None:
    """Matrix products that compute a contraction of contiguous arrays, or None."""
    turn, adds = (() if attrs.get(k) is None else (attrs[k],) for k in ("turn", "adds"))
    every = (a.plates + attrs["left"], b.plates + attrs["right"], plates + attrs["out"])
    return _found(every, turn, adds)


@functools.lru_cache(maxsize=256)  # lowering and fusing ask for one contraction
def _found(
    every: tuple[tuple[Label, ...], ...], turn: tuple[Label, ...], adds: tuple[Label, ...]
) -> Product | None:
    """Matrix products for the labels of two factors and of their result."""
    left, right, out = (tuple(x for x in own if x not in turn + adds) for own in every)
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
        groups = (rows, inner), (inner, columns), (rows, columns)
        if not all(map(_are_solid, every, groups)):
            continue
        by_columns = (rest_a != rows + inner, rest_b != inner + columns, rest != rows + columns)
        return Product(loop + adds, rows, inner, columns, by_columns, turn)
    return None


def _are_solid(labels: tuple[Label, ...], groups: tuple[tuple[Label, ...], ...]) -> bool:
    """Whether no other label lies between those of a group."""
    starts = [labels.index(group[0]) if group else 0 for group in groups]
    return all(labels[k : k + len(g)] == g for k, g in zip(starts, groups, strict=True))


def elements_of(
    label: Label, sizes: Mapping[Plate, int], lengths: Mapping[int, int] | Sequence[int]
) -> int:
    """Length of the axis that a label names."""
    return label.elements(sizes) if isinstance(label, Plate) else lengths[label]
