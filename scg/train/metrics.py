"""Metrics: JSON lines, and what to measure after each epoch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.errors import CheckpointError
from scg.train.checkpoint import write_atomically

if TYPE_CHECKING:
    from scg.train.fit import Run


class JsonLines:
    """A file of metrics, one JSON object a line.

    Parameters
    ----------
    path : str or Path
        The file.
    history : list of dict
        The lines of earlier epochs; the file begins with exactly these.
    """

    def __init__(self, path: str | Path, history: list[dict[str, Any]]):
        self.path = Path(path)
        text = "".join(_line(record) for record in history)
        write_atomically(self.path, text.encode())

    def write(self, record: Mapping[str, Any]) -> None:
        """Append one line."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(record))
        except OSError as error:
            raise CheckpointError(f"{self.path}: cannot write: {error.strerror}") from error


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

    def __init__(self, data: Mapping[str, Any], *, runs: int = 100, every: int = 1, seed: int = 0):
        self.data, self.runs, self.every, self.seed = dict(data), runs, every, seed

    def __call__(self, run: Run) -> dict[str, float]:
        """Measure, if it is time."""
        if run.epoch % self.every:
            return {}
        out = run.step(run.params, seed=self.seed, runs=self.runs, data=self.data, state=run.state)
        variances = [np.ravel(error) ** 2 * out.runs for error in out.stderr.values()]
        return {"gradient_variance": float(np.mean(np.concatenate(variances)))}


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(dict(record)) + "\n"
