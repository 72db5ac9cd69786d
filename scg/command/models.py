"""Models by address: a built-in name, ``path/to/file.py:function``, or a JSON declaration."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from scg.declaration import read
from scg.errors import CallError, DeclarationError, ScgError
from scg.graph import Graph


def find_model(address: str) -> Callable[..., Graph]:
    """Return the function that declares a model.

    Parameters
    ----------
    address : str
        A built-in name, ``path/to/file.py:function``, or the path of a JSON declaration.

    Raises
    ------
    DeclarationError
        If there is no such model, or its file cannot be read.
    """
    from scg.models import MODELS

    if address in MODELS:
        return MODELS[address]
    place, colon, name = address.rpartition(":")
    if colon and place.endswith(".py"):
        return _from_file(Path(place), name)
    if address.endswith(".json"):
        text = _text(Path(address))
        return lambda: read(text, what=address)
    raise DeclarationError(
        f"there is no model {address!r}; write file.py:function, file.json, or one of "
        f"{', '.join(MODELS)}"
    )


def build(make: Callable[..., Graph], means: np.ndarray, options: Mapping[str, Any]) -> Graph:
    """Declare a model; `means` is handed on if the function takes it.

    Raises
    ------
    CallError
        If the function does not take the options, or returns no graph.
    """
    taken = inspect.signature(make).parameters
    given = dict(options)
    if "means" in taken:
        given.setdefault("means", means)
    for name in given:
        if name not in taken:
            raise CallError(
                f"the model takes no option {name!r}; it takes "
                f"{', '.join(n for n in taken if n != 'means') or 'none'}"
            )
    missing = [n for n, p in taken.items() if p.default is p.empty and n not in given]
    if missing:
        raise CallError(f"the model needs the option {missing[0]!r}: --set {missing[0]}=...")
    try:
        graph = make(**given)
    except ScgError:
        raise
    except (Exception, SystemExit) as error:  # a user's function may raise anything
        raise DeclarationError(
            f"the model's function failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(graph, Graph):
        raise CallError(f"the model's function returned {type(graph).__name__}, not a scg.Graph")
    return graph


def _from_file(path: Path, name: str) -> Callable[..., Graph]:
    if not path.is_file():
        raise DeclarationError(f"{path}: there is no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise DeclarationError(f"{path}:{error.lineno or 1}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        raise DeclarationError(f"{path}: {type(error).__name__}: {error}") from error
    found = vars(module).get(name)
    if not callable(found):
        raise DeclarationError(f"{path}: has no function {name!r}")
    return cast(Callable[..., Graph], found)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DeclarationError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DeclarationError(f"{path}: not UTF-8 text ({error.reason})") from error
