"""Line: adaptive quadrature along one element of noise, on many branches at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from scg.engine.interpreter import Sizes, full
from scg.errors import EnumerationError
from scg.ir.expr import Expr
from scg.run.step import Step
from scg.verify.kinks import ADVICE, JUMPING, Cuts, cuts
from scg.verify.levels import Level
from scg.verify.quadrature import GOLDEN, LAWS, PANEL, SCAN, Integral, error

_SHORT = 1e-14  # the shortest panel
_SHARE = 0.02  # a short panel may have this part of the error
_ROUNDING = 1e-13
_GAP = 2e-15  # no point of a panel lies on the other side of its threshold


class Panels(NamedTuple):
    """Branches, starts and ends in t, and how many easy rules have failed."""

    row: np.ndarray
    a: np.ndarray
    b: np.ndarray
    tried: np.ndarray

    def where(self, kept: np.ndarray | slice) -> Panels:
        """Return some of the panels."""
        return Panels(*(each[kept] for each in self))


class Walk(Protocol):
    """What a line must know of the walk that it is a part of; see :mod:`scg.verify.walk`."""

    step: Step
    values: Mapping[str, Any]
    sizes: Sizes
    levels: list[Level]
    leaves: dict[str, Expr]
    first: int
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

    def start(self) -> Panels:
        """Cut the line at thresholds."""
        law, rows, walk = self.law, len(self.weight), self.walk
        found = self.level.thresholds(walk.values, self.noise, rows, walk.sizes)[self.element]
        inside = np.clip(np.nan_to_num(found, nan=law.low), law.low, law.high)
        ends = np.broadcast_to([0.0, 1.0], (rows, 2))
        edges = np.sort(np.concatenate([ends, law.place(inside)], axis=1), axis=1)
        row = np.repeat(np.arange(rows), edges.shape[1] - 1)
        a, b = edges[:, :-1].ravel(), edges[:, 1:].ravel()
        a, b = np.where(a > 0.0, a + _GAP, a), np.where(b < 1.0, b - _GAP, b)  # beside the jumps
        return Panels(row, a, b, np.zeros(len(row), int))

    def step(self, panels: Panels) -> Panels:
        """Cut panels, or apply rules to them; return the panels that are left."""
        panels = panels.where(panels.b - panels.a > _SHORT)
        left: list[Panels] = []
        if self._probing and len(panels.row):
            cut = self._cuts(panels)
            left.append(_pieces(panels, cut))
            panels = panels.where(~np.isin(np.arange(len(panels.row)), cut.panel))
        if self._moves:
            for number in range(self.law.attempts):
                easy = panels.where(panels.tried == number)
                easy = easy.where(~self._rule(easy, number))
                left.append(easy._replace(tried=easy.tried + 1))
            hard = panels.where(panels.tried == self.law.attempts)
            hard = hard.where(~self._rule(hard, None))
            middle = hard.a + GOLDEN * (hard.b - hard.a)
            left += [hard._replace(b=middle), hard._replace(a=middle)]
        else:
            self._constant(panels)
        return joined(left)

    @property
    def _moves(self) -> bool:
        """Whether outputs, or the steps of later noise, move with the element between cuts."""
        kinks = self.level.kinks
        return kinks is None or kinks.moves or self.level.probes != ({},)

    def _rule(self, panels: Panels, easy: int | None) -> np.ndarray:
        """Apply a pair of rules; return for which panels they agree."""
        row, a, b, _ = panels
        if not len(row):
            return np.zeros(0, bool)
        x, share, rival, clipped = (
            self.law.smooth(a, b) if easy is None else self.law.easy(a, b, easy)
        )
        values, sizes, errors = self._values(row, x, share)
        high, low, size, below, tails = (
            np.einsum("pk,pko->po", weights, part)
            for weights, part in (
                (share, values),
                (rival, values),
                (share, sizes),
                (share, errors),
                (2.0 * share * clipped, sizes),
            )
        )
        doubt = error(high, low)
        self._learn(row, size)
        # What may be singular beside the shortest panels is not much more than what they hold.
        tails += np.where((b - a < 2.0 * _SHORT)[:, None], 4.0 * size, 0.0)
        # Finer panels leave tails as they are, but other rules may reach farther out.
        known = doubt if easy is None else doubt + tails
        done = self._settled(row, b - a, known, size)
        self._add(row[done], high[done], size[done], (doubt + below + tails)[done])
        return done

    def _constant(self, panels: Panels) -> None:
        """Add panels on which the outputs are constant."""
        share = self.law.mass(panels.a, panels.b)[:, None]
        kept = share[:, 0] > 0.0
        if kept.any():
            row, a, b, _ = panels.where(kept)
            x, _ = self.law.value((a + b)[:, None] / 2.0)
            values, sizes, _ = (part[:, 0] for part in self._values(row, x, share[kept]))
            self._add(row, values * share[kept], sizes * share[kept], _GAP * sizes)

    def _settled(
        self, row: np.ndarray, length: np.ndarray, doubt: np.ndarray, size: np.ndarray
    ) -> np.ndarray:
        """Return which panels need no finer ones."""
        sums = np.zeros(self.allowed.shape)
        np.add.at(sums, row, doubt)
        share = self.allowed[row] * np.maximum(length, _SHARE)[:, None]
        fine = np.all(doubt <= np.maximum(share, _ROUNDING * size), axis=1)
        return fine | np.all(sums <= self.allowed, axis=1)[row] | (length < 2.0 * _SHORT)

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
        row, a, b, _ = panels
        places = SCAN if np.any(panels.tried == 0) else PANEL.points
        inside = a[:, None] + (b - a)[:, None] * places
        t = np.concatenate([a[:, None], inside, b[:, None]], axis=1)

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

    def _probe(self, row: np.ndarray, t: np.ndarray) -> dict[str, np.ndarray]:
        """Compute codes and arguments, (panels, points, outputs), at probes of later noise."""
        kinks = self.level.kinks
        assert kinks is not None
        x, _ = self.law.value(t)
        noise = self._noise(np.repeat(row, t.shape[1]), x.ravel())
        share = self.walk.step.program.block_length(self.walk.sizes) / kinks.length(self.walk.sizes)
        self.walk.spend(int(share * x.size * len(self.level.probes)))
        found: dict[str, list[np.ndarray]] = {}
        for i, fill in enumerate(self.level.probes):
            filled = self._filled(noise, fill, x.size)
            for kind, value in kinks.run(self.walk.values, filled, x.size, self.walk.sizes).items():
                if not (i and i == len(self.level.probes) - 1 and kind in JUMPING):
                    found.setdefault(kind, []).append(value.reshape(*t.shape, -1))
        return {kind: np.concatenate(each, axis=2) for kind, each in found.items()}

    def _filled(self, noise: dict[str, np.ndarray], fill: dict[str, float], rows: int) -> dict:
        """Give later elements the values of a probe."""
        filled = dict(noise)
        for name, value in fill.items():
            if name == self.name:
                filled[name] = noise[name].copy()
                filled[name].reshape(rows, -1)[:, self.element + 1 :] = value
            else:
                leaf = self.walk.leaves[name]
                filled[name] = np.full((rows, *full(leaf, self.walk.sizes)), value)
        return filled


def _pieces(panels: Panels, cut: Cuts) -> Panels:
    """Return the pieces of the panels that are cut."""
    which, count = np.unique(cut.panel, return_counts=True)
    order = np.lexsort((cut.end, cut.panel))
    panel = np.repeat(which, count + 1)
    last = np.cumsum(count + 1) - 1
    start, end = np.empty(len(panel)), np.empty(len(panel))
    ends = np.ones(len(panel), bool)
    ends[last] = False
    end[ends], end[last] = cut.end[order], panels.b[which]
    starts = np.roll(ends, 1)
    start[starts], start[~starts] = cut.start[order], panels.a[which]
    return Panels(panels.row[panel], start, end, panels.tried[panel])


def joined(parts: Sequence[Panels]) -> Panels:
    """Return panels one after the other."""
    return Panels(*(np.concatenate(each) for each in zip(*parts, strict=True)))
