"""Special functions of one element, in double precision: SciPy's, and twins of our own.

The interpreter's versions, in :mod:`scg.special.incomplete_gamma`, :mod:`scg.special.quantiles` and
:mod:`scg.special.von_mises`, say where each formula comes from; here they stand for one element, in
real arithmetic. ``exp`` and ``log`` are the system's: to inline ours takes long to compile.
"""

from scg.engine.codegen.scalars import beta, counts, gamma, von_mises
from scg.engine.codegen.scalars.base import SCALARS

__all__ = ["SCALARS", "beta", "counts", "gamma", "von_mises"]
