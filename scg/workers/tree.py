"""Tree: a sum whose order depends on the number of terms alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def tree_sum(terms: Sequence[Any]) -> Any:
    """Sum of arrays, or of mappings of arrays by key, over a balanced binary tree.

    Neighbours are added, then neighbours of these sums, and so on. Whatever computed the terms, in
    whatever order they came, the same terms have a sum of the same bits; its rounding grows as
    log n, where that of a running sum grows as n.

    Examples
    --------
    >>> from scg.workers import tree_sum
    >>> tree_sum([1.0, 2.0, 3.0]), tree_sum([{"a": 1.0}, {"a": 2.0}])
    (6.0, {'a': 3.0})
    """
    level = list(terms)
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        level = [_add(a, b) for a, b in zip(level[::2], level[1::2], strict=False)] + odd
    return level[0]


def _add(a: Any, b: Any) -> Any:
    return {key: a[key] + b[key] for key in a} if isinstance(a, dict) else a + b
