"""Numba's compiler, as kernels use it: by a target of ours, or by its public interface.

Both make the same functions. The target builds on private parts of numba, which a probe tries when
a process first compiles a kernel; where it fails, the public interface serves, in twice the time.
"""

from __future__ import annotations

import logging
import os
from types import ModuleType

from scg.engine.codegen.settings import PLAIN


def _chosen() -> ModuleType:
    if not os.environ.get(PLAIN):
        try:
            from scg.engine.codegen import target

            target.probe()
            return target
        except Exception as error:
            logging.getLogger("scg").warning(
                "kernels compile by the public interface of numba, which takes longer, because "
                "this version lacks private parts that scg uses (%s: %s)",
                type(error).__name__,
                error,
            )
    from scg.engine.codegen import plain

    return plain


_way = _chosen()
jit, kernel, object_code = _way.jit, _way.kernel, _way.object_code
