"""The text and the parts of a declaration, checked: each fault is one clear error."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from scg.distributions import constraints
from scg.distributions.constraints import Constraint
from scg.errors import DeclarationError, did_you_mean
from scg.ir.expr import Expr, describe

#: The version of the form of declarations.
SCHEMA = 1

CONSTRAINTS: dict[str, Constraint] = {
    name: value for name, value in vars(constraints).items() if isinstance(value, Constraint)
}

#: Nodes of one declaration, and characters of its text: more is not a model but an attack.
NODES = 100_000
CHARACTERS = 1 << 28

#: Elements of one event, and of all elements of its plates where their number is fixed.
EVENT = 1 << 27
ELEMENTS = 1 << 31

_INFINITIES = {"inf": np.inf, "-inf": -np.inf}


def parse(text: str, what: str) -> Any:
    """The content of a JSON text, in which numbers are finite and no name is given twice."""
    if len(text) > CHARACTERS:
        raise DeclarationError(f"{what}: {len(text)} characters, more than {CHARACTERS}")
    if text.count("{") > 8 * NODES:  # before the time is spent to parse it
        raise DeclarationError(f"{what}: more than {NODES} nodes")
    try:
        return json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_without_repetition,
        )
    except json.JSONDecodeError as error:
        raise DeclarationError(f"{what}:{error.lineno}: {error.msg}") from error
    except RecursionError:
        raise DeclarationError(f"{what}: nested too deeply") from None
    except ValueError as error:
        raise DeclarationError(f"{what}: {error}") from error


def _refuse_constant(word: str) -> Any:
    raise DeclarationError(f"{word} is not a finite number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not np.isfinite(value):
        raise DeclarationError(f"{digits:.20} is not a finite number")
    return value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise DeclarationError(f"the name {repeated!r} is given twice")
    return found


def mapping(what: str, value: Any, known: set[str] | None = None) -> dict[str, Any]:
    """An object as a dict; with `known` other entries are an error."""
    if not isinstance(value, Mapping):
        raise DeclarationError(f"{what}: expected an object {{...}}, got {value!r:.60}")
    for name in value:
        if not isinstance(name, str):
            raise DeclarationError(f"{what}: a name must be a string, got {name!r:.60}")
        if known is not None and name not in known:
            raise DeclarationError(f"{what}: unknown entry {name!r}; known: {sorted(known)}")
    return dict(value)


def known(what: str, name: Any, table: Mapping[str, Any], hint: str = "") -> Any:
    """Look a name up."""
    if not isinstance(name, str) or name not in table:
        also = did_you_mean(name, table) or hint
        raise DeclarationError(f"unknown {what} {name!r:.60}{also}")
    return table[name]


def strings(what: str, value: Any) -> list[str]:
    """A list of names."""
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise DeclarationError(f"{what}: expected names, got {value!r:.60}")
    return list(value)


def without_words(value: Any) -> Any:
    """Nested lists of numbers, with infinities in place of their words."""
    if isinstance(value, list):
        return [without_words(part) for part in value]
    return known("number", value, _INFINITIES) if isinstance(value, str) else value


def numbers(what: str, value: Any) -> Any:
    """Finite numbers, as they are."""
    try:
        array = np.asarray(value)
        finite = array.dtype.kind in "fiub" and bool(np.all(np.isfinite(array)))
    except (ValueError, OverflowError):
        finite = False
    if not finite:
        raise DeclarationError(f"{what}: expected finite numbers, got {value!r:.60}")
    return value


def bounded(value: Any) -> Any:
    """A value, as it is, unless it is a node of absurdly many elements."""
    if isinstance(value, Expr):
        repeats = math.prod(plate.length for plate in value.plates if plate.length is not None)
        if value.size > EVENT or value.size * repeats > ELEMENTS:
            raise DeclarationError(
                f"{describe(value)} has {value.size * repeats} elements, more than a declaration "
                f"may ask for ({EVENT} an event)"
            )
    return value
