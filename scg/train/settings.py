"""The settings of a run: what must be equal for a resumed run to repeat it bit by bit."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scg.errors import CheckpointError
from scg.graph.declaration.digest import digest, digests, text
from scg.run.step import Step
from scg.train.batches import Batches
from scg.train.optim import Optimizer
from scg.train.stream import Stream
from scg.train.windows import Windows


def settings(
    step: Step,
    params: Mapping[str, np.ndarray],
    batches: Batches | Stream | Windows,
    optimizer: Optimizer,
    own_optimizer: Optimizer,
) -> dict[str, Any]:
    """Describe a run, as JSON allows it."""
    plan = step.plan.estimators
    return {
        "model": step.graph.name,
        "parameters": {name: list(np.shape(value)) for name, value in params.items()},
        "declaration": digests(step.graph),
        "estimators": {str(node.name): _chosen(chosen) for node, chosen in plan.items()},
        "credit between steps": step.plan.cut,
        "backend": step.program.backend,
        "dtype": str(np.dtype(step.program.dtype)),
        "optimizer": _chosen(optimizer),
        "own optimizer": _chosen(own_optimizer),
        "seed": list(batches.seed),
        "batch size": batches.batch_size,
        "steps per epoch": batches.per_epoch,
        "transform": _chosen(batches.transform),
        "data": {name: _fingerprint(array) for name, array in batches.data.items()},
    }


def compare(path: Path, there: Any, here: Mapping[str, Any]) -> None:
    """Raise, naming the first setting that differs, unless both are the same."""
    there = there if isinstance(there, dict) else {}
    for name, value in here.items():
        if there.get(name) == value:
            continue
        was = there.get(name)
        if isinstance(value, dict) and isinstance(was, dict):
            key = next(k for k in (*value, *was) if value.get(k) != was.get(k))
            name, was, value = f"{name} ({key})", was.get(key), value.get(key)
        raise CheckpointError(
            f"{path}: a checkpoint of another run: its {name} is {was!r}, here it is {value!r}"
        )


def _chosen(value: Any) -> str:
    """Describe an object that a user chose; of a function its text says nothing but the name."""
    shown = text(value)
    coded = re.search("<function|<bound method", shown)
    return f"{shown} with code {digest(value)[:16]}" if coded else shown


def _fingerprint(array: np.ndarray) -> str:
    content = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
    return f"{array.dtype}{list(array.shape)} sha256:{content[:16]}"
