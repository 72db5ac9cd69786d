"""Walk: the expectation of a step's outputs over its noise, level by level.

The noise leaves are walked in the order in which they depend on each other. A leaf that only meets
comparisons is split into cells, which are exact. Any other element of noise is integrated by
adaptive quadrature on every branch of the elements before it: panels are cut where the program
jumps, bends or turns steeply, and then until two rules agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scg.engine.interpreter import Sizes, full
from scg.errors import EnumerationError
from scg.run.runner import Runner
from scg.verify.cells import cells
from scg.verify.integrand import Integrand
from scg.verify.kinks import ADVICE
from scg.verify.levels import Level
from scg.verify.line import ElementIntegral
from scg.verify.quadrature import Integral
from scg.verify.search import add_probes


@dataclass
class Branches:
    """Joint outcomes of the noise: their weights, and a representative of each leaf."""

    weight: np.ndarray
    noise: dict[str, np.ndarray] = field(default_factory=dict)


LIMIT = 1 << 20  # joint outcomes, or points
CONVERGED = 1e-6  # relative to the mean absolute value of an output


class Walk(Integrand):
    """Integrates the outputs of a step over its noise.

    If the noise is split into cells alone, `branches` are its outcomes afterwards. At a level
    among `stops` an integral begins anew.
    """

    stops: frozenset[int] = frozenset()

    def __init__(
        self, step: Runner, values: Mapping[str, Any], sizes: Sizes, squares: bool, limit: int
    ):
        super().__init__(step, values, sizes, squares, limit)
        self.branches = Branches(np.ones(1))
        add_probes(self)

    def __call__(self) -> Integral:
        """The expectation of all outputs, one row."""
        return self.integral(0, {}, np.ones(1))

    def integral(self, k: int, noise: dict[str, np.ndarray], weight: np.ndarray) -> Integral:
        """Integrate the levels from k on, on branches of the levels before, (branches, outputs)."""
        branches, origin = Branches(np.ones(len(weight)), noise), np.arange(len(weight))
        last, start = len(self.levels), k
        while k < last and self.levels[k].element is None and (k == start or k not in self.stops):
            branches, origin = self._split(self.levels[k], branches, origin)
            k += 1
        again = k != start and k in self.stops
        if not self.lines and k == last:
            self.branches = Branches(branches.weight, self.real(branches.noise))
        total: list[np.ndarray] | None = None
        length = self.block()
        for first in range(0, len(origin), length):
            rows = slice(first, first + length)
            below = {name: array[rows] for name, array in branches.noise.items()}
            own, share = origin[rows], branches.weight[rows]
            if k == last:
                found = self.run(below, len(own))
            elif again:
                found = self.integral(k, below, weight[own] * share)
            else:
                found = ElementIntegral(self, k, below, weight[own] * share, self.integral)()
            if total is None:
                total = [np.zeros((len(weight), part.shape[1])) for part in found]
            turns = np.flatnonzero(np.diff(own, prepend=-1))
            for part, add in zip(total, found, strict=True):
                part[own[turns]] += np.add.reduceat(add * share[:, None], turns, axis=0)
        assert total is not None
        return Integral(*total)

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
            self.check(len(weight) * points.shape[1])
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


def converged(walk: Walk) -> Integral:
    """Integrate, or raise where the error is not small."""
    found = walk()
    if not walk.lines:  # exact, and not finite where the estimate is not
        return found
    doubt = found.error[0] / walk.scale(found.size[0])
    if not np.all(doubt <= CONVERGED):
        worst = int(np.argmax(np.where(np.isnan(doubt), np.inf, doubt)))
        what = "the square of " if worst >= len(doubt) // (1 + walk.squares) else ""
        raise EnumerationError(
            f"the mean of {what}{walk.name(worst)} was found to {doubt[worst]:.1g} of its size "
            f"only: it may be infinite, or hard to integrate. {ADVICE}"
        )
    return found
