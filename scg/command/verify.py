"""``scg check`` and ``scg compare``: gradients of a model on a few training examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import scg
from scg.command.estimators import parse_estimator, split_outside
from scg.command.setup import Setting, prepare
from scg.errors import CheckpointError, EstimatorError
from scg.train import checkpoint


def check(
    model: str,
    data: str,
    binarize: str,
    options: tuple[str, ...],
    estimator: str,
    examples: int,
    params: Path | None,
    runs: int,
    seed: int,
) -> Any:
    """Return the check of one estimator, a :class:`scg.verify.check.Check`."""
    setting = prepare(model, data, binarize, options)
    step = setting.compile(estimator)
    at = _parameters(setting, params, seed)
    return scg.check(step, at, seed, setting.batch(examples), runs=runs)


def compare(
    model: str,
    data: str,
    binarize: str,
    options: tuple[str, ...],
    estimators: str,
    examples: int,
    params: Path | None,
    runs: int,
    seed: int,
) -> Any:
    """Return the comparison of several, a :class:`scg.verify.compare.Comparison`."""
    setting = prepare(model, data, binarize, options)
    texts = [text.strip() for text in split_outside(estimators, ",")]
    chosen = {text: parse_estimator(text) for text in texts}
    if len(chosen) < len(texts):
        raise EstimatorError(f"--estimators {estimators}: one estimator is named twice")
    return scg.compare(
        setting.graph,
        chosen,
        _parameters(setting, params, seed),
        runs=runs,
        seed=seed,
        data=setting.batch(examples),
    )


def _parameters(setting: Setting, path: Path | None, seed: int) -> dict[str, np.ndarray]:
    if path is None:
        return setting.graph.init(seed)
    arrays, _ = checkpoint.load(path)
    found = arrays.get("params", {})
    for name, parameter in setting.graph.parameters.items():
        if name not in found or found[name].shape != parameter.node.shape:
            raise CheckpointError(f"{path}: a checkpoint of another model: {name!r} does not fit")
    return found
