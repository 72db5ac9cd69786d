"""Trees: nodes in tuples, lists and dicts, as a cell takes and returns them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def leaves(tree: Any) -> list[Any]:
    """The leaves of a tree, in its order."""
    if isinstance(tree, dict):
        return [leaf for part in tree.values() for leaf in leaves(part)]
    if isinstance(tree, (tuple, list)):
        return [leaf for part in tree for leaf in leaves(part)]
    return [] if tree is None else [tree]


def form(tree: Any) -> Any:
    """A tree without its leaves, to compare with another."""
    if isinstance(tree, dict):
        return {key: form(part) for key, part in tree.items()}
    if isinstance(tree, (tuple, list)):
        return type(tree), tuple(map(form, tree))
    return None if tree is None else "node"


def arranged(tree: Any, like: Any) -> Any:
    """A tree with its dicts in the order of those of another, of the same form."""
    if isinstance(tree, dict):
        return {key: arranged(tree[key], part) for key, part in like.items()}
    if isinstance(tree, (tuple, list)):
        return [arranged(part, other) for part, other in zip(tree, like, strict=True)]
    return tree


def refilled(tree: Any, values: list[Any]) -> Any:
    """A tree of the same form with other leaves."""
    return _refilled(tree, iter(values))


def _refilled(tree: Any, values: Iterator[Any]) -> Any:
    if isinstance(tree, dict):
        return {key: _refilled(part, values) for key, part in tree.items()}
    if isinstance(tree, (tuple, list)):
        parts = [_refilled(part, values) for part in tree]
        make: Callable[..., Any] = type(tree)
        return make(*parts) if hasattr(tree, "_fields") else make(parts)
    return None if tree is None else next(values)
