"""Advice: a plan of estimators, and how the candidates of each node ranked."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from scg.common.frame import frame
from scg.common.named import not_found
from scg.estimators import Estimator
from scg.ir.tables import aligned, grid
from scg.verify.text import duration

_SHOWN = 5  # candidates of each node in the table


@dataclass(frozen=True)
class Candidate:
    """An estimator that was tried at one node, the other nodes being as planned.

    Attributes
    ----------
    estimator : Estimator
        What was tried.
    error : float
        Variance of a single-run gradient, summed over its components; with bias² if it is biased.
    price : float
        What one run costs, relative to the declared graph: its work or, where a cost calls a
        user's own op, the evaluations of the costs. Measured times are in seconds.
    evaluations : int
        Evaluations of the costs in one run.
    """

    estimator: Estimator
    error: float
    price: float
    evaluations: int

    @property
    def product(self) -> float:
        """Error × price: what it costs to reach a given error."""
        return self.error * self.price


@dataclass(frozen=True)
class Advice(Mapping[str, Estimator]):
    """The best estimator found for each node; ``scg.compile(g, advice)`` takes it.

    Attributes
    ----------
    ranking : dict
        The candidates of each node, best first.
    refused : dict
        By node: the candidates that do not fit, with the reason.
    priced : {"work", "evaluations", "time"}
        What the price is.
    """

    ranking: dict[str, tuple[Candidate, ...]]
    refused: dict[str, dict[str, str]] = field(repr=False)
    priced: str

    def __getitem__(self, name: str) -> Estimator:
        if name not in self.ranking:
            raise not_found(name, self.ranking)
        return self.ranking[name][0].estimator

    def __iter__(self) -> Iterator[str]:
        return iter(self.ranking)

    def __len__(self) -> int:
        return len(self.ranking)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each node and candidate, fit for a data frame."""
        return [
            {
                "node": node,
                "rank": rank,
                "estimator": repr(found.estimator),
                "error": found.error,
                self.priced: found.price,
                "evaluations": found.evaluations,
                "product": found.product,
            }
            for node, candidates in self.ranking.items()
            for rank, found in enumerate(candidates, start=1)
        ]

    def to_dict(self) -> dict[str, Any]:
        """All candidates as plain values, fit for JSON, and why others do not fit."""
        return {"rows": self.rows(), "refused": self.refused, "priced": self.priced}

    def to_frame(self) -> Any:
        """The rows as a pandas DataFrame."""
        return frame(self.rows())

    def __str__(self) -> str:
        return f"{aligned([self._head, *self._cells], left=2)}\n{self._note}"

    def _repr_html_(self) -> str:
        return grid(self._head, self._cells, caption=self._note)

    @property
    def _head(self) -> list[str]:
        return ["node", "estimator", "variance", self.priced, f"variance × {self.priced}"]

    @property
    def _cells(self) -> list[list[str]]:
        rows = []
        for node, candidates in self.ranking.items():
            for k, found in enumerate(candidates[:_SHOWN]):
                timed = self.priced == "time"
                price = duration(found.price) if timed else f"{found.price:.3g}"
                mark = "" if found.estimator.unbiased else " (BIASED)"
                rows.append(
                    [
                        "" if k else node,
                        f"{found.estimator!r}{mark}",
                        _number(found.error),
                        price,
                        _number(found.product),
                    ]
                )
        return rows

    @property
    def _note(self) -> str:
        tried = sum(len(candidates) for candidates in self.ranking.values())
        unfit = sum(len(names) for names in self.refused.values())
        return f"best first; {tried} candidates were tried, {unfit} do not fit"


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "infinite"
