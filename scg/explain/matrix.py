"""Matrix: which cost credits which stochastic node, how, and on which plates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scg.common.frame import frame
from scg.compiler.members import LONGEST
from scg.explain.node import Credit, NodeExplanation
from scg.ir.tables import aligned, grid

_HOW = {
    "score": "score",
    "pathwise": "value",
    "both": "value and score",
    "weight": "weights",
    "along": "estimate",
}


@dataclass(frozen=True)
class CreditMatrix:
    """The credit of stochastic nodes for costs; ``print`` it.

    Attributes
    ----------
    nodes, costs : tuple of str
        Its rows and columns: the first ones of a large graph.
    cells : dict
        Text by node and cost; nothing where no path leads from one to the other.
    left_out : tuple of int
        The numbers of nodes and costs that are not shown.
    """

    nodes: tuple[str, ...]
    costs: tuple[str, ...]
    cells: dict[tuple[str, str], str]
    left_out: tuple[int, int]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each pair of a node and a cost that it influences, fit for a data frame."""
        return [
            {"node": node, "cost": cost, "credit": text}
            for (node, cost), text in self.cells.items()
        ]

    def to_frame(self) -> Any:
        """The rows as a pandas DataFrame."""
        return frame(self.rows())

    def table(self) -> list[list[str]]:
        """The cells as rows of text, with names in the first row and the first column."""
        more = ["…"] if self.left_out[1] else []
        rows = [["", *self.costs, *more]]
        rows += (
            [node, *(self.cells.get((node, cost), "·") for cost in self.costs), *more]
            for node in self.nodes
        )
        if self.left_out[0]:
            rows.append(["…"] * len(rows[0]))
        return rows

    def _repr_html_(self) -> str:
        head, *rows = self.table()
        return grid(head, rows)

    def __str__(self) -> str:
        rows = self.table()
        return aligned(rows, left=len(rows[0]))


def credit_matrix(nodes: Iterable[NodeExplanation], costs: Iterable[str]) -> CreditMatrix:
    """The credit that explained nodes receive for costs."""
    every, named = tuple(nodes), tuple(costs)
    shown, few = every[: 2 * LONGEST], named[:LONGEST]
    cells: dict[tuple[str, str], str] = {}
    for node in shown:
        for credit in node.credited:
            text = _text(node, credit)
            cells |= {(node.name, cost): text for cost in _among(credit.costs, few)}
        cells |= {(node.name, cost): "stopped" for cost in _among(node.stopped, few)}
    pairs = ((node.name, cost) for node in shown for cost in few)
    cells = {pair: cells[pair] for pair in pairs if pair in cells}
    left_out = len(every) - len(shown), len(named) - len(few)
    return CreditMatrix(tuple(node.name for node in shown), few, cells, left_out)


def _among(costs: Iterable[str], few: tuple[str, ...]) -> list[str]:
    return [cost for cost in few if cost in costs]


def _text(node: NodeExplanation, credit: Credit) -> str:
    """How credit arrives, and on which plates."""
    words = [_HOW[node.credit]]
    words += [f"steps {sign} {plate}" for plate, sign in credit.onward.items()]
    if node.credit != "pathwise":
        words += [f"each {plate}" for plate in credit.kept]
        words += [f"Σ {plate}" for plate in credit.summed]
    return ", ".join(words)
