"""Models by address: a built-in name, ``path/to/file.py:function``, or a JSON declaration."""

from __future__ import annotations

import contextlib
import functools
import inspect
import runpy
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scg.errors import CallError, DeclarationError, ScgError, did_you_mean
from scg.face import Graph
from scg.graph.declaration import read
from scg.models import MODELS


def find_model(address: str) -> Callable[..., Graph]:
    """The function that declares the model of an address."""
    if address in MODELS:
        return MODELS[address]
    place, colon, name = address.rpartition(":")
    if colon and place.endswith(".py"):
        return _from_file(Path(place), name)
    if address.endswith(".json"):
        try:
            text = Path(address).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise DeclarationError(f"{address}: not UTF-8 text ({error.reason})") from error
        return lambda: read(text, Graph, what=address)
    raise DeclarationError(
        f"there is no model {address!r}{did_you_mean(address, MODELS)}; write file.py:function, "
        f"file.json, or one of {', '.join(MODELS)}"
    )


def build(make: Callable[..., Graph], means: np.ndarray, options: Mapping[str, Any]) -> Graph:
    """Declare a model; `means` is handed on if the function takes it."""
    every = inspect.signature(make).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    taken = {p.name: p.default for p in every if p.kind in named}
    given = dict(options)
    if "means" in taken:
        given.setdefault("means", means)
    for name in given:
        if name not in taken and not any(p.kind is p.VAR_KEYWORD for p in every):
            known = [n for n in taken if n != "means"]
            raise CallError(
                f"the model takes no option {name!r}{did_you_mean(name, known)}; it takes "
                f"{', '.join(known) or 'none'}"
            )
    for name, default in taken.items():
        if default is inspect.Parameter.empty and name not in given:
            raise CallError(f"the model needs the option {name!r}: --set {name}=...")
    try:
        graph = make(**given)
    except ScgError:
        raise
    except (Exception, SystemExit) as error:
        usual = {n: taken[n] for n in options if n in taken}
        words = [f"{n}={options[n]!r} (by default {value!r})" for n, value in usual.items()]
        raise DeclarationError(
            f"the model cannot be declared with {', '.join(words) or 'its defaults'}: "
            f"{_said(error)}"
        ) from error
    if not isinstance(graph, Graph):
        raise CallError(f"the model's function returned {type(graph).__name__}, not a scg.Graph")
    return graph


def _from_file(path: Path, name: str) -> Callable[..., Graph]:
    if not path.is_file():
        raise DeclarationError(f"{path}: there is no such file")
    with _located(path):
        defined = runpy.run_path(str(path), run_name=path.stem)
    found: Any = defined.get(name)
    if not callable(found) or inspect.isbuiltin(found):
        functions = [n for n, value in defined.items() if inspect.isfunction(value)]
        raise DeclarationError(
            f"{path}: has no function {name!r}{did_you_mean(name, functions)}; it has "
            f"{', '.join(functions) or 'none'}"
        )

    @functools.wraps(found)
    def declare(**options: Any) -> Any:
        with _located(path):
            return found(**options)

    return declare


@contextlib.contextmanager
def _located(path: Path) -> Iterator[None]:
    """Give any error of a user's code the line of the model's file at which it arose."""
    try:
        yield
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(path)]
        if isinstance(error, SyntaxError) and error.filename == str(path):
            lines.append(error.lineno)
        where = f"{path}:{lines[-1]}" if lines else f"{path}"
        raise DeclarationError(f"{where}: {_said(error)}") from error


def _said(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    return str(error) if isinstance(error, ScgError) else f"{type(error).__name__}: {error}"
