"""``scg train``: one training run in a folder."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import scg
from scg.command.estimators import parse_estimator
from scg.command.setup import Setting, make_folder
from scg.common.files import json_text, write_atomically
from scg.errors import CallError, DivergenceWarning
from scg.train import GradientVariance, HeldOut, Run
from scg.train.evaluate import LOG_WEIGHT
from scg.train.fit import Callback

CHECKPOINT, METRICS, RESULT = "checkpoint.safetensors", "metrics.jsonl", "result.json"
OPTIMIZERS = {
    "adam": scg.optim.Adam,
    "adamw": scg.optim.AdamW,
    "rmsprop": scg.optim.RMSprop,
    "sgd": scg.optim.SGD,
    "momentum": lambda rate: scg.optim.SGD(rate, momentum=0.9),
}


def train(
    setting: Setting,
    estimator: str,
    seed: int,
    batch_size: int,
    rate: float,
    optimizer: str,
    backend: str | None,
    dtype: str,
    samples: int,
    out: Path,
    **run: Any,
) -> dict[str, Any]:
    """Train a model and report; `run` holds further options of :func:`scg.fit`."""
    if not 0 < rate < math.inf:
        raise CallError(f"--rate {rate}: a learning rate is a positive number")
    step = scg.compile(setting.graph, parse_estimator(estimator), backend=backend, dtype=dtype)
    make_folder(out)
    examples = min(map(len, setting.train.values()), default=1)
    callbacks: list[Callback] = [GradientVariance(setting.batch(batch_size), runs=20)]
    if setting.valid and LOG_WEIGHT in setting.graph.roles:
        callbacks.append(HeldOut(setting.valid, name="valid"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DivergenceWarning)
        try:
            finished: Run = scg.fit(
                step,
                data=setting.train,
                seed=seed,
                optimizer=OPTIMIZERS[optimizer](rate),
                batch_size=min(batch_size, examples) if setting.train else None,
                steps_per_epoch=None if setting.train else 100,
                transform=setting.transform,
                callbacks=callbacks,
                metrics=out / METRICS,
                checkpoint=out / CHECKPOINT,
                **run,
            )
        except DivergenceWarning as error:
            raise CallError(f"{error}; metrics and a checkpoint are in {out}") from None
    result = {
        "model": setting.model,
        "estimator": estimator,
        "epochs": finished.epoch,
        "cost": finished.history[-1]["cost"],
        "gradient_variance": finished.history[-1]["gradient_variance"],
        **_held_out(finished, setting.test, samples),
        "folder": str(out),
    }
    write_atomically(out / RESULT, (json_text(result, indent=1) + "\n").encode())
    return result


def _held_out(run: Run, data: Any, samples: int) -> dict[str, float]:
    """Evaluate the test part: bounds if the model declares log-weights, else the cost."""
    if LOG_WEIGHT not in run.step.graph.roles:
        out = run.step(run.params, seed=1, runs=20, data=data, state=run.state)
        return {"held_out_cost": out.cost}
    found = scg.evaluate(run.step.graph, run.params, data, samples=samples, seed=1)
    return {"held_out_elbo": found.elbo, f"held_out_bound_{samples}": found.bound}
