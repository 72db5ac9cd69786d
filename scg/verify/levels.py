"""Levels: in which order the noise of a step is walked, and how each part of it is summed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scg.engine.interpreter import Sizes, full
from scg.engine.program import Program
from scg.ir.expr import Expr
from scg.run.runner import Runner
from scg.verify.boxes import Coupled, stand_in
from scg.verify.cells import LeafUse, Thresholds, uses
from scg.verify.kinks import Kinks


@dataclass(frozen=True)
class Level:
    """A whole leaf that is split into cells or, with an element's number, an integral.

    `probes` are values of later noise at which kinks are looked for, the last one in its middle;
    `ladder` leads from one end of the last element to the other.
    """

    leaf: Expr
    thresholds: Thresholds
    coupled: Coupled | None = None
    element: int | None = None
    kinks: Kinks | None = None
    probes: tuple[dict[str, Any], ...] = ({},)
    ladder: tuple[dict[str, Any], ...] = ()

    @property
    def moves(self) -> bool:
        """Whether outputs, or the steps of later noise, move with the element between cuts."""
        return self.kinks is None or self.kinks.moves or self.probes != ({},)


def levels(step: Runner, sizes: Sizes, rank: Callable[[str], int] = lambda name: 0) -> list[Level]:
    """Order the noise of a step: leaves as cells where possible, else elements as integrals.

    Leaves of a lower `rank`, given their names, come first.
    """
    outputs = step.program.outputs
    draws = [term.draw for term in step.surrogate.terms.values()]
    couplings = [(*d.coupling, d.plate) for d in draws if d.coupling and d.plate]
    replaced, coupled = stand_in(outputs, couplings)
    found = _found(replaced)
    if any(found[leaf].smooth for leaf in coupled if leaf in found):
        replaced, coupled = outputs, {}
        found = _found(replaced)
    order: list[Level] = []
    known: set[Expr] = set()
    while len(known) < len(found):
        waiting = [leaf for leaf in found if leaf not in known]
        ranks = {leaf: rank(leaf.attrs["name"]) for leaf in waiting}
        first = min(ranks.values())
        leaf, split = _next({e: found[e] for e in waiting if ranks[e] == first}, known)
        known.add(leaf)
        pairs = [(p.moving, p.fixed) for p in found[leaf].comparisons if p.needs <= known]
        thresholds = Thresholds(leaf, pairs)
        count = int(np.prod(full(leaf, sizes), dtype=int))
        if split or not count:
            order.append(Level(leaf, thresholds, coupled.get(leaf)))
            continue
        kinks = Kinks(leaf, list(replaced.values()))
        later = [e for e in found if e not in known]
        for i in range(count):
            unknown = [*later, leaf] if i + 1 < count else later
            left = count - i - 1 + sum(int(np.prod(full(e, sizes), dtype=int)) for e in later)
            probes = kinks.probes(unknown)
            ladder = kinks.ladder(unknown[0]) if left == 1 else ()
            order.append(Level(leaf, thresholds, None, i, kinks, probes, ladder))
    return order


def _found(outputs: Mapping[Any, Expr]) -> dict[Expr, LeafUse]:
    exprs = list(outputs.values())
    return {e: uses(e, exprs) for e in Program(dict(enumerate(exprs))).noise.values()}


def _next(waiting: Mapping[Expr, LeafUse], known: set[Expr]) -> tuple[Expr, bool]:
    """The next leaf, and whether it is split into cells."""
    for smooth in (False, True):
        for leaf, use in waiting.items():
            if use.smooth == smooth and use.needs <= known | {leaf}:
                return leaf, not smooth
    return next((leaf for leaf, use in waiting.items() if use.smooth), next(iter(waiting))), False
