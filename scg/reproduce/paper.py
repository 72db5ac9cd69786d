"""Paper: what a reproduction consists of, and how its pieces of work are computed."""

from __future__ import annotations

import math
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import scg
from scg.reproduce.ledger import Ledger, Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The seeds of all reproductions, fixed before anything was measured with them.
SEEDS = (1, 2, 3)
Report = Callable[[str], None]


class Piece(NamedTuple):
    """One piece of work.

    Attributes
    ----------
    key : dict
        Its key in the ledger.
    work : callable
        Computes its figures.
    makes : tuple of Path
        Files that `work` writes, such as the parameters of a training run.
    needs : Path, optional
        A file that an earlier piece makes, and `work` reads.
    """

    key: Record
    work: Callable[[], Mapping[str, Any]]
    makes: tuple[Path, ...] = ()
    needs: Path | None = None


@dataclass(frozen=True)
class Conditions:
    """Where a reproduction finds its data, where it writes, and how long it trains.

    Attributes
    ----------
    data : str
        Address of the images, see :func:`scg.data.load`, or the file that the paper names.
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


def each_run(
    what: str, names: Iterable[str], train: Callable[[Conditions, str, int], Mapping[str, Any]]
) -> Callable[[Conditions, Ledger], Iterator[Piece]]:
    """Pieces of a paper: a training run for each seed and name, of which `what` is the key."""

    def pieces(under: Conditions, ledger: Ledger) -> Iterator[Piece]:
        for seed in SEEDS:
            for name in names:
                key = {"kind": "run", what: name, "seed": seed}
                yield Piece(key, partial(train, under, name, seed))

    return pieces


def by_ratio(
    expectation: str,
    above: Sequence[float] | None,
    below: Sequence[float] | None,
    met: Callable[[Sequence[float]], bool] = lambda ratios: min(ratios) > 1,
) -> Finding:
    """Judge the ratios of two figures, seed by seed; by default all must be above 1."""
    if not above or not below:
        return Finding(expectation, None)
    ratios = [a / b for a, b in zip(above, below, strict=False)]
    about = f"Ratios {', '.join(f'{x:.3g}' for x in ratios)}."
    return Finding(expectation, met(ratios), about)


@dataclass(frozen=True)
class Paper:
    """A published experiment: its pieces of work, in order of importance, and its page.

    Attributes
    ----------
    name : str
        Name in the command and of the files.
    title : str
        Authors, year and what is repeated.
    short : str
        Authors or method, for the index.
    verdict : str
        One sentence for the index: what reproduces, what does not, and the cause.
    about : str
        What was published, and how the protocol here differs; Markdown.
    why : str
        The same in detail, with figures, for the page.
    pieces : callable
        From conditions and ledger to the pieces of work. It may be a generator that reads the
        ledger between pieces, so that later ones depend on earlier results.
    findings : callable
        From the records to the expectations, which were written before the runs.
    tables : callable
        From the records to the tables of the page; Markdown.
    draw : callable
        From the records to the figure of the page.
    data : str
        What ``--data`` must name, such as ``mnist:DIR``; empty if nothing is read.
    read : callable, optional
        Reads that data, so that a wrong address is found before anything is computed.
    lengths : tuple of int
        Updates of a training run, among which a time limit chooses; empty if nothing is trained.
    predict : callable, optional
        From conditions and ledger to a function that predicts the seconds of a piece.
    """

    name: str
    title: str
    short: str
    verdict: str
    about: str
    why: str
    pieces: Callable[[Conditions, Ledger], Iterator[Piece]]
    findings: Callable[[list[Record]], list[Finding]]
    tables: Callable[[list[Record]], str]
    draw: Callable[[list[Record]], Figure]
    data: str = ""
    read: Callable[[str], Any] | None = None
    lengths: tuple[int, ...] = ()
    predict: Callable[[Conditions, Ledger], Callable[[Record], float]] | None = None


def compute(paper: Paper, under: Conditions, minutes: float, report: Report = print) -> Ledger:
    """Compute the missing pieces of a paper, and begin none after so many minutes.

    Where `under` gives no number of updates, it is the one that an earlier call chose in the
    folder, or else the largest whose predicted time fits. A file that is gone, such as parameters
    beside a copied ledger, is made again by the piece that makes it.
    """
    deadline = time.monotonic() + 60 * minutes
    scg.set_threads(1)  # the same bits on machines with more cores
    ledger = Ledger(under.folder / f"{paper.name}.jsonl")
    if not minutes > 0:
        return ledger
    if not ledger.find(kind="machine"):
        about = f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
        ledger.add({"kind": "machine", "machine": about})
    if paper.predict and not under.updates:
        under = replace(under, updates=_length(paper, under, ledger, 60 * minutes, report))
    left: set[str] = set()
    makers: dict[Path, Piece] = {}
    ready = cache(lambda: paper.read and paper.read(under.data))
    for piece in paper.pieces(under, ledger):
        makers.update(dict.fromkeys(piece.makes, piece))
        if ledger.find(**piece.key):
            continue
        if time.monotonic() > deadline:
            left.add(str(piece.key))
            continue
        ready()
        if piece.needs and not piece.needs.exists():
            report(f"{piece.needs} is missing: its training is repeated")
            maker = makers[piece.needs]
            (before,), again = ledger.find(**maker.key), maker.work()
            if not _agree(again, before):
                report(
                    f"{piece.needs}: its figures are not the recorded ones, so that older pieces "
                    "were measured at other parameters; delete their records, and that of the "
                    "training, to measure them again"
                )
        clock, cpu = time.perf_counter(), time.process_time()
        figures = piece.work()
        clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
        seconds = {"cell_seconds": round(clock, 2), "cell_cpu": round(cpu, 2)}
        record = ledger.add({**figures, **piece.key, **seconds})
        report(_line(record))
    if left:
        report(f"{len(left)} pieces of work are left; the same command computes them")
    return ledger


def _agree(now: Mapping[str, Any], before: Record) -> bool:
    """Whether figures are the same but for the order of sums; those of the clock begin with ms."""
    return all(
        math.isclose(value, before[name], rel_tol=1e-6)
        for name, value in now.items()
        if isinstance(value, float) and name in before and not name.startswith("ms")
    )


def _length(paper: Paper, under: Conditions, ledger: Ledger, limit: float, report: Report) -> int:
    """The number of updates."""
    if chosen := ledger.find(kind="length"):
        return chosen[-1]["updates"]
    assert paper.predict
    predict, seconds = paper.predict(under, ledger), {}
    for updates in paper.lengths:
        pieces = paper.pieces(replace(under, updates=updates), ledger)
        seconds[updates] = round(sum(predict(piece.key) for piece in pieces))
        report(f"{updates} updates: {seconds[updates] / 60:.1f} minutes predicted")
    fits = [updates for updates in paper.lengths if seconds[updates] <= limit]
    updates = max(fits, default=paper.lengths[0])
    ledger.add({"kind": "length", "updates": updates, "predicted": seconds})
    return updates


def _line(record: Record) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in record.items()
        if not isinstance(value, (list, dict))
    )
