"""The declaration of an op: rules, traits and kernel, side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scg.ir.plate import Plates, ordered

#: A VJP maps (cotangent, output, *arguments, **attributes) to the cotangent of one argument. It
#: may return a result that is still broadcast against the other arguments: `fit` reduces it.
Vjp = Callable[..., Any]


def all_plates(args: tuple[Any, ...], attrs: dict[str, Any]) -> Plates:
    """All plates of the arguments: the rule of most ops."""
    distinct = {arg.plates for arg in args if arg.plates}
    if len(distinct) < 2:
        return distinct.pop() if distinct else ()
    return ordered(plate for plates in distinct for plate in plates)


#: Every op by name.
OPS: dict[str, Any] = {}


@dataclass(frozen=True, eq=False, repr=False)
class Operation:
    """Data of an op. :class:`scg.ir.op.Op`, the one subclass, builds expressions.

    Parameters
    ----------
    name : str
        Unique name, which messages, drawings and declarations show.
    numpy : callable
        The NumPy rule: arrays and attributes to an array. Plate axes lead; event axes are
        addressed from the end.
    shape : callable
        The shape rule: event shapes and attributes to an event shape.
    vjps : tuple of (callable or None)
        One VJP an argument; None where the op is constant in the argument almost everywhere.
        A single VJP of an op with a variable number of arguments takes ``index``.
    kind : str
        Kind of the result: one of the three; "same" (as the widest argument, conditions and
        indices, which have no VJP, left out); or "number": the same, but refused for arguments
        that are all booleans, which NumPy does not subtract.
        Where the result is "float", booleans are taken as 0.0 and 1.0.
    elementwise : bool
        Whether event axes broadcast as in NumPy.
    continuous, smooth : bool
        Whether the op is so as a function of its differentiable arguments. The compiler refuses
        pathwise derivatives through ops that are not continuous.
    linear : tuple of int
        Arguments in each of which the op is linear, so that a zero there makes the result zero.
    square : callable, optional
        From the arguments and attributes to the square of the result, where that is smoother.
    plates : callable
        From the arguments and attributes to the plates of the result.
    attributes : mapping
        A test for each attribute, of values that come from a declaration's text: see
        :mod:`scg.ops.attributes`.
    fits : callable, optional
        The same kind of test for the arguments, ``fits(*args, **attributes)``.
    range : tuple of float
        Bounds of the values, for all arguments.
    turns : tuple of (str, int)
        Where quadrature must look closely, and the argument that decides: "difference" (a jump
        or kink where the first two arguments are equal), "sign" (the same where it is zero),
        "quotient" (a jump where that of the first two passes an integer), "touching" (a singularity
        where it is zero), "exponential", "saturating" or "wave" (steep where it moves far).
    label : str
        Name of a user's own op.
    stochastic : bool
        Whether expressions are stochastic nodes.
    positions : int, optional
        Which argument holds positions, and must therefore be integers.
    kernel : str
        The statement of an elementwise op in a kernel, where ``{0}``, ``{1}`` ... are the
        arguments, ``{code}`` the type of the result, ``{zero}`` and ``{one}`` numbers of that type,
        and an attribute stands by its name. Without one, a kernel cannot compute the op.
    kernels : mapping
        Other statements, by the kind of the result.
    row : object, optional
        How kernels compute the op a row, or a matrix, at a time: see :class:`scg.ops.rows.RowOp`.
    loop : object, optional
        For an op that repeats a body of expressions: see :class:`scg.ops.loops.LoopOp`. Several
        expressions may then be results of one loop.
    doc : str
        What ``help`` and the reference show of an op that users call.
    """

    name: str
    numpy: Callable[..., Any]
    shape: Callable[..., tuple[int, ...]]
    vjps: tuple[Vjp | None, ...] | Callable[..., Any] = ()
    kind: str = "float"
    elementwise: bool = False
    continuous: bool = True
    smooth: bool = True
    linear: tuple[int, ...] = ()
    square: Callable[..., Any] | None = None
    plates: Callable[..., Plates] = all_plates
    attributes: Mapping[str, Callable[..., str | None]] = field(default_factory=dict)
    fits: Callable[..., str | None] | None = None
    range: tuple[float, float] = (-math.inf, math.inf)
    turns: tuple[str, int] = ("", 0)
    label: str = ""
    stochastic: bool = False
    positions: int | None = None
    kernel: str = ""
    kernels: Mapping[str, str] = field(default_factory=dict)
    row: Any = None
    loop: Any = None
    doc: str = ""

    def __post_init__(self) -> None:
        if self.name in OPS:
            raise ValueError(f"two ops of the name {self.name!r}")
        OPS[self.name] = self
        if self.doc:
            object.__setattr__(self, "__doc__", self.doc)

    def __repr__(self) -> str:
        return f"<op {self.name}>"

    def vjp(self, index: int) -> Vjp | None:
        """VJP of one argument, or None where the derivative is zero or undefined."""
        if callable(self.vjps):
            rule = self.vjps
            return lambda g, out, *args, **attrs: rule(index, g, out, *args, **attrs)
        return self.vjps[index] if index < len(self.vjps) else None

    def statement(self, kind: str) -> str:
        """Source of the op in a kernel, for results of a kind; empty where there is none."""
        return self.kernels.get(kind, self.kernel)

    def __call__(self, *args: Any, **attrs: Any) -> Any:
        """Build an expression, or compute at once where no argument is one."""
        raise NotImplementedError

    def build(self, graph: Any, args: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        """Expression of this op on `args`."""
        raise NotImplementedError
