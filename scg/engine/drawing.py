"""The noise of a program's leaves: whole, or a window of steps at a time."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.engine.interpreter import Sizes, full
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.seeds.noise import normal, uniform

_LAWS = {"uniform": uniform, "normal": normal}


def drawn(
    leaf: Expr,
    seed: Any,
    runs: range,
    sizes: Sizes,
    dtype: Any,
    part: tuple[Plate, range] | None = None,
) -> np.ndarray:
    """Noise of a leaf for a range of runs, which are the leading axis.

    Of the plate of a `part` only some elements are sampled; `sizes` counts all of them.
    """
    only = (leaf.plates.index(part[0]), part[1]) if part and part[0] in leaf.plates else None
    law = _LAWS[leaf.attrs["law"]]
    return law(seed, leaf.attrs["name"], runs, full(leaf, sizes), dtype, only)


def by_window(
    leaves: Mapping[str, Expr], plate: Plate, single: bool, how: tuple[Any, range, Sizes, Any]
) -> dict[str, Any]:
    """Noise by leaf name for an engine of windows: functions of a range of steps, and arrays.

    `how` are seed, runs, sizes and type; a `single` run has no axis.
    """

    def draw(leaf: Expr, span: range | None = None) -> np.ndarray:
        noise = drawn(leaf, *how, part=None if span is None else (plate, span))
        return noise[0] if single else noise

    return {
        name: functools.partial(draw, leaf) if plate in leaf.plates else draw(leaf)
        for name, leaf in leaves.items()
    }
