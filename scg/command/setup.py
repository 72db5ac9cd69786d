"""From the options of a command to a graph, a step and arrays."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import scg
from scg.command.estimators import parse_estimator
from scg.command.models import build, find_model
from scg.data import Binarize, Splits, binarize, load
from scg.errors import CallError, CheckpointError, DataError
from scg.run.step import Step

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """A declared model with its data.

    Attributes
    ----------
    graph : Graph
        The model.
    train, valid, held_out : dict
        Arrays by the names of the graph's data; the held-out ones are the test part. Without a
        validation part `valid` is empty.
    transform : Binarize or None
        What is done to each training batch.
    """

    graph: scg.Graph
    train: Arrays
    valid: Arrays
    held_out: Arrays
    transform: Binarize | None

    def compile(self, estimator: str, **options: Any) -> Step:
        """Compile the model with an estimator given as text."""
        return compiled(self.graph, estimator, **options)

    def batch(self, size: int) -> Arrays:
        """Return the first training examples, binarized if training binarizes them."""
        part = {
            name: array[:size] if self.graph.data_nodes[name].plates else array
            for name, array in self.train.items()
        }
        return self.transform(part, (0,)) if self.transform else part


def prepare(model: str, data: str, binarization: str, options: Iterable[str]) -> Setting:
    """Declare a model and load its data.

    Parameters
    ----------
    model, data : str
        Addresses.
    binarization : {"dynamic", "static", "none"}
        What is done to grey images; binary ones stay as they are.
    options : iterable of str
        ``name=value`` for the model's function; values are JSON, or else text.

    Raises
    ------
    ScgError
        If an address, an option or a file is not what it should be.
    """
    graph, splits = _declared(model, data, options)
    grey = splits.train.dtype != np.uint8 and binarization != "none"
    transform = Binarize() if grey and binarization == "dynamic" and _has(graph, "x") else None
    train = splits.train
    if grey and binarization == "static":
        train = binarize(train, 0)
    test = binarize(splits.test, 1) if grey else splits.test
    valid: Arrays = {}
    if splits.valid is not None:
        seen = binarize(splits.valid, 2) if grey else splits.valid
        valid = _arrays(graph, data, seen, splits.labels.get("valid"))
    return Setting(
        graph,
        _arrays(graph, data, train, splits.labels.get("train")),
        valid,
        _arrays(graph, data, test, splits.labels.get("test")),
        transform,
    )


def compiled(graph: scg.Graph, estimator: str, **options: Any) -> Step:
    """Compile a graph with an estimator given as text."""
    return scg.compile(graph, parse_estimator(estimator), **options)


def declare(model: str, data: str, options: Iterable[str]) -> scg.Graph:
    """Declare a model; of the data only the mean image is read, where the model asks for it.

    Raises
    ------
    ScgError
        As :func:`prepare`.
    """
    return _declared(model, data, options)[0]


def _declared(model: str, data: str, options: Iterable[str]) -> tuple[scg.Graph, Splits]:
    make = find_model(model)
    splits = load(data)
    means = splits.train.mean(axis=0, dtype=np.float64)
    return build(make, means, _options(options)), splits


def make_folder(folder: Path) -> None:
    """Make a folder if need be, and see that files can be written there, before any work is done.

    Raises
    ------
    CheckpointError
        If it cannot be made, or not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot write to this folder: {error.strerror}") from error


def _has(graph: scg.Graph, name: str) -> bool:
    return name in graph.data_nodes


def _arrays(graph: scg.Graph, data: str, images: np.ndarray, labels: np.ndarray | None) -> Arrays:
    known: Mapping[str, np.ndarray | None] = {"x": images, "labels": labels}
    arrays: Arrays = {}
    for name, node in graph.data_nodes.items():
        found = known.get(name)
        if name not in known:
            raise CallError(
                f"the model declares data {name!r}; the command feeds images as 'x' and labels "
                "as 'labels'. For other data call scg.fit"
            )
        if found is None:
            raise DataError(f"data {data!r} has no labels, which the model needs")
        if found.shape[1:] != node.shape:
            raise DataError(
                f"data {data!r} has examples of shape {found.shape[1:]}, "
                f"the model's {name!r} is of shape {node.shape}"
            )
        arrays[name] = found
    return arrays


def _options(texts: Iterable[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise CallError(f"--set {text}: write --set name=value")
        try:
            parsed = json.loads(value)
        except json.JSONDecodeError:
            parsed = value
        except RecursionError:
            raise CallError(f"--set {name}: its brackets are nested too deeply") from None
        options[name] = tuple(parsed) if isinstance(parsed, list) else parsed
    return options
