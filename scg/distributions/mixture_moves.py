"""Moves of a mixture's samples: to the next component, or of a coordinate of the chosen one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scg.distributions.base import Distribution
from scg.distributions.upward import Upward
from scg.ops.elementwise import equal, where
from scg.ops.indexing import getitem
from scg.ops.shape import concatenate, reshape


def joined(
    choice: Upward, parts: Sequence[Upward], index: Any, chosen: Callable[[Any, list[Any]], Any]
) -> Upward:
    """The moves of a sample of the component `index`; `chosen` takes an index and all samples.

    The first coordinate is the choice. The others are those of the chosen component.
    """
    shapes = [np.shape(part.weight) for part in parts]
    longest = max(map(math.prod, shapes))

    def own(values: Any, k: int) -> Any:
        """Values of the coordinates of one component among all, where it is chosen."""
        inner = np.shape(values)[len(shapes[k]) :]
        n = math.prod(shapes[k])
        flat = where(equal(index, k), reshape(values, shape=(n, *inner)), 0.0)
        return _around(flat, 1, longest - n)

    def moved(here: Any) -> Any:
        first, rest = getitem(here, 0), getitem(here, slice(1, None))
        masks = [
            reshape(getitem(rest, slice(0, math.prod(shape))), shape=shape) for shape in shapes
        ]
        values = [part.moved(mask) for part, mask in zip(parts, masks, strict=True)]
        return chosen(choice.moved(first), values)

    weight = _around(reshape(choice.weight, shape=(1,)), 0, longest)
    for k, part in enumerate(parts):
        weight = weight + own(part.weight, k)
    rates = [
        tuple(_around(value[None], 0, longest) for value in (theta, rate))
        for theta, rate in choice.rates
    ]
    for k, part in enumerate(parts):
        for theta, rate in part.rates:
            n = math.prod(shapes[k])
            inner = np.shape(theta)[len(shapes[k]) :]
            place = _around(reshape(theta, shape=(n, *inner)), 1, longest - n)
            rates.append((place, own(rate + 0.0 * theta, k)))
    return Upward(moved, weight, rates)


def _around(values: Any, before: int, after: int) -> Any:
    """Rows with rows of zeros on both sides."""
    inner = np.shape(values)[1:]
    parts = (np.zeros((before, *inner)), values, np.zeros((after, *inner)))
    return concatenate(*(part for part in parts if np.shape(part)[0]), axis=-1 - len(inner))


def movable(families: Sequence[type[Distribution]]) -> tuple[str, ...]:
    """The parameters of a mixture of families that move its samples."""
    names = [
        f"{k}/{name}"
        for k, family in enumerate(families)
        for name in family.weak_parameters or family.constraints
    ]
    return ("logits", "probs", *names)
