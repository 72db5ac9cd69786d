"""Checkpoint: the windows of steps in which a step runs, to save memory."""

from __future__ import annotations

import numpy as np

from scg.errors import DeclarationError, EstimatorError
from scg.graph.core import CoreGraph
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
        If the graph has no scan, or none around all others; if `check_finite` needs all steps.
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
    if len(outer) != 1:
        names = ", ".join(repr(plate.name) for plate in outer or plates)
        raise EstimatorError(
            f"checkpoint={checkpoint} takes windows along one ordered plate, and graph "
            f"{graph.name!r} scans over {names}, none inside of the other; leave checkpoint out"
        )
    if check_finite:
        raise EstimatorError(
            f"checkpoint={checkpoint} holds one window of steps in memory, and check_finite=True "
            "all of them; leave one out"
        )
    return StepWindows(next(iter(outer)), None if checkpoint is True else int(checkpoint))
