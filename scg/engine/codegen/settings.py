"""numba's settings, on which object code depends."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

#: Prefixes of settings that decide how and where code runs, but do not change the code.
_APART = ("NUM_THREADS", "NUMBA", "THREADING", "CACHE", "CUDA", "DISABLE_JIT", "COLOR", "_")
#: If this variable is set, kernels compile by numba's public interface.
PLAIN = "SCG_PLAIN_NUMBA"
_FILE = Path(".numba_config.yaml")  # in the working directory, as numba has it


def settings() -> str:
    """Description of the settings that differ from numba's own; it does not import numba."""
    given = [
        f"{name}={os.environ[name]}"
        for name in sorted(os.environ)
        if name == PLAIN
        or (name.startswith("NUMBA_") and not name.startswith(_APART, len("NUMBA_")))
    ]
    with contextlib.suppress(OSError):
        given += [_FILE.read_text()]
    config: Any = sys.modules.get("numba.core.config")
    if config is not None:
        usual = _usual("\n".join(given))
        now = ((name, getattr(config, name, None)) for name in usual)
        given += [f"{name}={value!r}" for name, value in now if value != usual[name]]
    return "\n".join(given)


@functools.lru_cache(maxsize=4)
def _usual(given: str) -> dict[str, Any]:
    """The settings that numba takes from the environment, which `given` describes."""
    spec = importlib.util.find_spec("numba.core.config")
    assert spec is not None and spec.loader is not None
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    return {n: v for n, v in vars(fresh).items() if n.isupper() and not n.startswith(_APART)}
