"""Integrand: the outputs of a step as a function of its noise, in one row of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.engine.interpreter import Sizes
from scg.errors import EnumerationError
from scg.run.runner import Runner
from scg.verify.levels import levels
from scg.verify.quadrature import PANEL, Integral

_TARGET = 1e-9  # relative to the mean absolute value of an output
_LOOSE = 1e-7  # the same from three integrals on
_ROUNDING = 1e-15  # relative to the largest output: differences of outputs are no more exact
_PILOT = 256  # runs
_BLOCK = 1 << 21  # outputs in memory


class Integrand:
    """The outputs of a step, with their squares if wanted, at `values` of parameters and data.

    `count` of at most `limit` points have been computed; `lines` elements of noise are integrated,
    the first of which is level `first`; each number may have an error of `allowed`.
    """

    def __init__(
        self, step: Runner, values: Mapping[str, Any], sizes: Sizes, squares: bool, limit: int
    ):
        self.step, self.values, self.sizes = step, values, sizes
        self.squares, self.limit, self.count = squares, limit, 0
        self.levels = levels(step, sizes, self.rank)
        self.leaves = {level.leaf.attrs["name"]: level.leaf for level in self.levels}
        integrals = [k for k, level in enumerate(self.levels) if level.element is not None]
        self.lines, self.first = len(integrals), min(integrals, default=0)
        self.luck: dict[tuple[int, int | None], list[int]] = {}  # of rules: cells tried, and done
        self.keys: list[tuple[Any, tuple[int, ...], int]] = []  # outputs: key, shape, elements
        self.largest, self.allowed = np.zeros(()), np.zeros(0)
        if self.lines:
            if step.program.dtype != np.float64:
                raise EnumerationError(
                    "quadrature needs the precision of float64, and this step computes in "
                    f'{step.program.dtype}: scg.compile(..., dtype="float64")'
                )
            moving = sum(level.element is not None and level.moves for level in self.levels)
            self.check(len(PANEL.points) ** moving)  # no rule has fewer points
            noise = step.program.draw_noise(0, range(_PILOT), sizes)
            pilot = self._flat(step.outcomes(values, noise, sizes, _PILOT))
            self.allow(np.mean(np.abs(pilot), axis=0))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self  # for the results that look at it: it changes no more, and names nodes

    def run(self, noise: dict[str, np.ndarray], rows: int) -> Integral:
        """Run the step on points of the noise."""
        self.spend(rows)
        value = self._flat(self.step.outcomes(self.values, self.real(noise), self.sizes, rows))
        return Integral(value, np.abs(value), np.zeros(value.shape))

    def real(self, noise: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The noise that the step reads, with coupled uniforms turned into their leaves."""
        real = dict(noise)
        for level in self.levels:
            if level.coupled:
                points = real.pop(level.leaf.attrs["name"])
                real.update(level.coupled.noise(level.leaf, points))
        return real

    def rank(self, name: str) -> int:
        """The rank of a leaf, by its name: noise of a lower rank is walked first."""
        return 0

    def extended(self, out: dict[Any, np.ndarray]) -> dict[Any, np.ndarray]:
        """The outputs of runs, with what else is to be integrated."""
        return out

    def _flat(self, out: dict[Any, np.ndarray]) -> np.ndarray:
        out = self.extended(out)
        if not self.keys:
            for key, value in out.items():
                shape = value.shape[1:]
                self.keys.append((key, shape, int(np.prod(shape, dtype=int))))
        rows = [out[key].reshape(len(out[key]), count) for key, _, count in self.keys]
        value = np.concatenate(rows, axis=1, dtype=float)
        return np.concatenate([value, value**2], axis=1) if self.squares else value

    def named(self, row: np.ndarray) -> tuple[dict[Any, np.ndarray], dict[Any, np.ndarray]]:
        """A row of numbers as outputs by key, and those of the squares."""
        found: list[dict[Any, np.ndarray]] = [{}, {}]
        start = 0
        for each in found[: 1 + self.squares]:
            for key, shape, count in self.keys:
                each[key] = row[start : start + count].reshape(shape)
                start += count
        return found[0], found[1]

    def name(self, column: Any) -> str:
        """Name the output that a number belongs to."""
        counts = np.cumsum([count for _, _, count in self.keys])
        key = self.keys[int(np.searchsorted(counts, int(column) % counts[-1], side="right"))][0]
        return "the gradient of " + repr(key[1]) if key[0] == "grads" else " ".join(map(str, key))

    # --- how exactly ------------------------------------------------------------------------------
    def allow(self, size: np.ndarray) -> None:
        """Allow an error that is small against outputs of this size."""
        self.largest = np.maximum(self.largest, size)
        target = _TARGET if self.lines < 3 else _LOOSE
        rounding = _ROUNDING * self.scale(self.largest, least=1.0)
        self.allowed = np.maximum(target * self.scale(self.largest), rounding)

    def scale(self, size: np.ndarray, least: float = 1e-8) -> np.ndarray:
        """For each number the size of its output, but `least` of the largest output at least."""
        scales: list[np.ndarray] = []
        for power, named in enumerate(self.named(size)[: 1 + self.squares], start=1):
            each = [np.max(value, initial=0.0) for value in named.values()]
            floor = max([least**power * max(each), np.finfo(float).tiny])
            for top, (_, _, count) in zip(each, self.keys, strict=True):
                scales.append(np.full(count, max(top, floor)))
        return np.concatenate(scales)

    # --- how many ---------------------------------------------------------------------------------
    def block(self) -> int:
        """Number of points to compute at once."""
        outputs = sum(count for _, _, count in self.keys) * (1 + self.squares)
        return max(1, min(self.step.program.block_length(self.sizes), _BLOCK // max(outputs, 1)))

    def spend(self, points: int) -> None:
        """Count points that are computed, and refuse more than the limit."""
        self.count += points
        self.check(self.count)

    def check(self, count: int) -> None:
        """Refuse more points than the limit."""
        if count > self.limit:
            raise EnumerationError(
                f"more than {self.limit} joint outcomes of the noise: too many for exact moments. "
                "Use a smaller graph, or many runs: scg.check(step, params, seed=0)"
            )
