"""Attribution: the variance of a gradient by node and by term."""

from __future__ import annotations

from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np

from scg.common.frame import frame
from scg.common.named import Named
from scg.compiler.entries import Part
from scg.compiler.members import LONGEST
from scg.compiler.plan import Plan
from scg.draw.options import Options
from scg.draw.picture import draw_plan
from scg.draw.render import Picture
from scg.explain.parts import part_text
from scg.ir.tables import aligned, grid


@dataclass(frozen=True)
class Attribution:
    """Shares of nodes and terms in a gradient's variance; ``print`` it.

    Attributes
    ----------
    nodes : tuple of str
        The stochastic nodes in the graph's order.
    parts : tuple of Part
        The parts of which the gradient is the sum.
    shares : array
        Variance by node and part.
    stderr : array
        Standard errors of the shares; the last row and the last column are those of the sums. They
        are 0 where the variance was computed.
    plan : Plan
        The estimators of the graph.
    runs : int
        Runs that were sampled; 0 where the variance was computed.
    reason : str
        Why it was sampled.
    """

    nodes: tuple[str, ...]
    parts: tuple[Part, ...]
    shares: np.ndarray
    stderr: np.ndarray
    plan: Plan = field(repr=False)
    runs: int = 0
    reason: str = ""

    @property
    def exact(self) -> bool:
        """Whether the variance was computed, and not sampled."""
        return not self.runs

    @property
    def total(self) -> float:
        """The variance of a single-run gradient, summed over its components."""
        return float(self.shares.sum())

    @property
    def by_node(self) -> dict[str, float]:
        """The variance by the node whose noise causes it."""
        return Named(zip(self.nodes, self.shares.sum(axis=1).tolist(), strict=True))

    @property
    def terms(self) -> tuple[str, ...]:
        """The parts in words."""
        return tuple(part_text(part, self.plan) for part in self.parts)

    @property
    def by_term(self) -> dict[str, float]:
        """The variance by part: its covariance with the whole gradient.

        Control variates have negative shares where they reduce the variance.
        """
        return Named(zip(self.terms, self.shares.sum(axis=0).tolist(), strict=True))

    @property
    def heat(self) -> dict[str, float]:
        """Nodes' parts of the variance, between 0 and 1: ``step.draw(heat=found.heat)``."""
        total = self.total or 1.0
        return {name: min(max(v / total, 0.0), 1.0) for name, v in self.by_node.items()}

    def draw(self, path: str | PathLike[str] | None = None) -> Picture:
        """Draw the graph with its estimators, nodes the warmer the more variance they cause.

        ``step.draw(heat=found.heat)`` takes further options.
        """
        picture = draw_plan(self.plan, Options(heat=self.heat))
        if path is not None:
            picture.save(path)
        return picture

    def rows(self) -> list[dict[str, Any]]:
        """A row for each node and part, fit for a data frame."""
        return [
            {
                "node": node,
                "term": term,
                "variance": float(self.shares[n, s]),
                "stderr": float(self.stderr[n, s]),
            }
            for n, node in enumerate(self.nodes)
            for s, term in enumerate(self.terms)
        ]

    def to_dict(self) -> dict[str, Any]:
        """All shares as plain values, fit for JSON."""
        return {
            "total": self.total,
            "exact": self.exact,
            "runs": self.runs,
            "by_node": self.by_node,
            "by_term": self.by_term,
            "rows": self.rows(),
        }

    def to_frame(self) -> Any:
        """The rows as a pandas DataFrame."""
        return frame(self.rows())

    def __str__(self) -> str:
        return f"{aligned([self._head, *self._cells], left=1)}\n{self._note}"

    def _repr_html_(self) -> str:
        return grid(self._head, self._cells, caption=self._note)

    @property
    def _shown(self) -> list[int]:
        """The columns: all nodes of a small graph, and their sum."""
        return [*(range(len(self.nodes)) if len(self.nodes) <= LONGEST else ()), -1]

    @property
    def _head(self) -> list[str]:
        return ["", *([*self.nodes, "all nodes"][n] for n in self._shown)]

    @property
    def _cells(self) -> list[list[str]]:
        """A row for each term, and one for their sum."""
        sums = np.pad(self.shares, ((0, 1), (0, 1)))
        sums[-1], sums[:, -1] = sums.sum(axis=0), sums.sum(axis=1)
        sums[-1, -1] = self.total
        cells = [
            [name, *(_number(sums[n, s], self.stderr[n, s]) for n in self._shown)]
            for s, name in enumerate([*self.terms, "all terms"])
        ]
        if len(self._shown) == 1:
            cells += [
                [f"noise of {name}", _number(sums[n, -1], self.stderr[n, -1])]
                for n, name in enumerate(self.nodes)
            ]
        return cells

    @property
    def _note(self) -> str:
        how = "exact" if self.exact else f"{self.runs} runs, because {self.reason}"
        return f"variance of the gradient that the noise of each node adds; {how}"


def _number(value: float, error: float) -> str:
    return f"{value:.4g} ± {error:.1g}" if error else f"{round(value, 15) + 0.0:.4g}"
