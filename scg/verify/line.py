"""Line: adaptive quadrature along one element of noise, on many branches at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from scg.engine.interpreter import full
from scg.errors import EnumerationError
from scg.verify.cuts import Cuts, cuts
from scg.verify.integrand import Integrand
from scg.verify.kinks import ADVICE, JUMPING, order_of_roots
from scg.verify.quadrature import GOLDEN, MEASURES, PANEL, SCAN, Integral, gathered

_SHORT = 1e-14  # the shortest panel, relative to where it ends
_PATIENT = 64  # cells, before a rule that hardly ever does is left out
_SHARE = 0.02  # a short panel may have this part of the error
_ROUNDING = 1e-13
_SAFETY = 4.0  # the error of the better of two rules, in units of their difference
_GAP = 2e-15  # no point of a panel lies on the other side of its threshold

#: Integrates the levels from a number on, given noise and weights of branches.
Inner = Callable[[int, dict[str, np.ndarray], np.ndarray], Integral]


class Panels(NamedTuple):
    """Panels: branch, cell, start and end in it, and whether easy rules are yet to be tried."""

    row: np.ndarray
    low: np.ndarray
    high: np.ndarray
    a: np.ndarray
    b: np.ndarray
    fresh: np.ndarray

    def where(self, kept: np.ndarray | slice) -> Panels:
        """Some of the panels."""
        return Panels(*(each[kept] for each in self))

    def places(self, s: np.ndarray, power: int) -> np.ndarray:
        """Where points s in (0, 1) of each panel lie on the line, (panels, points)."""
        s = self.a[:, None] + (self.b - self.a)[:, None] * s
        return gathered(self.low[:, None], self.high[:, None], s, power)[0]


class ElementIntegral:
    """The integral over the element of level k, on branches with earlier noise and a weight each.

    `inner` integrates the later levels at points of the element.
    """

    def __init__(
        self,
        integrand: Integrand,
        k: int,
        noise: dict[str, np.ndarray],
        weight: np.ndarray,
        inner: Inner,
    ):
        self.integrand, self.k, self.weight, self.inner = integrand, k, weight, inner
        self.level = integrand.levels[k]
        self.element = self.level.element or 0
        self.kinks = self.level.kinks
        leaf = self.level.leaf
        self.name: str = leaf.attrs["name"]
        self.measure = MEASURES[leaf.attrs["law"]]
        self.noise = noise
        noise.setdefault(self.name, np.full((len(weight), *full(leaf, integrand.sizes)), 0.5))
        self.patience = np.maximum(1.0, 1.0 / (64.0 * weight))  # with what hardly ever happens
        self.allowed = integrand.allowed * self.patience[:, None]
        self.total = Integral(*(np.zeros(self.allowed.shape) for _ in range(3)))
        self.top: np.ndarray | None = None
        self.points = 0

    def __call__(self) -> Integral:
        """Halve panels until their rules agree; refuse more points than the limit."""
        integrand, pending = self.integrand, self._start()
        length = max(1, integrand.block() // len(PANEL.points))
        while len(pending.row):
            points = len(pending.row) * len(PANEL.points)
            first = self.k == integrand.first and self.points
            each = integrand.count / self.points if first else 1.0
            integrand.check(integrand.count + int(points * each))  # what is to come, at the least
            starts = range(0, len(pending.row), length)
            pending = joined([self._step(pending.where(np.s_[i : i + length])) for i in starts])
        return self.total

    def _start(self) -> Panels:
        """Cut the line at thresholds."""
        integrand, rows = self.integrand, len(self.weight)
        found = self.level.thresholds(integrand.values, self.noise, rows, integrand.sizes)
        inside = np.where(np.isnan(found[self.element]), -np.inf, found[self.element])
        ends = np.broadcast_to([0.0, 1.0], (rows, 2))
        edges = np.sort(np.concatenate([ends, self.measure.place(inside)], axis=1), axis=1)
        row = np.repeat(np.arange(rows), edges.shape[1] - 1)
        low, high = edges[:, :-1].ravel(), edges[:, 1:].ravel()
        low = np.where(low > 0.0, low * (1.0 + _GAP), low)  # beside the jumps
        high = np.where(high < 1.0, high * (1.0 - _GAP), high)
        return Panels(row, low, high, 0.0 * low, 0.0 * low + 1.0, np.ones(len(row), bool))

    def _step(self, panels: Panels) -> Panels:
        """Cut panels, or apply rules to them; the panels that are left."""
        low, high = self._ends(panels)
        panels = panels.where(high - low > (_SHORT * high if self.level.moves else 0.0))
        left: list[Panels] = []
        if self.kinks is not None and self.kinks.program is not None and len(panels.row):
            cut = self._cuts(panels)
            left.append(self._pieces(panels, cut))
            panels = panels.where(~np.isin(np.arange(len(panels.row)), cut.panel))
        if not self.level.moves:
            self._constant(panels)
            return joined(left or [panels.where(np.s_[:0])])
        fresh, hard = panels.where(panels.fresh), panels.where(~panels.fresh)
        for number in range(self.measure.easy_rules(fresh.low, fresh.high)):
            fresh = fresh.where(~self._rule(fresh, number))
        hard = joined([hard, fresh._replace(fresh=np.zeros(len(fresh.row), bool))])
        hard = hard.where(~self._rule(hard, None))
        middle = hard.a + GOLDEN * (hard.b - hard.a)
        return joined([*left, hard._replace(b=middle), hard._replace(a=middle)])

    def _ends(self, panels: Panels) -> tuple[np.ndarray, np.ndarray]:
        low, high = panels.places(np.array([0.0, 1.0]), self.measure.power).T
        return low, high

    def _rule(self, panels: Panels, easy: int | None) -> np.ndarray:
        """Apply a pair of rules; return for which panels they agree."""
        row, luck = panels.row, self.integrand.luck.setdefault((self.k, easy), [0, 0])
        if not len(row) or (easy is not None and luck[0] > _PATIENT and luck[1] < luck[0] / 8):
            return np.zeros(len(row), bool)
        low, high, a, b = (each[:, None] for each in panels[1:5])
        x, share, rival, clipped = self.measure.sums(low, high, a, b, easy)
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
        doubt = _SAFETY * np.abs(found - other)
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
        share = self.measure.mass(low, high)[:, None]
        kept = share[:, 0] > 0.0
        if kept.any():
            x = self.measure.at((low + high)[kept, None] / 2.0)
            row, share = panels.row[kept], share[kept]
            values, sizes, _ = (part[:, 0] for part in self._values(row, x, share))
            self._add(row, values * share, sizes * share, _GAP * sizes)

    def _settled(
        self, row: np.ndarray, length: np.ndarray, doubt: np.ndarray, size: np.ndarray
    ) -> np.ndarray:
        """Which panels need no finer ones."""
        sums = np.zeros(self.allowed.shape)
        np.add.at(sums, row, doubt)
        share = self.allowed[row] * np.maximum(length, _SHARE)[:, None]
        fine = np.all(doubt <= np.maximum(share, _ROUNDING * size), axis=1)
        return fine | np.all(sums <= self.allowed, axis=1)[row]

    def _learn(self, row: np.ndarray, size: np.ndarray) -> None:
        """Raise the error that is allowed where outputs prove larger than in the pilot's runs."""
        if self.k == self.integrand.first:
            self.integrand.allow(self.weight @ self.total.size + self.weight[row] @ size)
            self.allowed = self.integrand.allowed * self.patience[:, None]

    def _add(self, row: np.ndarray, *parts: np.ndarray) -> None:
        for total, part in zip(self.total, parts, strict=True):
            np.add.at(total, row, part)

    def _values(
        self, row: np.ndarray, x: np.ndarray, share: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Outputs at points, (panels, points, outputs), their sizes and errors."""
        self.points += x.size
        weight = np.maximum(self.weight[row, None] * np.abs(share), 1e-300)
        noise = self._noise(np.repeat(row, x.shape[1]), x.ravel())
        found = self.inner(self.k + 1, noise, weight.ravel())
        value, size, doubt = (part.reshape(*x.shape, -1) for part in found)
        bad = ~np.isfinite(value)
        if bad.any():
            what = self.integrand.name(np.argmax(bad.any(axis=(0, 1))))
            raise EnumerationError(
                f"the estimate of {what} is not finite where {self.name!r} is "
                f"{x[bad.any(axis=2)][0]:.6g}: quadrature cannot find its mean. {ADVICE}"
            )
        return value, size, doubt

    def _noise(self, row: np.ndarray, x: np.ndarray) -> dict[str, np.ndarray]:
        noise = {name: array[row] for name, array in self.noise.items()}
        noise[self.name].reshape(len(row), -1)[:, self.element] = x
        return noise

    # --- kinks ------------------------------------------------------------------------------------
    def _cuts(self, panels: Panels) -> Cuts:
        row, places = panels.row, SCAN if panels.fresh.any() else PANEL.points
        t = panels.places(np.array([0.0, *places, 1.0]), self.measure.power)

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
        return cuts(found, t, self.measure.mass(t[:, :-1], t[:, 1:]), top, probe)

    def _pieces(self, panels: Panels, cut: Cuts) -> Panels:
        """The pieces of panels that are cut, each a cell of its own."""
        which, count = np.unique(cut.panel, return_counts=True)
        order = np.lexsort((cut.end, cut.panel))
        panel = np.repeat(which, count + 1)
        ends = np.ones(len(panel), bool)
        ends[np.cumsum(count + 1) - 1] = False
        low, high = self._ends(panels)
        start, end = low[panel], high[panel]
        end[ends], start[np.roll(ends, 1)] = cut.end[order], cut.start[order]
        whole = panels.where(panel)
        return whole._replace(low=start, high=end, a=0.0 * start, b=0.0 * start + 1.0)

    def _probe(self, row: np.ndarray, t: np.ndarray) -> dict[str, np.ndarray]:
        """Compute codes and arguments, (panels, points, outputs), at probes of later noise."""
        level, integrand, kinks = self.level, self.integrand, self.kinks
        assert kinks is not None
        noise = self._noise(np.repeat(row, t.shape[1]), self.measure.at(t).ravel())
        fills = [*level.probes, *level.ladder]
        integrand.spend(kinks.price(integrand.step.program, t.size * len(fills), integrand.sizes))
        found: dict[str, list[np.ndarray]] = {}
        ladder: list[np.ndarray] = []
        for i, fill in enumerate(fills):
            filled = self._filled(noise, fill, t.size)
            run = kinks.run(integrand.values, filled, t.size, integrand.sizes)
            middle = i == len(level.probes) - 1 and i > 0  # it only shows steep ops
            for kind, value in run.items():
                value = value.reshape(*t.shape, -1)
                if i < len(level.probes) and not (middle and kind in JUMPING):
                    found.setdefault(kind, []).append(value)
                elif i >= len(level.probes) and kind == "sign":
                    ladder.append(value)
        if ladder:
            order = order_of_roots(np.stack(ladder, axis=2))
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
                shape = full(self.integrand.leaves[name], self.integrand.sizes)
                filled[name] = np.broadcast_to(value, (rows, *shape))
        return filled


def joined(parts: Sequence[Panels]) -> Panels:
    """Panels one after the other."""
    return Panels(*(np.concatenate(each) for each in zip(*parts, strict=True)))
