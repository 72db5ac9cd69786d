"""What there is: built-in models, estimators, compiled kernels."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

from scg.errors import ScgError
from scg.estimators import ESTIMATORS


def models() -> list[dict[str, str]]:
    """Return a row for each built-in model: its name, what it is, the options it takes."""
    from scg.models import MODELS

    rows = []
    for name, make in MODELS.items():
        function: Any = make.func if isinstance(make, partial) else make
        options = [
            f"{p.name}={p.default}"
            for p in inspect.signature(make).parameters.values()
            if p.name != "means"
        ]
        rows.append({"model": name, "what": _line(function), "options": ", ".join(options)})
    return rows


def estimators() -> list[dict[str, str]]:
    """Return a row for each estimator: its name, traits as it is by default, and what it is."""
    rows = []
    for cls in ESTIMATORS:
        given = inspect.signature(cls).parameters.values()
        unbiased = _trait(cls, "unbiased")
        rows.append(
            {
                "estimator": cls.__name__,
                "unbiased": {True: "yes", False: "no"}.get(unbiased, unbiased),
                "evaluations": _trait(cls, "evaluations"),
                "what": _line(cls),
                "arguments": ", ".join(
                    p.name if p.default is p.empty else f"{p.name}={p.default}" for p in given
                ),
            }
        )
    return rows


def cache(clear: bool) -> dict[str, Any]:
    """Return where kernels are kept, how many, and how large they are; remove them first, or not.

    Raises
    ------
    ScgError
        If there is no such place.
    """
    from scg.engine.codegen import cache

    folder, most = cache.directory(), cache.limit()
    if folder is None:
        raise ScgError(
            "there is no cache: SCG_CACHE_DIR names a directory that is empty text, somebody "
            "else's, or cannot be made"
        )
    removed = cache.evict(0.0)[0] if clear else 0
    sizes = [status.st_size for _, status in cache.entries()]
    return {
        "folder": str(folder),
        "kernels": len(sizes),
        "megabytes": sum(sizes) / 1e6,
        "at most": most / 1e6,
        **({"removed": removed} if clear else {}),
    }


def _trait(cls: type, name: str) -> Any:
    """Return a trait; where it depends on the arguments, that of the default ones."""
    value = getattr(cls, name)
    if not isinstance(value, property):
        return value
    given = inspect.signature(cls).parameters.values()
    return "depends" if any(p.default is p.empty for p in given) else getattr(cls(), name)


def _line(documented: Any) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]
