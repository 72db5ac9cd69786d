"""Backends: what may compute a program, and the default."""

from __future__ import annotations

import functools
import importlib.util
import os

from scg.errors import DeclarationError

#: Names of the backends; the first is the default where numba is installed.
BACKENDS = ("numba", "numpy")
VARIABLE = "SCG_BACKEND"


def chosen_backend(given: str | None, caller: str) -> str:
    """The backend that a caller was given, or the default one; an unknown name is an error."""
    what, value = f"{caller}: backend", given
    if value is None:
        what, value = f"environment variable {VARIABLE}", os.environ.get(VARIABLE) or _default()
    if value not in BACKENDS:
        known = ", ".join(map(repr, BACKENDS))
        raise DeclarationError(f"{what} must be one of {known}, got {value!r}")
    return value


@functools.cache
def _default() -> str:
    """The first backend, or NumPy with one log line where what it needs is missing.

    The compiler that numba stands on is imported. numba itself is only looked for, because kernels
    from the cache do not need it.
    """
    try:
        import llvmlite.binding  # noqa: F401

        if importlib.util.find_spec("numba") is None:
            raise ImportError("No module named 'numba'")
        return BACKENDS[0]
    except (ImportError, OSError) as error:
        import logging

        logging.getLogger("scg").warning("scg computes with NumPy, which is slower: %s", error)
        return BACKENDS[1]
