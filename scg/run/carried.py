"""Carried: what a call takes over from the window before, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.compiler.continuation import Continuation
from scg.engine.interpreter import full
from scg.errors import CallError
from scg.ir.plate import Plate
from scg.run.binding import as_array


def carried(
    window: Continuation, given: Mapping[str, Any] | None, sizes: Mapping[Plate, int], dtype: Any
) -> dict[str, np.ndarray]:
    """Values of the leaves of a continuation by name; without a carry a sequence begins.

    Raises
    ------
    CallError
        If the carry is not one that a window of the same plates left, or holds fractions where the
        scan carries integers.
    """
    if given is not None and (
        not isinstance(given, Mapping) or given.keys() != window.leaves.keys()
    ):
        found = sorted(given) if isinstance(given, Mapping) else type(given).__name__
        raise CallError(
            f"carry: expected out.carry of the window before, with {', '.join(window.leaves)}; got "
            f"{found}"
        )
    values = {window.begins.attrs["name"]: np.array(float(given is None), dtype)}
    for name, leaf in window.leaves.items():
        wanted = full(leaf, sizes)
        kind = np.dtype(np.int64) if leaf.kind == "int" else np.dtype(dtype)
        if given is None:
            values[leaf.attrs["name"]] = np.zeros(wanted, kind)
            continue
        array = as_array("carry", name, given[name], leaf, np.dtype(dtype))
        if array.shape != wanted:
            raise CallError(
                f"carry {name!r}: expected shape {wanted}, got {array.shape}; a sequence keeps the "
                "sizes of its plates, such as the batch, from window to window"
            )
        values[leaf.attrs["name"]] = np.asarray(array, order="C")
    return values
