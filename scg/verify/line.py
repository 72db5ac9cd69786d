"""Line: adaptive quadrature along one element of noise, on many branches at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from scg.engine.interpreter import Sizes, full
from scg.errors import EnumerationError
from scg.ir.expr import Expr
from scg.run.step import Step
from scg.verify.kinks import ADVICE, JUMPING, Cuts, cuts, order_of_roots
from scg.verify.levels import Level
from scg.verify.quadrature import GOLDEN, LAWS, PANEL, SCAN, Cell, Integral, error

_SHORT = 1e-14  # the shortest panel, relative to where it ends
_PATIENT = 64  # cells, before a rule that hardly ever does is left out
_SHARE = 0.02  # a short panel may have this part of the error
_ROUNDING = 1e-13
_GAP = 2e-15  # no point of a panel lies on the other side of its threshold


class Panels(NamedTuple):
    """Panels: branch, cell, start and end in it, and whether easy rules are yet to be tried."""

    row: np.ndarray
    low: np.ndarray
    high: np.ndarray
    a: np.ndarray
    b: np.ndarray
    fresh: np.ndarray

    def where(self, kept: np.ndarray | slice) -> Panels:
        """Return some of the panels."""
        return Panels(*(each[kept] for each in self))

    @property
    def cell(self) -> Cell:
        """The cells that the panels are parts of."""
        return Cell(self.low[:, None], self.high[:, None])


class Walk(Protocol):
    """What a line must know of the walk that it is a part of; see :mod:`scg.verify.walk`."""

    step: Step
    values: Mapping[str, Any]
    sizes: Sizes
    levels: list[Level]
    leaves: dict[str, Expr]
    first: int
    luck: dict[tuple[int, int | None], list[int]]
    allowed: np.ndarray

    def integral(self, k: int, noise: dict[str, np.ndarray], weight: np.ndarray) -> Integral:
        """Integrate the levels from k on."""
        ...

    def allow(self, size: np.ndarray) -> None:
        """Allow an error that is small against outputs of this size."""
        ...

    def name(self, column: Any) -> str:
        """Say which output a number belongs to."""
        ...

    def spend(self, points: int) -> None:
        """Count points that are computed, and refuse more than the limit."""
        ...


class Line:
    """One element of noise on some branches: panels, and what was found on them."""

    def __init__(self, walk: Walk, k: int, noise: dict[str, np.ndarray], weight: np.ndarray):
        self.walk, self.k, self.weight = walk, k, weight
        self.level = walk.levels[k]
        self.element = self.level.element or 0
        leaf, shape = self.level.leaf, full(self.level.leaf, walk.sizes)
        self.name: str = leaf.attrs["name"]
        self.law = LAWS[leaf.attrs["law"]]
        self.noise = noise
        noise.setdefault(self.name, np.full((len(weight), *shape), 0.5))
        self.patience = np.maximum(1.0, 1.0 / (64.0 * weight))  # with what hardly ever happens
        self.allowed = walk.allowed * self.patience[:, None]
        self.total = Integral(*(np.zeros(self.allowed.shape) for _ in range(3)))
        self.top: np.ndarray | None = None
        self.points = 0

    def start(self) -> Panels:
        """Cut the line at thresholds."""
        law, rows, walk = self.law, len(self.weight), self.walk
        found = self.level.thresholds(walk.values, self.noise, rows, walk.sizes)[self.element]
        inside = np.where(np.isnan(found), -np.inf, found)
        ends = np.broadcast_to([0.0, 1.0], (rows, 2))
        edges = np.sort(np.concatenate([ends, law.place(inside)], axis=1), axis=1)
        row = np.repeat(np.arange(rows), edges.shape[1] - 1)
        low, high = edges[:, :-1].ravel(), edges[:, 1:].ravel()
        low = np.where(low > 0.0, low * (1.0 + _GAP), low)  # beside the jumps
        high = np.where(high < 1.0, high * (1.0 - _GAP), high)
        none, all_ = np.zeros(len(row)), np.ones(len(row))
        return Panels(row, low, high, none, all_, np.ones(len(row), bool))

    def step(self, panels: Panels) -> Panels:
        """Cut panels, or apply rules to them; return the panels that are left."""
        low, high = self._ends(panels)
        panels = panels.where(high - low > (_SHORT * high if self._moves else 0.0))
        left: list[Panels] = []
        if self._probing and len(panels.row):
            cut = self._cuts(panels)
            left.append(self._pieces(panels, cut))
            panels = panels.where(~np.isin(np.arange(len(panels.row)), cut.panel))
        if not self._moves:
            self._constant(panels)
            return joined(left or [panels.where(np.s_[:0])])
        fresh, hard = panels.where(panels.fresh), panels.where(~panels.fresh)
        for number in range(self.law.easy_rules):
            fresh = fresh.where(~self._rule(fresh, number))
        hard = joined([hard, fresh._replace(fresh=np.zeros(len(fresh.row), bool))])
        hard = hard.where(~self._rule(hard, None))
        middle = hard.a + GOLDEN * (hard.b - hard.a)
        return joined([*left, hard._replace(b=middle), hard._replace(a=middle)])

    def _ends(self, panels: Panels) -> tuple[np.ndarray, np.ndarray]:
        """Return where panels start and end."""
        ends = np.stack([panels.a, panels.b], axis=1)
        low, high = panels.cell.gathered(ends, self.law.power)[0].T
        return low, high

    @property
    def _moves(self) -> bool:
        """Whether outputs, or the steps of later noise, move with the element between cuts."""
        kinks = self.level.kinks
        return kinks is None or kinks.moves or self.level.probes != ({},)

    def _rule(self, panels: Panels, easy: int | None) -> np.ndarray:
        """Apply a pair of rules; return for which panels they agree."""
        row, cell = panels.row, panels.cell
        luck = self.walk.luck.setdefault((self.k, easy), [0, 0])
        if not len(row) or (easy is not None and luck[0] > _PATIENT and luck[1] < luck[0] / 8):
            return np.zeros(len(row), bool)
        x, share, rival, clipped = (
            self.law.hard(cell, panels.a[:, None], panels.b[:, None])
            if easy is None
            else self.law.easy(cell, easy)
        )
        values, sizes, errors = self._values(row, x, share)
        found, other, size, below, tails = (
            np.einsum("pk,pko->po", weights, part)
            for weights, part in (
                (share, values),
                (rival, values),
                (share, sizes),
                (share, errors),
                (2.0 * share * clipped, sizes),
            )
        )
        doubt = error(found, other)
        self._learn(row, size)
        low, high = self._ends(panels)
        short = (high - low < 2.0 * _SHORT * high) | (high < 2.0 * _SHORT)
        # What may be singular beside the shortest panels is not much more than what they hold.
        tails += np.where(short[:, None], 4.0 * size, 0.0)
        # Finer panels leave tails as they are, but other rules may reach farther out.
        known = doubt if easy is None else doubt + tails
        done = self._settled(row, high - low, known, size) | short
        luck[0] += len(row)
        luck[1] += int(done.sum())
        ends = (panels.a == 0.0) + 1.0 * (panels.b == 1.0)  # the place of a jump is rounded
        doubt += below + tails + (_GAP * ends / (high - low))[:, None] * size
        self._add(row[done], found[done], size[done], doubt[done])
        return done

    def _constant(self, panels: Panels) -> None:
        """Add panels on which the outputs are constant."""
        low, high = self._ends(panels)
        share = self.law.mass(low, high)[:, None]
        kept = share[:, 0] > 0.0
        if kept.any():
            x, _ = self.law.value((low + high)[kept, None] / 2.0)
            row, share = panels.row[kept], share[kept]
            values, sizes, _ = (part[:, 0] for part in self._values(row, x, share))
            self._add(row, values * share, sizes * share, _GAP * sizes)

    def _settled(
        self, row: np.ndarray, length: np.ndarray, doubt: np.ndarray, size: np.ndarray
    ) -> np.ndarray:
        """Return which panels need no finer ones."""
        sums = np.zeros(self.allowed.shape)
        np.add.at(sums, row, doubt)
        share = self.allowed[row] * np.maximum(length, _SHARE)[:, None]
        fine = np.all(doubt <= np.maximum(share, _ROUNDING * size), axis=1)
        return fine | np.all(sums <= self.allowed, axis=1)[row]

    def _learn(self, row: np.ndarray, size: np.ndarray) -> None:
        """Raise the error that is allowed where outputs prove larger than in the pilot's runs."""
        if self.k != self.walk.first:
            return
        found = self.weight @ self.total.size + self.weight[row] @ size
        self.walk.allow(found)
        self.allowed = self.walk.allowed * self.patience[:, None]

    def _add(self, row: np.ndarray, *parts: np.ndarray) -> None:
        for total, part in zip(self.total, parts, strict=True):
            np.add.at(total, row, part)

    def _values(
        self, row: np.ndarray, x: np.ndarray, share: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return outputs at points, (panels, points, outputs), their sizes and errors."""
        self.points += x.size
        weight = np.maximum(self.weight[row, None] * np.abs(share), 1e-300)
        noise = self._noise(np.repeat(row, x.shape[1]), x.ravel())
        found = self.walk.integral(self.k + 1, noise, weight.ravel())
        value, size, doubt = (part.reshape(*x.shape, -1) for part in found)
        bad = ~np.isfinite(value)
        if bad.any():
            raise EnumerationError(
                f"the estimate of {self.walk.name(np.argmax(bad.any(axis=(0, 1))))} is not finite "
                f"where {self.name!r} is {x[bad.any(axis=2)][0]:.6g}: it has no mean that "
                f"quadrature could find. {ADVICE}"
            )
        return value, size, doubt

    def _noise(self, row: np.ndarray, x: np.ndarray) -> dict[str, np.ndarray]:
        noise = {name: array[row] for name, array in self.noise.items()}
        noise[self.name].reshape(len(row), -1)[:, self.element] = x
        return noise

    # --- kinks ------------------------------------------------------------------------------------
    @property
    def _probing(self) -> bool:
        return self.level.kinks is not None and self.level.kinks.program is not None

    def _cuts(self, panels: Panels) -> Cuts:
        row, places = panels.row, SCAN if panels.fresh.any() else PANEL.points
        s = panels.a[:, None] + (panels.b - panels.a)[:, None] * np.array([0.0, *places, 1.0])
        t, _ = panels.cell.gathered(s, self.law.power)

        def probe(panel: np.ndarray, points: np.ndarray) -> dict[str, np.ndarray]:
            return self._probe(row[panel], points)

        found = probe(np.arange(len(row)), t)
        top = np.zeros((len(row), 0))
        if "exponential" in found:
            x = np.where(np.isnan(found["exponential"]), -np.inf, found["exponential"])
            if self.top is None:
                self.top = np.full((len(self.weight), x.shape[2]), -np.inf)
            np.maximum.at(self.top, row, np.max(x, axis=1))
            top = self.top[row]
        mass = self.law.mass(t[:, :-1], t[:, 1:])
        return cuts(found, t, mass, top, probe)

    def _pieces(self, panels: Panels, cut: Cuts) -> Panels:
        """Return the pieces of panels that are cut, each a cell of its own."""
        which, count = np.unique(cut.panel, return_counts=True)
        order = np.lexsort((cut.end, cut.panel))
        panel = np.repeat(which, count + 1)
        ends = np.ones(len(panel), bool)
        ends[np.cumsum(count + 1) - 1] = False
        starts = np.roll(ends, 1)
        low, high = self._ends(panels)
        start, end = low[panel], high[panel]
        end[ends], start[starts] = cut.end[order], cut.start[order]
        return Panels(
            panels.row[panel],
            start,
            end,
            np.zeros(len(panel)),
            np.ones(len(panel)),
            panels.fresh[panel],
        )

    def _probe(self, row: np.ndarray, t: np.ndarray) -> dict[str, np.ndarray]:
        """Compute codes and arguments, (panels, points, outputs), at probes of later noise."""
        kinks = self.level.kinks
        assert kinks is not None
        x, _ = self.law.value(t)
        noise = self._noise(np.repeat(row, t.shape[1]), x.ravel())
        share = self.walk.step.program.block_length(self.walk.sizes) / kinks.length(self.walk.sizes)
        self.walk.spend(int(share * x.size * (len(self.level.probes) + len(self.level.ladder))))
        found: dict[str, list[np.ndarray]] = {}
        for i, fill in enumerate(self.level.probes):
            filled = self._filled(noise, fill, x.size)
            for kind, value in kinks.run(self.walk.values, filled, x.size, self.walk.sizes).items():
                if not (i and i == len(self.level.probes) - 1 and kind in JUMPING):
                    found.setdefault(kind, []).append(value.reshape(*t.shape, -1))
        if self.level.ladder:
            signs = []
            for fill in self.level.ladder:
                filled = self._filled(noise, fill, x.size)
                run = kinks.run(self.walk.values, filled, x.size, self.walk.sizes)
                signs.append(run["sign"].reshape(*t.shape, -1))
            order = order_of_roots(np.stack(signs, axis=2))
            found.setdefault("code", []).append(order[..., None])
        return {kind: np.concatenate(each, axis=2) for kind, each in found.items()}

    def _filled(self, noise: dict[str, np.ndarray], fill: dict[str, Any], rows: int) -> dict:
        """Give later elements the values of a probe."""
        filled = dict(noise)
        for name, value in fill.items():
            if name == self.name:
                filled[name] = noise[name].copy()
                later = np.broadcast_to(value, noise[name].shape[1:]).ravel()[self.element + 1 :]
                filled[name].reshape(rows, -1)[:, self.element + 1 :] = later
            else:
                leaf = self.walk.leaves[name]
                filled[name] = np.broadcast_to(value, (rows, *full(leaf, self.walk.sizes)))
        return filled


def joined(parts: Sequence[Panels]) -> Panels:
    """Return panels one after the other."""
    return Panels(*(np.concatenate(each) for each in zip(*parts, strict=True)))
