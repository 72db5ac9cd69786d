"""Study: a grid of cells, computed by many workers, one file per result."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from scg.common.arguments import Count, checked
from scg.common.console import progress_console
from scg.common.files import json_text, write_atomically
from scg.errors import CallError
from scg.estimators.protocol import Estimator
from scg.graph.core import CoreGraph
from scg.graph.declaration.digest import digest, digests
from scg.verify.distributed import compiled
from scg.verify.sampling import Sample
from scg.verify.studied import Study
from scg.workers import Crew, Work

Cell = dict[str, Any]


@checked('scg.study(train, {"rate": [1e-3, 1e-2], "seed": range(5)}, folder="runs", executor=4)')
def study(
    what: CoreGraph | Callable[..., Any],
    over: Mapping[str, Any],
    *,
    folder: str | PathLike[str] | None = None,
    executor: Any = None,
    fixed: Mapping[str, Any] | None = None,
    threads: int = 1,
    retries: Count = 1,
    again: bool = False,
    progress: bool = False,
) -> Study:
    """Compute a function, or measure gradient estimates of a graph, in each cell of a grid.

    Use it for experiments of many runs, on one machine or many: estimators × samples × rate ×
    seed. :func:`scg.compare` compares estimators at one point, with a test of bias;
    :func:`scg.sweep` draws exact curves.

    Parameters
    ----------
    what : callable or Graph
        A function of the names of the axes (and of `fixed`), of the top level of a module, which
        returns a number or a mapping from names to numbers and texts; it must take its seed from
        its arguments. Or a graph: axes are then ``estimator``, ``seed``, ``runs`` (by default
        1000), parameters, data, and options that the functions among the estimators take.
    over : mapping
        Values by axis: a sequence, or a mapping from labels to values.
    folder : path, optional
        One JSON file for each finished cell. A study that is called again computes what is not
        there; a file is replaced by one rename, and its name is a digest of the cell.
    executor : int, executor, or callable, optional
        Who computes: so many processes, an object with ``submit``, or a function that makes one;
        see :class:`scg.workers.Crew`. By default this process.
    fixed : mapping, optional
        Further arguments of the function, the same in all cells; for a graph parameters, data and
        options of ``scg.compile``.
    threads : int
        Threads of each worker process.
    retries : int
        How often a cell is computed again, alone, after its worker was lost.
    again : bool
        Compute cells again that failed in an earlier call.
    progress : bool
        Show a progress bar on the standard error stream.

    Returns
    -------
    Study
        A row a cell. A cell that raises, or whose worker is lost each time, has a row with the
        reason in ``failure``; it costs no other cell.

    Raises
    ------
    CallError
        If there is no axis, the function does not take its arguments or cannot be sent to workers,
        or the folder cannot be written.
    WorkerError
        If the executor itself is lost. Cells in the folder are kept: call the study again.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    >>> g.cost("loss", (b - 0.499) ** 2)
    >>> axes = {"estimator": {"loo": scg.LeaveOneOut}, "samples": [2, 4], "seed": range(2)}
    >>> table = scg.study(g, axes)
    >>> len(table), table.rows()[0]["variance"] > table.rows()[3]["variance"]
    (4, True)
    """
    labels, cells = _cells(over)
    if isinstance(what, CoreGraph):
        work = Work(_measuring, (what, dict(fixed or {})), threads)
        about: Any = (digests(what), what.init(0), dict(fixed or {}))
    elif callable(what):
        _check_call(what, {**(fixed or {}), **cells[0]}, len(fixed or {}) + len(cells[0]))
        work, about = Work(_calling, (what, dict(fixed or {})), threads), (what, dict(fixed or {}))
    else:
        raise CallError(f"study: what must be a function or a graph, got {type(what).__name__}")
    keys = [digest((about, *both)) for both in zip(labels, cells, strict=True)]
    place = None if folder is None else _made(Path(folder))
    found = (
        {} if place is None else {k: r for k in keys if (r := _read(place / f"{k}.json", again))}
    )
    open_ = [i for i, key in enumerate(keys) if key not in found]
    with Crew(executor, retries) as crew, _bar(progress, len(cells), len(cells) - len(open_)) as up:
        for i, outcome in crew.outcomes(work, [cells[i] for i in open_]):
            key, cell = keys[open_[i]], labels[open_[i]]
            record = {"cell": cell, "row": outcome.value or {}, "failure": outcome.failure}
            text = json_text(record, indent=1)
            found[key] = json.loads(text)  # what a resumed study reads
            if place is not None:
                write_atomically(place / f"{key}.json", text.encode())
            up()
    records = (found[key] | {"cell": cell} for key, cell in zip(keys, labels, strict=True))
    return Study(tuple(over), tuple(records))


# --- cells ----------------------------------------------------------------------------------------
def _cells(over: Mapping[str, Any]) -> tuple[list[Cell], list[Cell]]:
    """The labels and the values of all cells, in the order of the axes."""
    axes = [list(_labelled(name, values)) for name, values in over.items()]
    if not axes or not all(axes):
        raise CallError('study: over names axes with values, e.g. {"seed": range(5)}')
    grid = [tuple(zip(*point, strict=True)) for point in itertools.product(*axes)]
    labels, cells = ([dict(zip(over, part[k], strict=True)) for part in grid] for k in (0, 1))
    return labels, cells


def _labelled(name: str, values: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(values, Mapping):
        yield from values.items()
        return
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise CallError(f"study: axis {name!r} is a sequence of values, such as [{values!r}]")
    for value in values:
        value = value.item() if isinstance(value, np.generic) else value
        yield value if isinstance(value, (bool, int, float, str)) else repr(value), value


def _check_call(function: Callable[..., Any], arguments: Cell, count: int) -> None:
    """Raise if a function does not take its arguments, before all cells fail."""
    if len(arguments) < count:
        raise CallError("study: a name is among the axes and in fixed=; give it once")
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions of C
        return
    try:
        signature.bind(**arguments)
    except TypeError as error:
        name = getattr(function, "__name__", repr(function))
        raise CallError(f"study: {name} does not take its axes and fixed=: {error}") from None


def _made(folder: Path) -> Path:
    """A folder in which files can be written, found out before the work."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        raise CallError(
            f"study: no files can be written to folder {str(folder)!r}: {error}"
        ) from None


def _read(path: Path, again: bool) -> dict[str, Any] | None:
    """The record of a finished cell."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(record, dict) and record.keys() >= {"cell", "row", "failure"}
    return record if whole and not (again and record["failure"]) else None


@contextlib.contextmanager
def _bar(shown: bool, total: int, done: int) -> Iterator[Callable[[], None]]:
    """Yield a function that counts one cell more."""
    if not shown:
        yield lambda: None
        return
    from rich.progress import Progress

    with Progress(console=progress_console()) as bar:
        task = bar.add_task("study", total=total, completed=done)
        yield lambda: bar.advance(task)
        bar.refresh()  # a notebook shows nothing anew when the bar is left


# --- work -----------------------------------------------------------------------------------------
def _calling(function: Callable[..., Any], fixed: dict[str, Any]) -> Callable[[Cell], Any]:
    """Computes a cell by a function of the user's."""

    def compute(cell: Cell) -> dict[str, Any]:
        start = time.perf_counter()
        found = function(**fixed, **cell)
        row = dict(found) if isinstance(found, Mapping) else {"value": found}
        if taken := sorted(row.keys() & {*cell, "failure"}):
            raise CallError(f"study: {taken[0]!r} is a column already; return another name")
        return _plain({"seconds": time.perf_counter() - start} | row)

    return compute


def _measuring(graph: CoreGraph, fixed: dict[str, Any]) -> Callable[[Cell], Any]:
    """Measures the gradient estimates of a cell."""
    leaves = {**graph.parameters, **graph.data_nodes}

    def compute(cell: Cell) -> dict[str, Any]:
        options = fixed | cell
        at = {name: options.pop(name) for name in leaves if name in options}
        params = {n: at.pop(n, value) for n, value in graph.init(0).items()}
        seed, runs = options.pop("seed", 0), options.pop("runs", 1000)
        estimator: Any = options.pop("estimator", None)
        if callable(estimator) and not isinstance(estimator, Estimator):
            known = {n: options.pop(n) for n in cell if n in options}
            estimator = estimator(**known)
        step = compiled(graph, estimator, options)
        start = time.perf_counter()
        sample = Sample(step, step.checked(params, at, None), seed, runs)
        return _plain(
            {
                "seconds": time.perf_counter() - start,
                "unbiased": step.plan.unbiased,
                "evaluations": step.explain().evaluations,
                "gradient": float(np.linalg.norm(sample.mean)),
                "variance": sample.variance,
                "variance_stderr": sample.variance_stderr,
            }
        )

    return compute


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of numbers, texts and lists, as JSON has them."""
    plain = {
        str(name): np.asarray(value).tolist()
        if isinstance(value, (np.ndarray, np.generic))
        else value
        for name, value in row.items()
    }
    for name, value in plain.items():
        try:
            json_text(value)
        except (TypeError, ValueError):
            raise CallError(
                f"study: a row holds numbers and texts, but {name!r} is of type "
                f"{type(value).__name__}"
            ) from None
    return plain
