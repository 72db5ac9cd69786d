"""Jobs that worker processes import."""

import os
import signal
from pathlib import Path

import numpy as np

from scg.engine.walk.blas import threads
from tests.train.models import pixels


def power(base):
    def compute(chunk):
        if chunk == "raise":
            raise ValueError("a bad\nchunk")
        if chunk == "exit":
            raise SystemExit(3)
        if chunk == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if isinstance(chunk, str):  # the name of a file: die once
            if not Path(chunk).exists():
                Path(chunk).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return "second time"
        return base**chunk

    return compute


def threads_of():
    return lambda chunk: threads()


def load():
    return {"x": pixels()}


def grey():
    return {"x": np.linspace(0, 1, 48).reshape(12, 4)}


def train(rate, seed, folder, poison=()):
    """A cell that leaves a trace each time it runs."""
    with (Path(folder) / f"{rate}-{seed}").open("a") as trace:
        trace.write("x")
    if (rate, seed) in poison:
        os.kill(os.getpid(), signal.SIGKILL)
    if rate < 0:
        raise ValueError(f"rate {rate}")
    return {"loss": np.float64(rate * seed), "curve": np.arange(2), "nan": float("nan")}
