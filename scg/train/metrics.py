"""Metrics: JSON lines, and what to measure after each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.arguments import checked
from scg.files import json_text, write_atomically
from scg.train.check import check_count
from scg.train.checkpoint import writing

if TYPE_CHECKING:
    from scg.train.run import Run


class JsonLines:
    """A file of metrics, one JSON object a line.

    Parameters
    ----------
    path : path
        The file.
    history : list of dict
        The lines of earlier epochs; the file begins with exactly these.
    """

    def __init__(self, path: str | PathLike[str], history: list[dict[str, Any]]):
        self.path = Path(path)
        text = "".join(_line(record) for record in history)
        with writing(self.path):
            write_atomically(self.path, text.encode())

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one line."""
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(_line(record))


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
