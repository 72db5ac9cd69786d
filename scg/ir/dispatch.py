"""NumPy on nodes (NEP 13 and 18): what ufuncs and functions build, and what to write instead."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

from scg.common.arguments import array_of
from scg.errors import DeclarationError, ScgError

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


#: Messages about what a node lacks; its description stands before them.
NO_VALUES = (
    " holds no values. For samples call g.simulate(params, nodes=[...], seed=1); inside a model "
    "write functions of np or scg on it, such as np.exp, np.stack([node, node]) in place of "
    "np.array, and scg.take(array, node, axis=0) in place of array[node]"
)
NO_TRUTH = (
    " has no truth value while a graph is declared. Write np.where(condition, a, b) instead of `if`"
)
NO_ITEMS = (
    " cannot be iterated. Write np.sum(node), node[i], or [node[i] for i in range(node.shape[0])]"
)

NO_NUMBER = (
    " is not a number while a graph is declared. Write NumPy functions on it, such as "
    "np.exp(node), scg.take(values, node) to choose by it, or scg.op(function)(node); "
    "for samples call g.simulate(params, nodes=[...], seed=1)"
)

#: What to write instead of options that NumPy's functions have and those on nodes lack.
_INSTEAD = {
    "where": "write np.where(condition, x, ...) for the argument or the result",
    "dtype": "numbers have the dtype that scg.compile is given",
    "out": "a node is immutable: use the result",
    "initial": "combine it with the result",
}

#: Functions of the nearest meaning; for all others difflib finds the nearest spelling.
_NEAREST = {
    name: nearest
    for nearest, names in {
        "np.sum": "add.reduce",
        "np.cumsum": "add.accumulate",
        "np.prod": "multiply.reduce",
        "np.cumprod": "multiply.accumulate",
        "np.outer": "multiply.outer",
        "np.max": "maximum.reduce ptp",
        "np.min": "minimum.reduce",
        "scg.logsumexp": "logaddexp.reduce",
        "np.linalg.norm": "hypot",
        "np.divide": "reciprocal",
        "np.power": "cbrt",
        "np.remainder": "fmod",
        "np.absolute": "fabs",
        "np.maximum": "fmax",
        "np.minimum": "fmin",
        "np.where": "heaviside choose piecewise nan_to_num",
        "np.mean": "average",
        "np.sort": "median percentile quantile",
        "np.dot": "inner vdot",
        "np.einsum": "tensordot kron",
        "np.concatenate": "vstack hstack",
        "np.stack": "dstack",
        "scg.i0e": "i0",
        "np.linalg.solve": "linalg.lstsq",
        "np.linalg.cholesky": "linalg.qr linalg.eigh linalg.svd",
    }.items()
    for name in names.split()
}

#: What to write instead of attributes and methods that arrays have and nodes lack.
_OF_ARRAYS = {
    "flatten": "np.ravel(node)",
    "astype": "np.where(node, 1, 0) for a condition; numbers have the dtype of the program",
    "dtype": "node.kind; numbers have the dtype of the program",
    **dict.fromkeys(("item", "tolist"), "g.simulate(params, nodes=[...], seed=1) for samples"),
}

#: Functions of scg and NumPy in place of SciPy's that have another name.
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
    """Node that a ufunc builds.

    Raises
    ------
    TypeError
        If nodes do not support the ufunc; the message names the nearest that they support.
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
            f"nodes and arrays alone{_instead(options)}"
        )
    return _called(called, UFUNCS[called], inputs, {})


def function(called: Any, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """Node that a NumPy function builds; it raises as :func:`ufunc` does."""
    if called not in FUNCTIONS:
        raise TypeError(_unsupported(numpy_name(called), FUNCTIONS))
    rule = FUNCTIONS[called]
    try:
        return _called(called, rule, args, options)
    except TypeError:
        signature = inspect.signature(rule)
        try:
            signature.bind(*args, **options)
        except TypeError as error:
            takes = ", ".join(signature.parameters)
            raise TypeError(
                f"np.{numpy_name(called)} on nodes takes ({takes}): {error}{_instead(options)}"
            ) from None
        raise


def _called(called: Any, rule: Any, args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    try:
        return rule(*args, **options)
    except ScgError:
        raise
    except ValueError:  # of NumPy, where an argument is no array
        for arg in args:
            if isinstance(arg, (list, tuple)):
                array_of(f"np.{numpy_name(called)}", arg, DeclarationError)
        raise


def in_place_of(attribute: str) -> str:
    """What to write instead of an attribute of arrays, after a semicolon; or nothing."""
    write = _OF_ARRAYS.get(attribute)
    if write is None and attribute in map(numpy_name, filter(callable, (*FUNCTIONS, *UFUNCS))):
        write = f"np.{attribute}(node)"
    return f"; write {write}" if write else ""


def _instead(options: Iterable[str]) -> str:
    return "".join(f"; {_INSTEAD[name]}" for name in options if name in _INSTEAD)


def numpy_name(function: Any) -> str:
    """Name of a NumPy function below ``np``, such as "linalg.inv"."""
    module = str(getattr(function, "__module__", "")).removeprefix("numpy.")
    inside = module in ("linalg", "fft", "random")
    return f"{module}.{function.__name__}" if inside else function.__name__


def _of_scipy(name: str) -> str:
    write = _SCIPY.get(name) or (f"scg.{name}" if name in PUBLIC else None)
    if write is None:
        near = _nearest(name, PUBLIC, 0.6)
        write = f"scg.{near}, if it is that, or scg.op({name})" if near else f"scg.op({name})"
    return f"scipy.special.{name} does not take nodes; write {write}"


def _unsupported(name: str, table: Mapping[Any, Any]) -> str:
    near = _NEAREST.get(name)
    if near is None:
        close = _nearest(name, (numpy_name(key) for key in table if callable(key)), 0.65)
        if not close:
            return f"np.{name} is not supported on nodes; write scg.op(np.{name})(...)"
        near = f"np.{close}"
    return f"np.{name} is not supported on nodes; the nearest supported function is {near}"


def _nearest(name: str, known: Iterable[str], cutoff: float) -> str:
    import difflib  # importing scg is to stay fast

    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=cutoff)), "")
