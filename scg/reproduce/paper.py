"""Paper: what a reproduction consists of, and how its cells are computed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import scg
from scg.errors import CallError
from scg.reproduce.ledger import Ledger, Record

#: The seeds of all reproductions, fixed before anything was measured with them.
SEEDS = (1, 2, 3)


class Piece(NamedTuple):
    """One piece of work: its key in the ledger, and the function that computes its figures."""

    key: Record
    work: Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Conditions:
    """Where a reproduction finds its data, where it writes, and how long it trains.

    Attributes
    ----------
    data : str
        Address of the images, see :func:`scg.data.load`.
    folder : Path
        Results, parameters and page.
    updates : int
        Updates of each training run; 0 where a paper trains nothing.
    backend : str or None
        As in :func:`scg.compile`.
    """

    data: str
    folder: Path
    updates: int = 0
    backend: str | None = None


class Finding(NamedTuple):
    """An expectation, whether it holds (None: not measured), and the figures that show it."""

    expectation: str
    holds: bool | None
    found: str = ""


@dataclass(frozen=True)
class Paper:
    """A published experiment: its cells, in order of importance, and its page.

    Attributes
    ----------
    name : str
        Name in the command and of the files.
    title : str
        Authors, year and what is repeated.
    cells : callable
        From the under and the ledger to the cells. It is a generator that reads the ledger
        between cells, so that later cells may depend on earlier results.
    verdicts : callable
        From the records to the expectations, which were written before the runs.
    page : callable
        From the records and the folder of the figure to the text of the page, without verdicts.
    why : str
        One sentence for the index: what decides whether the published figures reproduce.
    lengths : tuple of int
        Updates of a training run among which a time limit chooses.
    seconds : callable, optional
        From the under to the predicted seconds of all cells at its length, and of each kind.
    """

    name: str
    title: str
    cells: Callable[[Conditions, Ledger], Iterator[Piece]]
    verdicts: Callable[[list[Record]], list[Finding]]
    page: Callable[[list[Record], Path], str]
    why: str
    lengths: tuple[int, ...] = ()
    pilots: Callable[[Conditions, Ledger], Callable[[Record], float]] | None = None


def compute(
    paper: Paper,
    under: Conditions,
    minutes: float = float("inf"),
    report: Callable[[str], None] = print,
) -> Ledger:
    """Compute the missing cells of a paper, and begin none after so many minutes.

    Where `under` gives no length, the largest one is taken whose predicted time fits.
    """
    deadline = time.monotonic() + 60 * minutes
    scg.set_threads(1)  # the same bits on machines with more cores
    ledger = Ledger(under.folder / f"{paper.name}.jsonl")
    if paper.lengths and not under.updates:
        under = replace(under, updates=_length(paper, under, ledger, 60 * minutes, report))
    left = 0
    for cell in paper.cells(under, ledger):
        if ledger.find(**cell.key):
            continue
        if time.monotonic() > deadline:
            left += 1
            continue
        started = time.perf_counter()
        figures = cell.work()
        seconds = round(time.perf_counter() - started, 2)
        record = ledger.add({**figures, **cell.key, "cell_seconds": seconds})
        report(_line(record))
    if left:
        report(f"{left} cells are left; the same command computes them")
    return ledger


def _length(
    paper: Paper, under: Conditions, ledger: Ledger, limit: float, report: Callable[[str], None]
) -> int:
    """The length of the runs in the folder, or else the largest one that fits into `limit`."""
    chosen = ledger.find(kind="length")
    if chosen:
        return chosen[0]["updates"]
    if paper.pilots is None:
        raise CallError(f"{paper.name}: give the number of updates")
    predict = paper.pilots(under, ledger)
    total = {}
    for updates in paper.lengths:
        at = replace(under, updates=updates)
        total[updates] = sum(predict(cell.key) for cell in paper.cells(at, ledger))
        report(f"{updates} updates: {total[updates] / 60:.1f} minutes predicted")
    fits = [updates for updates in paper.lengths if total[updates] <= limit]
    updates = max(fits, default=paper.lengths[0])
    ledger.add({"kind": "length", "updates": updates, "predicted": total})
    return updates


def _line(record: Record) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in record.items()
        if not isinstance(value, (list, dict))
    )
