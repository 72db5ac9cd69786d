"""Estimators as text: ``MuProp``, ``LeaveOneOut(samples=8)``, ``h1=MuProp,h2=Enumeration``."""

from __future__ import annotations

import ast
from typing import Any

from scg.errors import EstimatorError, did_you_mean
from scg.estimators import ESTIMATORS, Estimator, baselines

_BASELINES = [getattr(baselines, name) for name in baselines.__all__ if name != "Baseline"]
_KNOWN = {cls.__name__.lower(): cls for cls in (*ESTIMATORS, *_BASELINES)}


def parse_estimator(text: str) -> Estimator | dict[str, Estimator] | None:
    """The estimator, or the estimators by node, that a text names.

    Parameters
    ----------
    text : str
        ``auto`` for the plan's own choice; the name of an estimator in any case of letters, with
        arguments as in Python; or such texts for single nodes, ``node=estimator``, separated by
        commas.

    Returns
    -------
    Estimator, dict or None
        What :func:`scg.compile` takes as ``estimator``.

    Raises
    ------
    EstimatorError
        If the text cannot be read or names no estimator.

    Examples
    --------
    >>> parse_estimator("leaveoneout(samples=8)")
    LeaveOneOut(samples=8)
    >>> sorted(parse_estimator("h1=MuProp, h2=ScoreFunction(baseline=MovingAverage(0.9))"))
    ['h1', 'h2']
    """
    if text.strip().lower() == "auto":
        return None
    pieces = split_outside(text, ",")
    per_node = [split_outside(piece, "=", limit=1) for piece in pieces]
    if all(len(pair) == 2 for pair in per_node):
        found = {node.strip(): _one(value) for node, value in per_node}
        if len(found) < len(per_node):
            raise EstimatorError(f"estimator {text!r}: one node is named twice")
        return found
    return _one(text)


def split_outside(text: str, separator: str, limit: int = -1) -> list[str]:
    """Split a text at a separator that stands outside all brackets."""
    parts, depth, start = [], 0, 0
    for i, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == separator and depth == 0 and limit != len(parts):
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]


def _one(text: str) -> Estimator:
    try:
        made = _build(ast.parse(text.strip(), mode="eval").body)
    except EstimatorError:
        raise
    except (SyntaxError, TypeError, ValueError) as error:
        raise EstimatorError(
            f"estimator {text!r}: write it as LeaveOneOut(samples=4), or for single nodes as "
            "h1=MuProp,h2=ARM"
        ) from error
    except (MemoryError, RecursionError):
        raise EstimatorError("estimator: its brackets are nested too deeply") from None
    if not isinstance(made, Estimator):
        raise EstimatorError(f"estimator {text!r}: {made!r} is not an estimator; {_suggestion()}")
    return made


def _build(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return _class(node.id)()
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        args = [_build(arg) for arg in node.args]
        if any(keyword.arg is None for keyword in node.keywords):
            raise ValueError("**options")
        return _class(node.func.id)(*args, **{str(k.arg): _build(k.value) for k in node.keywords})
    return ast.literal_eval(node)


def _class(name: str) -> type:
    if name.lower() not in _KNOWN:
        near = did_you_mean(name, (cls.__name__ for cls in _KNOWN.values()))
        raise EstimatorError(f"there is no estimator {name!r}{near or f'; {_suggestion()}'}")
    return _KNOWN[name.lower()]


def _suggestion() -> str:
    return f"known are auto, {', '.join(cls.__name__ for cls in ESTIMATORS)}"
