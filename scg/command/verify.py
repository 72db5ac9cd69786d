"""``scg check`` and ``scg compare``: gradients of a model on a few training examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import scg
from scg.command.estimators import parse_estimator, split_outside
from scg.command.setup import Setting
from scg.errors import CheckpointError, EstimatorError
from scg.train import checkpoint


def check(
    setting: Setting, estimator: str, examples: int, params: Path | None, runs: int, seed: int
) -> Any:
    """The check of one estimator, a :class:`scg.verify.check.Check`."""
    step = scg.compile(setting.graph, parse_estimator(estimator))
    at = _parameters(setting.graph, params, seed)
    return scg.check(step, at, seed, setting.batch(examples), runs=runs)


def compare(
    setting: Setting, estimators: str, examples: int, params: Path | None, runs: int, seed: int
) -> Any:
    """The comparison of several, a :class:`scg.verify.compare.Comparison`."""
    texts = [text.strip() for text in split_outside(estimators, ",")]
    chosen = {text: parse_estimator(text) for text in texts}
    if len(chosen) < len(texts):
        raise EstimatorError(f"--estimators {estimators}: one estimator is named twice")
    at = _parameters(setting.graph, params, seed)
    batch = setting.batch(examples)
    return scg.compare(setting.graph, chosen, at, runs=runs, seed=seed, data=batch)


def _parameters(graph: scg.Graph, path: Path | None, seed: int) -> dict[str, np.ndarray]:
    """The parameters in a checkpoint, or initial ones."""
    if path is None:
        return graph.init(seed)
    found = checkpoint.load(path)[0].get("params", {})
    for name, parameter in graph.parameters.items():
        if name not in found or found[name].shape != parameter.node.shape:
            raise CheckpointError(f"{path}: a checkpoint of another model: {name!r} does not fit")
    return found
