"""Metrics: where they are written, and what to measure after each epoch."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.common.arguments import checked
from scg.common.files import json_text, write_atomically
from scg.errors import CallError
from scg.train.check import check_count
from scg.train.checkpoint import writing

if TYPE_CHECKING:
    from scg.train.run import Run


class Writer:
    """Where the metrics of a run go, as records: mappings from names to numbers.

    The record of an epoch has an "epoch"; that of a single update, which ``fit(log_every=...)``
    asks for, has none. Both have the "step", the number of updates made, and the "cost".
    """

    def start(self, run: Run) -> None:
        """Begin, perhaps after a resumption: `run` is where the run stands."""

    def write(self, record: Mapping[str, Any]) -> None:
        """Write one record."""
        raise NotImplementedError


class JsonLines(Writer):
    """A file of metrics, one JSON object a line.

    Parameters
    ----------
    path : path
        The file. After a resumption it keeps what it holds of the updates that were made.
    """

    @checked("scg.train.JsonLines(path)")
    def __init__(self, path: str | PathLike[str]):
        self.path = Path(path)

    def start(self, run: Run) -> None:
        """Begin the file with the epochs and the logged updates of the run so far."""
        records = [*self._logged(run.now.count), *run.history]
        records.sort(key=lambda record: record["step"])  # of one step, that of the epoch is last
        with writing(self.path):
            write_atomically(self.path, "".join(map(_line, records)).encode())

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one line."""
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(_line(record))

    def _logged(self, count: int) -> Iterator[dict[str, Any]]:
        """Yield the records of single updates up to `count`; a line may have been cut off."""
        if not count or not self.path.is_file():
            return
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                match json.loads(line):
                    case {"step": int(step), **rest} if step <= count and "epoch" not in rest:
                        yield {"step": step, **rest}


def writers(metrics: Any) -> list[Writer]:
    """The writers of metrics; a path becomes a file of JSON lines."""
    every = [] if metrics is None else metrics if isinstance(metrics, (list, tuple)) else [metrics]
    found: list[Writer] = []
    for one in every:
        if not isinstance(one, (str, PathLike, Writer)):
            raise CallError(
                "metrics must be a path, a writer such as scg.train.TensorBoard(folder), or a list "
                f"of them, got {one!r:.80}"
            )
        found.append(one if isinstance(one, Writer) else JsonLines(one))
    return found


class GradientVariance:
    """A callback: the variance of the gradient estimate on a fixed batch.

    Adds ``gradient_variance``, the mean over all elements of all parameters of the variance of a
    single run; the noise is the estimator's alone.

    Parameters
    ----------
    data : mapping
        The fixed batch.
    runs : int
        Independent runs, at least 2.
    every : int
        Epochs between two measurements.
    seed : int
        Seed of the runs: the same noise each time.
    """

    @checked("GradientVariance(data, runs=100, every=1)")
    def __init__(
        self,
        data: Mapping[str, Any],
        *,
        runs: int = 100,
        every: int = 1,
        seed: int | tuple[int, ...] = 0,
    ):
        self.data, self.every, self.seed = dict(data), every, seed
        self.runs = check_count("GradientVariance: runs", runs, least=2)

    def __call__(self, run: Run) -> dict[str, float]:
        """Measure, if it is time."""
        if run.epoch % self.every:
            return {}
        out = run.step(run.params, seed=self.seed, runs=self.runs, data=self.data, state=run.state)
        variances = [np.ravel(error) ** 2 * out.runs for error in out.stderr.values()]
        return {"gradient_variance": float(np.mean(np.concatenate(variances)))}


def _line(record: Mapping[str, Any]) -> str:
    return f"{json_text(record)}\n"
