"""Studied: the rows of a study, as table, data frame and plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.common.arguments import checked
from scg.common.frame import frame
from scg.errors import CallError, did_you_mean
from scg.ir.tables import aligned, grid
from scg.verify.plot import COLOURS, MARKS, canvas, far_apart, plain, saved

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class Study:
    """The cells of a study, in the order of the grid; ``print`` it.

    Attributes
    ----------
    axes : tuple of str
        Names of the axes.
    records : tuple of dict
        For each cell its labels ("cell"), its values ("row") and the reason of its failure, which
        is empty if there is none.
    """

    axes: tuple[str, ...]
    records: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(self.records)

    def rows(self) -> list[dict[str, Any]]:
        """A flat row a cell: labels, values, and "failure"."""
        return [{**r["cell"], **r["row"], "failure": r["failure"]} for r in self.records]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The rows of cells that failed."""
        return [row for row in self.rows() if row["failure"]]

    def to_frame(self) -> Any:
        """The rows as a pandas DataFrame.

        Raises
        ------
        ScgError
            If pandas is not installed.
        """
        return frame(self.rows())

    @checked('table.plot("cost", over="rate")')
    def plot(
        self, value: str, over: str, by: str | None = None, path: str | PathLike[str] | None = None
    ) -> Figure:
        """Draw a value over an axis: means over all other axes, with two standard errors.

        An axis is logarithmic where positive numbers differ more than thirtyfold.

        Parameters
        ----------
        value : str
            What is drawn.
        over : str
            The axis below; numbers, or labels in their order.
        by : str, optional
            An axis with a line for each label.
        path : path, optional
            Where to write the picture, too.

        Raises
        ------
        CallError
            If a name is unknown, or no cell has the value.
        ScgError
            If matplotlib is not installed.
        """
        rows = [row for row in self.rows() if isinstance(row.get(value), (int, float))]
        for name in (over, by):
            if name is not None and name not in self.axes:
                known = f"{did_you_mean(name, self.axes)}; axes are {', '.join(self.axes)}"
                raise CallError(f"study: no axis is called {name!r}{known}")
        if not rows:
            raise CallError(f"study: no cell has a number called {value!r}")
        figure = canvas(6, 4)
        axes, means, most = figure.subplots(), [], 1
        for k, label in enumerate(dict.fromkeys(row[by] if by else "" for row in rows)):
            groups: dict[Any, list[float]] = {}
            for row in rows:
                if not by or row[by] == label:
                    groups.setdefault(row[over], []).append(row[value])
            if _numbers(groups):
                groups = dict(sorted(groups.items()))
            heights = [float(np.mean(y)) for y in groups.values()]
            means, most = means + heights, max(most, *map(len, groups.values()))
            axes.errorbar(
                list(groups) if _numbers(groups) else [plain(str(x)) for x in groups],
                heights,
                [
                    2 * np.std(y, ddof=1) / len(y) ** 0.5 if len(y) > 1 else 0
                    for y in groups.values()
                ],
                color=COLOURS[k % len(COLOURS)],
                marker=MARKS[k % len(MARKS)],
                capsize=3,
                label=plain(str(label)),
            )
        axes.set_xlabel(plain(over))
        axes.set_ylabel(plain(value) + (", mean ± 2 standard errors" if most > 1 else ""))
        places = list(dict.fromkeys(row[over] for row in rows))
        if _numbers(places) and far_apart(places):
            axes.set_xscale("log")
        if far_apart(means):
            axes.set_yscale("log")
        axes.grid(alpha=0.25)
        if by:
            axes.legend(title=plain(by))
        return saved(figure, path)

    def __repr__(self) -> str:
        axes = ", ".join(self.axes)
        return f"Study({len(self)} cells over {axes}; {len(self.failed)} failed)"

    def __str__(self) -> str:
        return f"{aligned([self._head, *self._cells], left=len(self.axes))}\n{self!r}"

    def _repr_html_(self) -> str:
        return grid(self._head, self._cells, caption=repr(self))

    @property
    def _head(self) -> list[str]:
        names = dict.fromkeys(name for record in self.records for name in record["row"])
        return [*self.axes, *names, *(["failure"] if self.failed else [])]

    @property
    def _cells(self) -> list[list[str]]:
        return [[_said(row.get(name)) for name in self._head] for row in self.rows()]


def _numbers(labels: Sequence[Any] | dict[Any, Any]) -> bool:
    return all(isinstance(label, (int, float)) for label in labels)


def _said(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)
