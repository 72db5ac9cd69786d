"""Checkpoint: the windows of steps in which a step runs, to save memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scg.errors import DeclarationError, EstimatorError
from scg.graph.core import CoreGraph

if TYPE_CHECKING:
    from scg.schedule.sweeps import StepWindows


def make_windows(
    graph: CoreGraph, checkpoint: bool | int, check_finite: bool
) -> StepWindows | None:
    """The windows that a user asked for; None without `checkpoint`.

    Raises
    ------
    DeclarationError
        If `checkpoint` is not a number of steps.
    EstimatorError
        If the graph has no scan, or each lies in another; if `check_finite` needs all steps.
    """
    if checkpoint is False:
        return None
    if not isinstance(checkpoint, (int, np.integer)) or checkpoint < 1:
        raise DeclarationError(
            "scg.compile: checkpoint must be a number of steps, or True for √T of T steps; got "
            f"{checkpoint!r}"
        )
    scans = graph.scans.values()
    if not scans:
        raise EstimatorError(
            f"checkpoint={checkpoint}: graph {graph.name!r} has no scan, so that no step is run "
            "again; leave checkpoint out"
        )
    plates = dict.fromkeys(made.plate for made in scans)
    # A scan in a cell, or of each step, lies on the plate of the scan around it.
    lies = {made.name: {p for leaf in made.carries for p in leaf.plates} for made in scans}
    outer = dict.fromkeys(s.plate for s in scans if lies[s.name] & plates.keys() <= {s.plate})
    if not outer:
        names = ", ".join(repr(plate.name) for plate in plates)
        raise EstimatorError(
            f"checkpoint={checkpoint} takes windows along the outermost scans, and each scan of "
            f"graph {graph.name!r} lies in another one, over {names}; leave checkpoint out"
        )
    if check_finite:
        raise EstimatorError(
            f"checkpoint={checkpoint} holds one window of steps in memory, and check_finite=True "
            "all of them; leave one out"
        )
    from scg.schedule.sweeps import StepWindows  # a first call is to be fast

    windows, steps = None, None if checkpoint is True else int(checkpoint)
    for plate in outer:
        windows = StepWindows(plate, steps, windows)
    return windows
