"""Backends: what may compute a program, and which one does where nobody chose."""

from __future__ import annotations

import os

from scg.errors import DeclarationError

#: What computes a program; the first is the default.
BACKENDS = ("numba", "numpy")
VARIABLE = "SCG_BACKEND"


def chosen_backend(given: str | None, caller: str) -> str:
    """Return the backend that a caller was given, or the default one.

    Raises
    ------
    DeclarationError
        If there is none of this name.
    """
    what, value = f"{caller}: backend", given
    if value is None:
        what, value = f"environment variable {VARIABLE}", os.environ.get(VARIABLE) or BACKENDS[0]
    if value not in BACKENDS:
        known = ", ".join(map(repr, BACKENDS))
        raise DeclarationError(f"{what} must be one of {known}, got {value!r}")
    return value
