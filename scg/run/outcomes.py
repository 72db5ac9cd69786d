"""Outcomes: the outputs of a step's program, run by run, on noise that is given or drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.engine.program import Program
from scg.errors import CallError
from scg.ir.plate import Plate
from scg.run.binding import bind_noise


class Outcomes:
    """Runs the program of a step on arrays of noise."""

    def __init__(self, program: Program):
        self.program = program

    def __call__(
        self, values: Mapping[str, Any], noise: Mapping[str, Any], sizes: Any, runs: int = 1
    ) -> dict[Any, np.ndarray]:
        """Run on noise by leaf name; every output has a leading axis of runs."""
        return spread(self.program.run(values, noise, sizes), runs)

    def draw(self, seed: Any, runs: range, sizes: Mapping[Plate, int]) -> dict[str, np.ndarray]:
        """Draw the noise of a seed for a range of runs, by leaf name."""
        return self.program.draw_noise(seed, runs, sizes)

    def given(self, noise: Mapping[str, Any], sizes: Mapping[Plate, int]) -> dict[str, np.ndarray]:
        """Return noise that a call brings as checked arrays."""
        return bind_noise(noise, self.program.noise, sizes, self.program.dtype)

    def check_sizes(self, sizes: Mapping[Plate, int]) -> None:
        """Raise where noise lies on a plate whose size is not known."""
        for name, leaf in self.program.noise.items():
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
