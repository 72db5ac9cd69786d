"""What there is: built-in models, estimators, compiled kernels; and tables of such rows."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial
from typing import Any

from scg.engine.codegen import cache as kernels
from scg.errors import ScgError
from scg.estimators import ESTIMATORS
from scg.models import MODELS

Rows = list[dict[str, str]]


def models() -> Rows:
    """Built-in models: name, what it is, its options."""
    rows = []
    for name, make in MODELS.items():
        function: Any = make.func if isinstance(make, partial) else make
        options = _options([p for p in _parameters(make) if p.name != "means"])
        rows.append({"model": name, "what": _line(function), "options": options})
    return rows


def estimators() -> Rows:
    """Estimators: name, traits of the default options, what it is, its options."""
    return [
        {
            "estimator": cls.__name__,
            "unbiased": {True: "yes", False: "no"}.get(_trait(cls, "unbiased"), "depends"),
            "evaluations": _trait(cls, "evaluations"),
            "what": _line(cls),
            "arguments": _options(_parameters(cls)),
        }
        for cls in ESTIMATORS
    ]


def cache(clear: bool) -> dict[str, Any]:
    """Where kernels are kept, how many, and how large they are; with `clear` after removal."""
    folder = kernels.directory()
    if folder is None:
        raise ScgError(
            "there is no cache: SCG_CACHE_DIR is empty, or its directory belongs to another user "
            "or cannot be made"
        )
    removed = {"removed": kernels.evict(0.0)[0]} if clear else {}
    sizes = [status.st_size for _, status in kernels.entries()]
    found = {"folder": str(folder), "kernels": len(sizes), "megabytes": sum(sizes) / 1e6}
    return {**found, "at most": kernels.limit() / 1e6, **removed}


def table(rows: Sequence[dict[str, Any]], head: bool = True) -> str:
    """Rows as text in columns, never cut to the width of the terminal."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = Table(*rows[0], box=None, padding=(0, 2, 0, 0), show_header=head, header_style="")
    for row in rows:
        columns.add_row(*(Text(str(value)) for value in row.values()))
    console = Console(width=10_000, color_system=None)
    with console.capture() as captured:
        console.print(columns)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _parameters(made: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(made).parameters.values())


def _options(parameters: list[inspect.Parameter]) -> str:
    return ", ".join(
        p.name if p.default is p.empty else f"{p.name}={getattr(p.default, '__name__', p.default)}"
        for p in parameters
    )


def _trait(cls: type, name: str) -> Any:
    """A trait; where it depends on the options, that of the default ones."""
    value = getattr(cls, name)
    if not isinstance(value, property):
        return value
    if any(p.default is p.empty for p in _parameters(cls)):
        return "depends"
    return getattr(cls(), name)


def _line(documented: Any) -> str:
    return (inspect.getdoc(documented) or "").partition("\n")[0]
