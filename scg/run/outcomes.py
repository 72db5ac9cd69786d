"""Outcomes: the outputs of a step's programs, run by run, on noise that is given or drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.engine.program import Program
from scg.errors import CallError
from scg.graph.core import CoreGraph
from scg.ir.plate import Plate
from scg.run.binding import bind_noise
from scg.run.curvature import directions


class Outcomes:
    """Runs the program of a step and, with ``order=2``, its curvature on the same noise.

    Parameters
    ----------
    graph : Graph
        The declared graph.
    program : Program
        Costs and gradients.
    curvature : Program or None
        The Hessian times a direction.
    """

    def __init__(self, graph: CoreGraph, program: Program, curvature: Program | None):
        self.graph, self.program, self.curvature = graph, program, curvature
        self._programs = [program] if curvature is None else [program, curvature]
        self._leaves = {name: leaf for p in self._programs for name, leaf in p.noise.items()}

    def __call__(
        self, values: Mapping[str, Any], noise: Mapping[str, Any], sizes: Any, runs: int = 1
    ) -> dict[Any, np.ndarray]:
        """Run on noise by leaf name; every output has a leading axis of runs."""
        out = self.program.run(values, _restrict(noise, self.program), sizes)
        if self.curvature is not None:
            used = _restrict(noise, self.curvature)
            rows = [
                self.curvature.run({**values, **direction}, used, sizes)
                for direction in directions(self.graph)
            ]
            out |= {key: np.stack([row[key] for row in rows], axis=1) for key in rows[0]}
        return spread(out, runs)

    def draw(self, seed: Any, runs: range, sizes: Mapping[Plate, int]) -> dict[str, np.ndarray]:
        """Draw the noise of a seed for a range of runs, by leaf name."""
        noise: dict[str, np.ndarray] = {}
        for program in self._programs:
            noise |= program.draw_noise(seed, runs, sizes)
        return noise

    def given(self, noise: Mapping[str, Any], sizes: Mapping[Plate, int]) -> dict[str, np.ndarray]:
        """Return noise that a call brings as checked arrays."""
        return bind_noise(noise, self._leaves, sizes, self.program.dtype)

    def check_sizes(self, sizes: Mapping[Plate, int]) -> None:
        """Raise where noise lies on a plate whose size is not known."""
        for name, leaf in self._leaves.items():
            for plate in leaf.plates:
                if plate not in sizes and plate.length is None:
                    raise CallError(
                        f"noise {name!r} lies on plate {plate.name!r}, whose size comes from "
                        "data: step.noise(seed=1, data={...})"
                    )


def spread(out: dict[Any, np.ndarray], runs: int) -> dict[Any, np.ndarray]:
    """Repeat outputs that depend on no noise over the runs."""
    runs = max([runs, *map(len, out.values())])
    return {
        key: v if len(v) == runs else np.broadcast_to(v, (runs, *v.shape[1:]))
        for key, v in out.items()
    }


def _restrict(noise: Mapping[str, Any], program: Program) -> dict[str, Any]:
    return {name: noise[name] for name in program.noise}
