"""Backends: what may compute a program, and the default."""

from __future__ import annotations

import os

from scg.errors import DeclarationError

#: Names of the backends; the first is the default.
BACKENDS = ("numba", "numpy")
VARIABLE = "SCG_BACKEND"


def chosen_backend(given: str | None, caller: str) -> str:
    """The backend that a caller was given, or the default one; an unknown name is an error."""
    what, value = f"{caller}: backend", given
    if value is None:
        what, value = f"environment variable {VARIABLE}", os.environ.get(VARIABLE) or BACKENDS[0]
    if value not in BACKENDS:
        known = ", ".join(map(repr, BACKENDS))
        raise DeclarationError(f"{what} must be one of {known}, got {value!r}")
    return value
