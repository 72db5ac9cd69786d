"""Blocks of runs: how many run at once, and how moments of consecutive blocks are merged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

#: Means of outputs over runs by key, and sums of squared deviations by ("spread", key), which are
#: zero if absent.
RunMoments = dict[Any, Any]
#: Computes moments from a seed and the first run.
Sampling = Callable[[Any, int], RunMoments]

#: Tasks of a call of many runs: enough that threads do not wait long for the last one.
STRETCHES = 16
#: Elements of all arrays of a block of runs, the fewest runs of a block, and the most blocks of a
#: stretch, because a long call cannot be interrupted.
ELEMENTS, FEWEST, MOST = 1 << 17, 64, 64


def longest_block(runs: int, elements: int) -> int:
    """Runs of a block of stretches, given the elements of one run.

    It is 0 where all runs had better be computed at once: where they are few, or large themselves.
    """
    longest = ELEMENTS // max(elements, 1)
    return 0 if longest < FEWEST or runs < STRETCHES * longest else longest


def alike(runs: int, most: int) -> int:
    """Length of blocks, at most `most`, that divides the runs if some length near it does.

    A last block of another length would need a table with memory of its own.
    """
    least = -(-runs // most)
    counts = range(least, min(2 * least, least + 64))
    return next((runs // count for count in counts if runs % count == 0), most)


def spans(runs: int, length: int) -> Iterator[range]:
    """Split runs into ranges of a length."""
    for start in range(0, runs, length):
        yield range(start, min(start + length, runs))


def merged(parts: Iterable[tuple[range, RunMoments]]) -> RunMoments:
    """Merge the moments of consecutive ranges of runs.

    Source: Chan, Golub & LeVeque (1983), "Algorithms for computing the sample variance",
    The American Statistician 37(3).
    """
    whole: RunMoments = {}
    for runs, found in parts:
        share = len(runs) / runs.stop
        with np.errstate(over="ignore", invalid="ignore"):  # runs may be infinite
            for key in [key for key in found if key[0] != "spread"]:
                delta, own = found[key] - whole.get(key, 0.0), ("spread", key)
                spread = whole.get(own, 0.0) + found.get(own, 0.0)
                whole[own] = spread + delta**2 * (runs.start * share)
                whole[key] = whole.get(key, 0.0) + delta * share
    return whole


def moments(out: Mapping[Any, np.ndarray]) -> RunMoments:
    """Moments of outputs over their leading axis of runs."""
    found: RunMoments = {}
    for key, value in out.items():
        if len(value) == 1:  # a copy, as an output may be a view of a user's array
            found[key] = value[0].copy()
            continue
        with np.errstate(over="ignore", invalid="ignore"):  # runs may be infinite, or their squares
            mean = value.mean(axis=0, dtype=float)  # sums of many runs outgrow single precision
            spread = ((value - mean) ** 2).sum(axis=0)
            dtype = value.dtype if value.dtype.kind == "f" else mean.dtype
            found[key], found["spread", key] = mean.astype(dtype), spread.astype(dtype)
    return found
