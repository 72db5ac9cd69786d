"""From the options of a command to a graph and arrays."""

from __future__ import annotations

import ast
import contextlib
import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import scg
from scg.command.models import build, find_model
from scg.data import Binarize, Splits, binarize, load
from scg.errors import CallError, CheckpointError, DataError

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Setting:
    """A declared model with its data: arrays by the names of the graph's data nodes.

    Attributes
    ----------
    model : str
        The model's address.
    graph : Graph
        The model.
    train, valid, test : dict
        The parts of the data; `valid` is empty where there is none.
    transform : Binarize or None
        The transform of each training batch.
    """

    model: str
    graph: scg.Graph
    train: Arrays
    valid: Arrays
    test: Arrays
    transform: Binarize | None

    def batch(self, size: int) -> Arrays:
        """The first training examples, binarized if training binarizes them."""
        part = {
            name: array[:size] if self.graph.data_nodes[name].plates else array
            for name, array in self.train.items()
        }
        return self.transform(part, (0,)) if self.transform else part


def prepare(model: str, data: str, binarization: str, options: Iterable[str]) -> Setting:
    """Declare a model and load its data; binary images stay as they are."""
    graph, splits = declare(model, data, options)
    grey = splits.train.dtype != np.uint8 and binarization != "none"
    dynamic = grey and binarization == "dynamic" and "x" in graph.data_nodes

    def part(name: str, seed: int, drawn: bool) -> Arrays:
        images = getattr(splits, name)
        if images is None:
            return {}
        seen = binarize(images, seed) if drawn else images
        return _arrays(graph, data, seen, splits.labels.get(name))

    return Setting(
        model,
        graph,
        train=part("train", 0, grey and binarization == "static"),
        valid=part("valid", 2, grey),
        test=part("test", 1, grey),
        transform=Binarize() if dynamic else None,
    )


def declare(model: str, data: str, options: Iterable[str]) -> tuple[scg.Graph, Splits]:
    """Declare a model, which may ask for the mean image of the data."""
    make = find_model(model)
    splits = load(data)
    means = splits.train.mean(axis=0, dtype=np.float64)
    return build(make, means, _options(options)), splits


def make_folder(folder: Path) -> None:
    """Make a folder if need be, and check before any work that files can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot write to this folder: {error.strerror}") from error


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
    """Options of a model's function by name; a value is JSON or Python's literal, or else text."""
    options: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CallError(f"--set {text}: write --set name=value")
        try:
            parsed = _value(value)
        except RecursionError:
            raise CallError(f"--set {name}: its brackets are nested too deeply") from None
        options[name] = tuple(parsed) if isinstance(parsed, list) else parsed
    return options


def _value(text: str) -> Any:
    for parse in (json.loads, ast.literal_eval):
        with contextlib.suppress(ValueError, SyntaxError):
            return parse(text)
    return text
