"""Functions of numbers that compiled kernels call by symbol: SciPy's, and our own.

``scipy.special.cython_special`` exports C functions through capsules. `scipy.special` applies the
same functions to each element, so that kernels have the interpreter's bits. Our own functions are
compiled once each, not again in each kernel. SciPy is imported, and a function loaded, only for a
kernel that needs it.
"""

from __future__ import annotations

import ctypes
from typing import NamedTuple

PREFIX = "scg.call."


class Function(NamedTuple):
    """Type codes, first of the result and then of the other arguments; and SciPy's capsule."""

    codes: tuple[str, ...]
    capsule: str | None = None
    lanes: int = 0  # of a function of :mod:`scg.engine.codegen.vectors`


_ONE, _TWO, _THREE = (("f8",) * n for n in (1, 2, 3))

#: SciPy's functions, and those of :mod:`scg.engine.codegen.scalars`. A fused function of Cython
#: has one capsule for each type.
FUNCTIONS = {
    "gammaln": Function(_ONE, "gammaln"),
    "gamma": Function(_ONE, "__pyx_fuse_1gamma"),
    "psi": Function(_ONE, "__pyx_fuse_1psi"),
    "gammainc": Function(_TWO, "gammainc"),
    "gammaincc": Function(_TWO, "gammaincc"),
    "gammainccinv": Function(_TWO, "gammainccinv"),
    "gammaincinv": Function(_TWO, "gammaincinv"),
    "betainc": Function(_THREE, "__pyx_fuse_0betainc"),
    "betaincinv": Function(_THREE, "__pyx_fuse_0betaincinv"),
    "betainccinv": Function(_THREE, "__pyx_fuse_0betainccinv"),
    "betaln": Function(_TWO, "betaln"),
    "expit": Function(_ONE, "__pyx_fuse_0expit"),
    "erf": Function(_ONE, "__pyx_fuse_1erf"),
    "erfc": Function(_ONE, "__pyx_fuse_1erfc"),
    "erfcx": Function(_ONE, "__pyx_fuse_1erfcx"),
    "erfinv_f8": Function(_ONE, "__pyx_fuse_0erfinv"),
    "erfinv_f4": Function(("f4",), "__pyx_fuse_1erfinv"),
    "ndtr": Function(_ONE, "__pyx_fuse_1ndtr"),
    "log_ndtr": Function(_ONE, "__pyx_fuse_1log_ndtr"),
    "i0e": Function(_ONE, "i0e"),
    "i1e": Function(_ONE, "i1e"),
    "polygamma": Function(("f8", "i8")),
    "stirling": Function(("f8", "i8")),
    "gammainc_da": Function(("f8", "f8", "i8")),
    "gamma_implicit": Function(("f8", "f8", "i8")),
    "log_gammainccinv": Function(_TWO),
    "log_gammaincinv": Function(_TWO),
    "log_i0e": Function(("f8", "i8")),
    "von_mises_cdf": Function(("f8", "f8", "i8")),
    "von_mises_quantile": Function(_TWO),
    "von_mises_variance": Function(("f8", "i8")),
    "logit_betaincinv": Function(_THREE),
    "beta_implicit": Function(("f8", "f8", "f8", "i8", "i8")),
    "poisson_quantile": Function(_TWO),
    "binomial_quantile": Function(_THREE),
    "negative_binomial_quantile": Function(_THREE),
}

#: Lanes of the variants of a function for vectors.
WIDTHS = (2, 4, 8, 16)


def vector(name: str, lanes: int) -> str:
    """Name of the variant of a function for some lanes."""
    return f"{name}_x{lanes}"


for _function in ("log_gamma", "digamma"):
    FUNCTIONS[_function] = Function(_ONE, lanes=1)
    FUNCTIONS |= {vector(_function, n): Function(_ONE, lanes=n) for n in WIDTHS}

_name, _pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
_name.restype, _name.argtypes = ctypes.c_char_p, [ctypes.py_object]
_pointer.restype, _pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


def exported(capsule: str) -> int:
    """Address of one of SciPy's functions."""
    found = exports()[capsule]
    return _pointer(found, _name(found))


def signature(name: str) -> str:
    """C signature that SciPy declares for one of its functions."""
    capsule = FUNCTIONS[name].capsule
    assert capsule is not None
    return _name(exports()[capsule]).decode()


def exports() -> dict[str, object]:
    """SciPy's capsules by name."""
    from scipy.special import cython_special

    return cython_special.__pyx_capi__
