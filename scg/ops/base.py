"""What ops share: how elementwise ones are declared, shapes that broadcast, axes, integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from scg.common.lazy import scipy_function
from scg.errors import DeclarationError
from scg.ir.dispatch import UFUNCS
from scg.ir.expr import Expr, describe
from scg.ir.op import Op
from scg.ir.operation import Vjp
from scg.ir.plate import Plates, ordered
from scg.ops.attributes import are_integers, plates, shape


def _wider(value: Any, x: Expr, **attrs: Any) -> str | None:
    pairs = zip(x.shape[::-1], value[::-1] if are_integers(value) else (), strict=False)
    fits = not shape(value) and len(value) >= x.ndim and all(n in (1, m) for n, m in pairs)
    return None if fits else f"a shape to which {x.shape} is broadcast"


#: Repeats a node over more plates and along more event axes; see :func:`scg.ops.reductions.expand`.
broadcast = Op(
    "expand",
    lambda x, plates, shape: np.broadcast_to(x, shape),
    lambda x, plates, shape: np.broadcast_shapes(x, shape),
    (lambda g, y, x, plates, shape: g,),
    kind="same",
    plates=lambda args, attrs: ordered(args[0].plates + attrs["plates"]),
    attributes={"plates": plates, "shape": _wider},
)


def is_constant(expr: Expr, value: float) -> bool:
    """Whether `expr` is the constant `value` in every element."""
    while expr.op is broadcast:
        expr = expr.args[0]
    return expr.value is not None and bool(np.all(expr.value == value)) and expr.value.size > 0


def broadcast_shapes(*shapes: tuple[int, ...], **_: Any) -> tuple[int, ...]:
    """Shape rule of elementwise ops."""
    distinct = {shape for shape in shapes if shape}
    if len(distinct) < 2:  # almost always, and NumPy takes a hundred times as long
        return distinct.pop() if distinct else ()
    return np.broadcast_shapes(*shapes)


def plates_left(args: tuple[Expr, ...], attrs: dict[str, Any]) -> Plates:
    """Plates of the arguments that the op does not reduce, which are those outside `over`."""
    return ordered(p for arg in args for p in arg.plates if p not in attrs["over"])


def elementwise(name: str, numpy: Callable[..., Any], *vjps: Vjp | None, **traits: Any) -> Op:
    """Declare an elementwise op: its NumPy rule, one VJP per argument, its kernel, its traits.

    If the NumPy rule is a ufunc, the ufunc builds the op on nodes.
    """
    op = Op(name, numpy, broadcast_shapes, vjps, elementwise=True, **traits)
    if isinstance(numpy, np.ufunc):
        UFUNCS.setdefault(numpy, op)
    return op


def function(numpy: np.ufunc, *vjps: Vjp | None, own: bool = False, **traits: Any) -> Op:
    """Declare a function of one number that NumPy has and kernels call by the same name.

    Kernels call functions of the library for `own` ones, which run on whole vectors.
    """
    name = numpy.__name__
    kernel = f"{name}_{{code}}({{0}})" if own else f"{name}({{0}})"
    return elementwise(name, numpy, *vjps, kernel=kernel, **traits)


def special(
    name: str, *vjps: Vjp | None, numpy: Callable[..., Any] | None = None, **traits: Any
) -> Op:
    """Declare an elementwise op that kernels compute in double precision.

    They call a function of the op's name, on the arguments and the attributes; the NumPy rule is
    SciPy's function of that name unless another one is given.
    """
    doubles = [f"f8({{{i}}})" for i in range(len(vjps))]
    attributes = [f"{{{attribute}}}" for attribute in traits.get("attributes", ())]
    call = f"{{code}}({name}({', '.join(doubles + attributes)}))"
    return elementwise(name, numpy or scipy_function(name), *vjps, **{"kernel": call, **traits})


def normal_axes(axis: Any, of: Any, more: int = 0) -> tuple[int, ...]:
    """Axes of an event and `more` ones, counted from the end, sorted; None means all."""
    ndim = np.ndim(of) + more
    if axis is None:
        return tuple(range(-ndim, 0))
    if np.iterable(axis) and not isinstance(axis, tuple):  # NumPy refuses a list, too
        raise DeclarationError(f"an axis is an integer or a tuple of integers, got {axis!r}")
    axes = integers(axis, "an axis")
    for a in axes:
        if not -ndim <= a < ndim:
            raise DeclarationError(
                f"axis {a} is out of range for {_event(of, more)}; axes are those of the shape, "
                "and a plate is none of them"
            )
    found = tuple(sorted({a - ndim if a >= 0 else a for a in axes}))
    if len(found) != len(axes):
        raise DeclarationError(f"an axis of {_event(of, more)} is given twice in {axis!r}")
    return found


def one_axis(axis: Any, of: Any) -> int:
    """One axis of an event, counted from the end."""
    if axis is None or np.iterable(axis):
        raise DeclarationError(f"expected one axis of {_event(of)}, got {axis!r}")
    return normal_axes(axis, of)[0]


def _event(of: Any, more: int = 0) -> str:
    event = describe(of) if isinstance(of, Expr) else f"an event of shape {np.shape(of)}"
    return f"{event} with {more} new axes" if more else event


def integers(value: Any, what: str) -> tuple[int, ...]:
    """A tuple of one integer or several."""
    group = tuple(value) if np.iterable(value) else (value,)
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in group):
        raise DeclarationError(f"{what} is an integer or a tuple of integers, got {value!r}")
    return tuple(map(int, group))


def is_boolean(x: Any) -> bool:
    """Whether a node or an array holds booleans."""
    return x.kind == "bool" if isinstance(x, Expr) else np.asarray(x).dtype == bool


def integer(value: Any, what: str, least: float = -math.inf) -> int:
    """An integer of at least `least`."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < least:
        bound = f", at least {least}" if least > -math.inf else ""
        raise DeclarationError(f"{what}: expected an integer{bound}, got {value!r}")
    return int(value)
