"""``scg train``: one training run in a folder."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import scg
from scg.command.setup import make_folder, prepare
from scg.errors import CallError
from scg.files import json_text, write_atomically
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
    model: str,
    data: str,
    binarize: str,
    options: tuple[str, ...],
    estimator: str,
    seed: int,
    epochs: int,
    batch_size: int,
    rate: float,
    optimizer: str,
    backend: str | None,
    dtype: str | None,
    samples: int,
    log_every: int | None,
    out: Path,
    resume: bool,
    progress: bool,
) -> dict[str, Any]:
    """Train a model; return what is to be reported.

    Raises
    ------
    ScgError
        If anything given is wrong.
    KeyboardInterrupt
        On Ctrl-C, after the checkpoint was written.
    """
    if not 0 < rate < math.inf:
        raise CallError(f"--rate {rate}: a learning rate is a positive number")
    setting = prepare(model, data, binarize, options)
    chosen = {"backend": backend, "dtype": dtype}
    step = setting.compile(estimator, **{k: v for k, v in chosen.items() if v is not None})
    make_folder(out)
    size: dict[str, Any] = {"batch_size": min(batch_size, _examples(setting.train))}
    callbacks: list[Callback] = [GradientVariance(setting.batch(batch_size), runs=20)]
    if setting.valid and LOG_WEIGHT in setting.graph.roles:
        callbacks.append(HeldOut(setting.valid, name="valid"))
    if not setting.train:
        size = {"steps_per_epoch": 100}
    finished: Run = scg.fit(
        step,
        data=setting.train,
        seed=seed,
        optimizer=OPTIMIZERS[optimizer](rate),
        epochs=epochs,
        transform=setting.transform,
        callbacks=callbacks,
        metrics=out / METRICS,
        log_every=log_every,
        checkpoint=out / CHECKPOINT,
        resume=resume,
        progress=progress,
        **size,
    )
    result = {
        "model": model,
        "estimator": estimator,
        "epochs": finished.epoch,
        "cost": finished.history[-1]["cost"],
        "gradient_variance": finished.history[-1]["gradient_variance"],
        **_held_out(setting.graph, finished, setting.held_out, samples),
        "folder": str(out),
    }
    write_atomically(out / RESULT, (json_text(result, indent=1) + "\n").encode())
    return result


def _held_out(graph: scg.Graph, run: Run, data: Any, samples: int) -> dict[str, float]:
    """Evaluate held-out data, if the model declares log-weights."""
    if LOG_WEIGHT not in graph.roles:
        out = run.step(run.params, seed=1, runs=20, data=data, state=run.state)
        return {"held_out_cost": out.cost}
    found = scg.evaluate(graph, run.params, data, samples=samples, seed=1)
    return {"held_out_elbo": found.elbo, f"held_out_bound_{samples}": found.bound}


def _examples(arrays: Any) -> int:
    return min((len(array) for array in arrays.values()), default=1)
