"""Walk: the expectation of a step's outputs over its noise, element by element.

The noise leaves are walked in the order in which they depend on each other. A leaf that only meets
comparisons is split into cells, which are exact. Any other element of noise is integrated by
adaptive quadrature on every branch of the elements before it: panels are cut where the program
jumps, bends or turns steeply, and then until two rules agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scg.engine.interpreter import Sizes, full
from scg.errors import EnumerationError
from scg.run.step import Step
from scg.verify.cells import cells
from scg.verify.kinks import SIGNED, Kinks
from scg.verify.levels import Level, levels
from scg.verify.line import Line, joined
from scg.verify.quadrature import LAWS, PANEL, Integral
from scg.verify.search import rare_points

_TARGET = 1e-9  # relative to the mean absolute value of an output
_LOOSE = 1e-7  # the same from three integrals on
_PILOT = 256  # runs
_BLOCK = 1 << 21  # outputs in memory


@dataclass
class Branches:
    """Joint outcomes of the noise: their weights, and a representative of each leaf."""

    weight: np.ndarray
    noise: dict[str, np.ndarray] = field(default_factory=dict)


class Walk:
    """Integrates the outputs of a step over its noise.

    Parameters
    ----------
    step : Step
        What is integrated, at `values` of parameters, data and state.
    squares : bool
        Whether to integrate the squares of the outputs, too.
    limit : int
        The largest number of points.
    """

    def __init__(
        self, step: Step, values: Mapping[str, Any], sizes: Sizes, squares: bool, limit: int
    ):
        self.step, self.values, self.sizes = step, values, sizes
        self.squares, self.limit = squares, limit
        self.luck: dict[tuple[int, int | None], list[int]] = {}  # of rules: cells tried, and done
        self.count, self.branches = 0, Branches(np.ones(1))
        self.levels = levels(step, sizes)
        self.leaves = {level.leaf.attrs["name"]: level.leaf for level in self.levels}
        self.lines = sum(level.element is not None for level in self.levels)
        self.keys: list[tuple[Any, tuple[int, ...], int]] = []  # outputs: key, shape, elements
        self.largest, self.allowed, self.first = np.zeros(()), np.zeros(0), 0
        if self.lines:
            if step.program.dtype != np.float64:
                raise EnumerationError(
                    "quadrature needs the precision of float64, and this step computes in "
                    f'{step.program.dtype}: scg.compile(..., dtype="float64")'
                )
            self.first = next(k for k, e in enumerate(self.levels) if e.element is not None)
            self.allow(self._pilot())
            self._search()

    def __call__(self) -> Integral:
        """Return the expectation of all outputs, one row."""
        return self.integral(0, {}, np.ones(1))

    def named(self, row: np.ndarray) -> tuple[dict[Any, np.ndarray], dict[Any, np.ndarray]]:
        """Return a row of numbers as outputs by key, and those of the squares."""
        found: list[dict[Any, np.ndarray]] = [{}, {}]
        start = 0
        for each in found[: 1 + self.squares]:
            for key, shape, count in self.keys:
                each[key] = row[start : start + count].reshape(shape)
                start += count
        return found[0], found[1]

    def name(self, column: Any) -> str:
        """Say which output a number belongs to."""
        counts = np.cumsum([count for _, _, count in self.keys])
        key = self.keys[int(np.searchsorted(counts, int(column) % counts[-1], side="right"))][0]
        return "the gradient of " + repr(key[1]) if key[0] == "grads" else " ".join(map(str, key))

    # --- one branch after the other ---------------------------------------------------------------
    def integral(self, k: int, noise: dict[str, np.ndarray], weight: np.ndarray) -> Integral:
        """Integrate the levels from k on, on branches of the levels before, (branches, outputs)."""
        branches, origin = Branches(np.ones(len(weight)), noise), np.arange(len(weight))
        while k < len(self.levels) and self.levels[k].element is None:
            branches, origin = self._split(self.levels[k], branches, origin)
            k += 1
        if not self.lines:
            self.branches = Branches(branches.weight, self.real(branches.noise))
        total: list[np.ndarray] | None = None
        length = self._length()
        for start in range(0, len(origin), length):
            rows = slice(start, start + length)
            below = {name: array[rows] for name, array in branches.noise.items()}
            own, share = origin[rows], branches.weight[rows]
            if k == len(self.levels):
                found = self._run(below, len(own))
            else:
                found = self._line(k, below, weight[own] * share)
            if total is None:
                total = [np.zeros((len(weight), part.shape[1])) for part in found]
            first = np.flatnonzero(np.diff(own, prepend=-1))
            for part, add in zip(total, found, strict=True):
                part[own[first]] += np.add.reduceat(add * share[:, None], first, axis=0)
        assert total is not None
        return Integral(*total)

    def _length(self) -> int:
        outputs = sum(count for _, _, count in self.keys) * (1 + self.squares)
        runs = self.step.program.block_length(self.sizes)
        return max(1, min(runs, _BLOCK // max(outputs, 1)))

    def _run(self, noise: dict[str, np.ndarray], rows: int) -> Integral:
        """Run the step on points of the noise."""
        self.spend(rows)
        value = self._flat(self.step.outcomes(self.values, self.real(noise), self.sizes, rows))
        return Integral(value, np.abs(value), np.zeros(value.shape))

    def real(self, noise: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the noise that the step reads: coupled uniforms become their leaves."""
        real = dict(noise)
        for level in self.levels:
            if level.coupled:
                points = real.pop(level.leaf.attrs["name"])
                real.update(level.coupled.noise(level.leaf, points))
        return real

    def _flat(self, out: dict[Any, np.ndarray]) -> np.ndarray:
        if not self.keys:
            for key, value in out.items():
                shape = value.shape[1:]
                self.keys.append((key, shape, int(np.prod(shape, dtype=int))))
        rows = [out[key].reshape(-1, count) for key, _, count in self.keys]
        value = np.concatenate(rows, axis=1, dtype=float)
        return np.concatenate([value, value**2], axis=1) if self.squares else value

    def spend(self, points: int) -> None:
        """Count points that are computed, and refuse more than the limit."""
        self.count += points
        self._check(self.count)

    def _check(self, count: int) -> None:
        if count > self.limit:
            raise EnumerationError(
                f"more than {self.limit} joint outcomes of the noise: too many for exact moments. "
                "Use a smaller graph, or many runs: scg.check(step, params, seed=0)"
            )

    # --- cells ------------------------------------------------------------------------------------
    def _split(
        self, level: Level, joint: Branches, origin: np.ndarray
    ) -> tuple[Branches, np.ndarray]:
        """Multiply branches with the cells, or the boxes, of a leaf."""
        leaf, coupled = level.leaf, level.coupled
        count = len(joint.weight)
        split = level.thresholds(self.values, joint.noise, count, self.sizes)
        parent, weight = np.arange(count), joint.weight
        shape = full(leaf, self.sizes)
        elements: dict[int, np.ndarray] = {}
        groups = coupled.groups(leaf, shape) if coupled else np.arange(len(split))[:, None]
        for group in groups:
            if coupled:
                points, shares = coupled.boxes([split[i] for i in group])
            else:
                points, shares = cells(leaf.attrs["law"], split[group[0]])
                points = points[..., None]
            points, shares = points[parent], shares[parent]
            self._check(len(weight) * points.shape[1])
            product = (weight[:, None] * shares).reshape(-1)
            kept = np.flatnonzero(product > 0)
            before = kept // points.shape[1]
            elements = {i: column[before] for i, column in elements.items()}
            columns = points.reshape(-1, len(group))[kept]
            elements |= {i: columns[:, j] for j, i in enumerate(group)}
            weight, parent = product[kept], parent[before]
        columns = [elements[i] for i in range(len(elements))]
        column = np.stack(columns, axis=1) if columns else np.empty((len(weight), 0))
        noise = {name: array[parent] for name, array in joint.noise.items()}
        noise[leaf.attrs["name"]] = column.reshape(len(weight), *shape)
        return Branches(weight, noise), origin[parent]

    # --- integrals --------------------------------------------------------------------------------
    def _pilot(self) -> np.ndarray:
        """Return the mean absolute outputs of some runs."""
        noise = self.step.outcomes.draw(0, range(_PILOT), self.sizes)
        found = self.step.outcomes(self.values, noise, self.sizes, _PILOT)
        return np.mean(np.abs(self._flat(found)), axis=0)

    def _search(self) -> None:
        """Add what is rare in several elements at once to the probes of later noise."""
        rng = np.random.default_rng(0)
        noise: dict[str, np.ndarray] = {}
        for name, leaf in self.leaves.items():
            shape = (_PILOT, *full(leaf, self.sizes))
            uniform = leaf.attrs["law"] == "uniform"
            noise[name] = rng.random(shape) if uniform else rng.standard_normal(shape)
        for kinks in dict.fromkeys(level.kinks for level in self.levels):
            joint = [k for k, e in enumerate(self.levels) if e.kinks is kinks and e.probes[0]]
            if kinks is None or not joint or kinks.program is None:
                continue

            def signs(points: dict[str, np.ndarray], kinks: Kinks = kinks) -> np.ndarray:
                rows = len(next(iter(points.values())))
                share = self.step.program.block_length(self.sizes) / kinks.length(self.sizes)
                self.spend(int(share * rows))
                found = kinks.run(self.values, points, rows, self.sizes)
                none = np.empty((rows, 0))
                return np.concatenate([found.get(kind, none) for kind in SIGNED], axis=1)

            laws = {
                name: LAWS[self.leaves[name].attrs["law"]]
                for name in kinks.program.noise
                if any(e.leaf is self.leaves[name] and e.element is not None for e in self.levels)
            }
            rare = rare_points(signs, noise, laws)
            for k in joint:
                probes = self.levels[k].probes
                known = [{name: point[name] for name in probes[0]} for point in rare]
                self.levels[k] = replace(self.levels[k], probes=(*known, *probes))

    def allow(self, size: np.ndarray) -> None:
        """Allow an error that is small against outputs of this size."""
        self.largest = np.maximum(self.largest, size)
        self.allowed = (_TARGET if self.lines < 3 else _LOOSE) * self.scale(self.largest)

    def scale(self, size: np.ndarray) -> np.ndarray:
        """Return for each number the size of the largest of its output; tiny outputs count less."""
        scales: list[np.ndarray] = []
        for power, named in enumerate(self.named(size)[: 1 + self.squares], start=1):
            each = [np.max(value, initial=0.0) for value in named.values()]
            least = max([1e-8**power * max(each), np.finfo(float).tiny])
            for top, (_, _, count) in zip(each, self.keys, strict=True):
                scales.append(np.full(count, max(top, least)))
        return np.concatenate(scales)

    def _line(self, k: int, noise: dict[str, np.ndarray], weight: np.ndarray) -> Integral:
        """Integrate one element of noise on every branch."""
        line = Line(self, k, noise, weight)
        pending = line.start()
        length = max(1, self._length() // len(PANEL.points))
        while len(pending.row):
            points = len(pending.row) * len(PANEL.points)
            each = self.count / line.points if k == self.first and line.points else 1.0
            self._check(self.count + int(points * each))  # what is to come, at the least
            parts = (
                line.step(pending.where(np.s_[start : start + length]))
                for start in range(0, len(pending.row), length)
            )
            pending = joined(list(parts))
        return line.total
