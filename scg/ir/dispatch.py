"""NumPy on nodes (NEP 13 and 18): what ufuncs and functions build, and what to write instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

Rule = TypeVar("Rule", bound=Callable[..., Any])

#: NumPy ufuncs and functions, and what they build on nodes; filled by ``scg.ops``.
UFUNCS: dict[Any, Callable[..., Any]] = {}
FUNCTIONS: dict[Any, Callable[..., Any]] = {}
#: Names of the functions of ``scg`` that take nodes; filled by ``scg.ops``.
PUBLIC: set[str] = set()


def implements(*functions: Any) -> Callable[[Rule], Rule]:
    """Let NumPy ufuncs and functions build on nodes what the decorated rule builds."""

    def note(rule: Rule) -> Rule:
        for function in functions:
            (UFUNCS if isinstance(function, np.ufunc) else FUNCTIONS)[function] = rule
        return rule

    return note


#: What a node lacks, after its description.
NO_VALUES = (
    " holds no values. For samples call g.simulate(params, nodes=[...], seed=1); inside a model "
    "write functions of np or scg on it, such as np.exp or scg.softmax"
)
NO_TRUTH = (
    " has no truth value while a graph is declared. Write np.where(condition, a, b) instead of `if`"
)
NO_ITEMS = (
    " cannot be iterated. Write np.sum(node), node[i], or [node[i] for i in range(node.shape[0])]"
)

NO_NUMBER = (
    " is no number while a graph is declared. Write NumPy functions on it, such as np.exp(node), "
    "scg.one_hot(node, n) @ values to choose by it, or scg.op(function)(node); for samples call "
    "g.simulate(params, nodes=[...], seed=1)"
)

#: What is nearest in meaning, where the spelling does not tell; else the spelling decides.
_NEAREST = {
    "add.reduce": "np.sum",
    "add.accumulate": "np.cumsum",
    "multiply.reduce": "np.prod",
    "multiply.accumulate": "np.cumprod",
    "multiply.outer": "np.outer",
    "maximum.reduce": "np.max",
    "minimum.reduce": "np.min",
    "logaddexp": "scg.logsumexp",
    "hypot": "np.linalg.norm",
    "reciprocal": "np.divide",
    "cbrt": "np.power",
    "floor_divide": "np.floor",
    "remainder": "np.floor",
    "fmod": "np.floor",
    "fabs": "np.absolute",
    "fmax": "np.maximum",
    "fmin": "np.minimum",
    "heaviside": "np.where",
    "average": "np.mean",
    "median": "np.sort",
    "percentile": "np.sort",
    "quantile": "np.sort",
    "inner": "np.dot",
    "vdot": "np.dot",
    "tensordot": "np.einsum",
    "kron": "np.einsum",
    "vstack": "np.concatenate",
    "hstack": "np.concatenate",
    "dstack": "np.stack",
    "ptp": "np.max",
    "i0": "scg.i0e",
    "any": "np.max",
    "all": "np.min",
    "linalg.lstsq": "np.linalg.solve",
    "linalg.qr": "np.linalg.cholesky",
    "linalg.eigh": "np.linalg.cholesky",
    "linalg.svd": "np.linalg.cholesky",
}

#: What to write for functions of SciPy that have another name here.
_SCIPY = {
    "expit": "scg.sigmoid",
    "log_expit": "scg.log_sigmoid",
    "psi": "scg.digamma",
    "loggamma": "scg.gammaln",
    "xlogy": "x * np.log(y)",
    "xlog1py": "x * np.log1p(y)",
    **{name: f"np.{name}" for name in ("exp2", "expm1", "log1p")},
}


def ufunc(called: Any, method: str, inputs: tuple[Any, ...], options: Any) -> Any:
    """Build what a call of a ufunc builds.

    Raises
    ------
    TypeError
        If nodes do not support it; the message names the nearest that they do.
    """
    if method != "__call__":
        raise TypeError(_unsupported(f"{called.__name__}.{method}", UFUNCS))
    if called not in UFUNCS:
        if getattr(np, called.__name__, None) is not called:
            raise TypeError(_of_scipy(called.__name__))
        raise TypeError(_unsupported(called.__name__, UFUNCS))
    if options:
        raise TypeError(
            f"np.{called.__name__} with {', '.join(options)} is not supported on nodes; it takes "
            "nodes and arrays alone"
        )
    return UFUNCS[called](*inputs)


def function(called: Any, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """Build what a call of a NumPy function builds; raises as :func:`ufunc` does."""
    if called not in FUNCTIONS:
        raise TypeError(_unsupported(numpy_name(called), FUNCTIONS))
    rule = FUNCTIONS[called]
    try:
        return rule(*args, **options)
    except TypeError:
        signature = inspect.signature(rule)
        try:
            signature.bind(*args, **options)
        except TypeError as error:
            takes = ", ".join(signature.parameters)
            raise TypeError(f"np.{numpy_name(called)} on nodes takes ({takes}): {error}") from None
        raise


def numpy_name(function: Any) -> str:
    """Return the name of a NumPy function below ``np``, such as "linalg.inv"."""
    module = str(getattr(function, "__module__", "")).removeprefix("numpy.")
    inside = module in ("linalg", "fft", "random")
    return f"{module}.{function.__name__}" if inside else function.__name__


def _of_scipy(name: str) -> str:
    write = _SCIPY.get(name) or (f"scg.{name}" if name in PUBLIC else None)
    if write is None:
        import difflib

        near = difflib.get_close_matches(name, sorted(PUBLIC), n=1, cutoff=0.6)
        write = f"scg.{near[0]}, if it is that, or scg.op({name})" if near else f"scg.op({name})"
    return f"scipy.special.{name} does not take nodes; write {write}"


def _unsupported(name: str, table: Mapping[Any, Any]) -> str:
    near = _NEAREST.get(name)
    if near is None:
        import difflib

        known = sorted(numpy_name(key) for key in table if callable(key))
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        if not close:
            return f"np.{name} is not supported on nodes; write scg.op(np.{name})(...)"
        near = f"np.{close[0]}"
    return f"np.{name} is not supported on nodes; the nearest supported function is {near}"
