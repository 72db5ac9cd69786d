"""The noise of a program's leaves: whole, or a window of steps at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from scg.engine.interpreter import Sizes, full
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.seeds.noise import normal, uniform

_LAWS = {"uniform": uniform, "normal": normal}
Part = tuple[Plate, range]  #: Some elements of a plate.


def drawn(
    leaf: Expr, seed: Any, runs: range, sizes: Sizes, dtype: Any, part: Part | None = None
) -> np.ndarray:
    """Noise of a leaf for a range of runs, which are the leading axis.

    Of the plate of a `part` only some elements are sampled; `sizes` counts all of them.
    """
    only = (leaf.plates.index(part[0]), part[1]) if part and part[0] in leaf.plates else None
    law = _LAWS[leaf.attrs["law"]]
    return law(seed, leaf.attrs["name"], runs, full(leaf, sizes), dtype, only)


def by_window(
    leaves: Mapping[str, Expr],
    plates: Iterable[Plate],
    draw: Callable[[Expr, Part | None], np.ndarray],
) -> dict[str, Any]:
    """Noise by leaf name for an engine of windows: functions of a range of steps, and arrays.

    `draw` samples the noise of a leaf, or the part of it at some steps of a plate. Of the `plates`
    of windows, the first one of a leaf counts.
    """

    def sampled(leaf: Expr) -> Any:
        plate = next((plate for plate in plates if plate in leaf.plates), None)
        return draw(leaf, None) if plate is None else lambda span: draw(leaf, (plate, span))

    return {name: sampled(leaf) for name, leaf in leaves.items()}
