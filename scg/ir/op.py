"""Ops build expressions, which are interned in their graph; constants and other leaves."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from scg.common.arguments import array_of
from scg.errors import DeclarationError
from scg.ir.expr import KINDS, Expr, Owner, StochasticNode, describe
from scg.ir.operation import OPS, Operation
from scg.ir.plate import Plate, Plates

#: Axes of a NumPy array, and of those that NumPy broadcasts.
MOST_AXES, MOST_EVENT_AXES = 64, 32
_SMALL = 1024


def intern(
    graph: Owner,
    op: Operation,
    args: tuple[Expr, ...],
    attrs: dict[str, Any],
    signature: tuple[tuple[int, ...], Plates, str],
    value: np.ndarray | None = None,
) -> Expr:
    """The one expression of `graph` with this operation, arguments and attributes.

    Raises
    ------
    DeclarationError
        If its arrays would have more axes than NumPy allows.
    """
    events, plates = len(signature[0]), len(signature[1])
    if events > MOST_EVENT_AXES or events + plates > MOST_AXES:
        what = f"node {attrs['name']!r}" if "name" in attrs else f"node {op.name}(...)"
        raise DeclarationError(
            f"{what} has {events} event axes and {plates} plates, more than the {MOST_EVENT_AXES} "
            f"event axes or {MOST_AXES} axes that arrays can have; join axes with np.reshape"
        )
    content = None if value is None else (value.dtype.str, value.shape, _content(value))
    key = (op.name, tuple(map(id, args)), tuple(sorted(attrs.items())), signature, content)
    found = graph.table.get(key)
    if found is not None:
        return found
    expr = object.__new__(StochasticNode if op.stochastic else Expr)
    expr.op, expr.args, expr.attrs, expr.graph, expr.value = op, args, attrs, graph, value
    expr.shape, expr.plates, expr.kind = signature
    expr.origin = graph.origin
    return graph.table.setdefault(key, expr)


def _content(value: np.ndarray) -> bytes:
    """Bytes of a small array, digest of a large one: the key holds no second copy."""
    if value.nbytes <= _SMALL:
        return value.tobytes()
    return hashlib.blake2b(value.reshape(-1).data).digest()


class Op(Operation):
    """An operation on expressions and on arrays."""

    def __call__(self, *args: Any, **attrs: Any) -> Any:
        """Build an expression, or compute at once where no argument is one."""
        count = len(self.vjps) if isinstance(self.vjps, tuple) else len(args)
        if self.elementwise and len(args) != count:
            wanted = "1 argument" if count == 1 else f"{count} arguments"
            raise DeclarationError(f"{self.name}: expected {wanted}, got {len(args)}")
        if self.elementwise and (unknown := attrs.keys() - self.attributes):
            raise DeclarationError(f"{self.name} takes no option {min(unknown)!r}")
        graphs = [arg.graph for arg in args if isinstance(arg, Expr)]
        if not graphs:
            return self.numpy(*(_array(self, arg) for arg in args), **attrs)
        if any(graph is not graphs[0] for graph in graphs):
            names = ", ".join(sorted({repr(graph.name) for graph in graphs}))
            raise DeclarationError(
                f"{self.name}: nodes of different graphs ({names}) cannot be combined. "
                "Declare the model in one graph"
            )
        nodes = tuple(arg if isinstance(arg, Expr) else constant(graphs[0], arg) for arg in args)
        return self.build(graphs[0], nodes, attrs)

    def build(self, graph: Any, args: tuple[Expr, ...], attrs: dict[str, Any]) -> Expr:
        """Expression of this op on `args`; its shape, plates and kind are inferred."""
        if self.kind == "float" and "bool" in [arg.kind for arg in args]:
            to_float = OPS["float"]  # NumPy would compute with booleans in half precision
            if self is not to_float:
                args = tuple(to_float(arg) if arg.kind == "bool" else arg for arg in args)
        try:
            shape = self.shape(*[arg.shape for arg in args], **attrs)
        except (ValueError, IndexError, TypeError) as error:
            raise DeclarationError(
                f"{self.name}: {error} (arguments: {', '.join(map(describe, args))})"
            ) from error
        kind = self.kind
        if kind in ("same", "number"):
            kinds = {arg.kind for arg in args}
            if len(kinds) > 1:
                kinds = {a.kind for i, a in enumerate(args) if self.vjp(i) is not None} or kinds
            kind = max(kinds, key=KINDS.index)
        if kind == "bool" and self.kind == "number":
            raise DeclarationError(
                f"{self.name}: not defined for booleans (arguments: "
                f"{', '.join(map(describe, args))}). Write np.where(condition, 1.0, 0.0)"
            )
        signature = (tuple(map(int, shape)), self.plates(args, attrs), kind)
        return intern(graph, self, args, attrs, signature)


def _array(op: Op, value: Any) -> np.ndarray:
    if isinstance(value, (list, tuple)) and any(isinstance(entry, Expr) for entry in value):
        raise DeclarationError(f"{op.name}: takes a node, got a list of nodes; write np.stack(...)")
    array = array_of(op.name, value, DeclarationError)
    if array.dtype.kind not in "fiub":
        raise DeclarationError(f"{op.name}: takes nodes and arrays of numbers, got {value!r:.80}")
    return array


def leaf(name: str) -> Op:
    """Op without arguments, whose values come from outside the program."""

    def no_value(*_: Any, **__: Any) -> Any:
        raise TypeError(f"the leaf {name!r} must be supplied")

    return Op(name, no_value, lambda **attrs: (), ())


CONST, PARAMETER, DATA, NOISE, STATE = map(leaf, ("const", "parameter", "data", "noise", "state"))
#: Leaves whose values follow from the sizes of plates: a number, and 0, 1, ... along a plate.
SIZED = PLATE_SIZE, POSITION = leaf("plate_size"), leaf("position")


def constant(graph: Any, value: Any, plates: Plates = ()) -> Expr:
    """Constant node; leading axes of `value` belong to `plates`, the rest is the event.

    The array is copied, unless it is read-only and owns its memory.
    """
    array = array_of("a constant", value, DeclarationError)
    if array.dtype.kind == "u" and np.any(array > np.iinfo(np.int64).max):
        raise DeclarationError(f"a constant does not fit 64 bits with a sign: {np.max(array)}")
    if array.dtype == object or array.dtype.kind not in "fiub":
        raise DeclarationError(
            f"a constant must be an array of numbers, got {type(value).__name__} "
            f"of dtype {array.dtype}; only functions of np and scg take nodes"
        )
    kind = {"f": "float", "i": "int", "u": "int", "b": "bool"}[array.dtype.kind]
    dtype = {"float": np.float64, "int": np.int64, "bool": np.bool_}[kind]
    fixed = array.base is None and not array.flags.writeable and array.flags.c_contiguous
    if not fixed or array.dtype != dtype:  # a later change of the caller's array changes no graph
        array = np.array(array, dtype, order="C")
        array.setflags(write=False)
    signature = (array.shape[len(plates) :], plates, kind)
    return intern(graph, CONST, (), {}, signature, array)


def plate_size(graph: Any, plate: Any) -> Expr:
    """Number of elements of a plate, as a scalar node."""
    if plate.length is not None:
        return constant(graph, float(plate.length))
    return intern(graph, PLATE_SIZE, (), {"plate": plate}, ((), (), "float"))


def same_element(graph: Any, plate: Plate, twin: Plate) -> Expr:
    """Whether an element of a plate and one of its twin have the same position."""
    here, there = (
        intern(graph, POSITION, (), {"plate": p}, ((), (p,), "int")) for p in (plate, twin)
    )
    return OPS["equal"](here, there)
