"""Expressions: hash-consed nodes with event shapes and named plates.

An :class:`Expr` is what a user holds as a node and what every pass rewrites. Expressions are
immutable and interned in their graph: equal operations on equal arguments are one object, so
that common subexpressions are shared for free and equality is identity.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from scg.errors import DeclarationError
from scg.ir import dispatch

if TYPE_CHECKING:
    from scg.graph.core import Graph
    from scg.ir.origin import Origin
    from scg.ops.base import Op

_serial = itertools.count()
KINDS = ("bool", "int", "float")


class Plate:
    """A named leading axis along which a model repeats itself independently.

    Parameters
    ----------
    name : str
        The name; two plates of one name in a graph are an error.
    length : int, optional
        A fixed number of elements. Without it the data of a call decides.
    size : int, optional
        The number of elements of the full data, for a subsampled batch: alone it means that a
        cost is summed over the plate and multiplied with ``size / elements``.
    reduce : {"mean", "sum"}, optional
        How the costs of the plate enter the objective. The default is the mean, or the sum
        where `size` is given.
    """

    def __init__(
        self,
        name: str,
        *,
        length: int | None = None,
        size: int | None = None,
        reduce: str | None = None,
    ):
        if not isinstance(name, str) or not name:
            raise DeclarationError(f"a plate needs a name (a non-empty string), got {name!r}")
        for word, value in (("length", length), ("size", size)):
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if value is not None and (not whole or value < 1):
                raise DeclarationError(
                    f"plate {name!r}: {word} must be a positive integer or None, got {value!r}"
                )
        if reduce not in (None, "mean", "sum"):
            raise DeclarationError(
                f'plate {name!r}: reduce must be "mean" or "sum", got {reduce!r}'
            )
        if reduce == "mean" and size is not None:
            raise DeclarationError(
                f"plate {name!r}: size={size} scales a sum over the plate; "
                'leave out reduce="mean" or leave out size'
            )
        self.name = name
        self.length = None if length is None else int(length)
        self.size = None if size is None else int(size)
        self.reduce = reduce
        self.rank = 2  # lifted axes (0) come first, then an estimator's (1), then a user's (2)
        self.serial = next(_serial)

    @classmethod
    def internal(cls, name: str, length: int | None, rank: int) -> Plate:
        """Make a plate that the compiler owns: samples of an estimator (1) or runs (0)."""
        plate = cls(name, length=length)
        plate.rank = rank
        return plate

    @property
    def owned_by_user(self) -> bool:
        """Whether a user declared the plate (an estimator's sample plate is not)."""
        return self.rank == 2

    def __repr__(self) -> str:
        return f"Plate({self.name!r})"


Plates = tuple[Plate, ...]


def ordered(plates: Iterable[Plate]) -> Plates:
    """Return `plates` without repetition in their canonical order, the order of array axes."""
    return tuple(sorted(set(plates), key=lambda plate: (plate.rank, plate.serial)))


def as_plates(plates: Plate | Iterable[Plate] | None) -> Plates:
    """Return one plate, several, or None as a tuple in canonical order."""
    if plates is None:
        return ()
    several = isinstance(plates, Iterable) and not isinstance(plates, (Plate, str))
    group: tuple[Any, ...] = tuple(plates) if several else (plates,)  # pyright: ignore
    for plate in group:
        if not isinstance(plate, Plate):
            raise DeclarationError(f"expected a scg.Plate, got {plate!r}")
    return ordered(group)


class Expr(np.lib.mixins.NDArrayOperatorsMixin):
    """A node of a graph: an operation, its arguments, an event shape and plates.

    Nodes take part in NumPy expressions: operators, ufuncs and many NumPy functions build new
    nodes. They hold no values: use ``g.simulate`` for samples and ``scg.compile`` for gradients.

    Attributes
    ----------
    shape : tuple of int
        The event shape: one example, one sample.
    plates : tuple of Plate
        The plates on which the node is repeated.
    kind : {"float", "int", "bool"}
        What its values are.
    """

    __slots__ = ("__weakref__", "args", "attrs", "graph", "kind", "op")
    __slots__ += ("origin", "plates", "shape", "value")
    __hash__ = object.__hash__  # pyright: ignore[reportAssignmentType]

    op: Op
    args: tuple[Expr, ...]
    attrs: dict[str, Any]
    shape: tuple[int, ...]
    plates: Plates
    kind: str
    graph: Graph
    origin: Origin
    value: np.ndarray | None

    @property
    def ndim(self) -> int:
        """Number of event axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of event elements."""
        return math.prod(self.shape)

    @property
    def name(self) -> str | None:
        """The declared name, or None."""
        return self.attrs.get("name") or self.graph.names.get(self)

    @property
    def T(self) -> Expr:
        """The node with its event axes reversed."""
        return dispatch.FUNCTIONS[np.transpose](self)

    def reshape(self, *shape: Any) -> Expr:
        """Give the event another shape."""
        return dispatch.FUNCTIONS[np.reshape](self, shape[0] if len(shape) == 1 else shape)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Expr:
        """Sum over event axes."""
        return dispatch.FUNCTIONS[np.sum](self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Expr:
        """Mean over event axes."""
        return dispatch.FUNCTIONS[np.mean](self, axis=axis, keepdims=keepdims)

    # A node is immutable: x += y binds the name to another node.
    __iadd__ = np.lib.mixins.NDArrayOperatorsMixin.__add__
    __isub__ = np.lib.mixins.NDArrayOperatorsMixin.__sub__
    __imul__ = np.lib.mixins.NDArrayOperatorsMixin.__mul__
    __itruediv__ = np.lib.mixins.NDArrayOperatorsMixin.__truediv__
    __ipow__ = np.lib.mixins.NDArrayOperatorsMixin.__pow__
    __imatmul__ = np.lib.mixins.NDArrayOperatorsMixin.__matmul__

    def __getitem__(self, index: Any) -> Expr:
        return dispatch.FUNCTIONS["getitem"](self, index)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return dispatch.ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return dispatch.function(function, args, options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError(describe(self) + dispatch.NO_VALUES)

    def __bool__(self) -> bool:
        raise TypeError(describe(self) + dispatch.NO_TRUTH)

    def __iter__(self) -> Any:
        raise TypeError(describe(self) + dispatch.NO_ITEMS)

    def __reduce__(self) -> Any:
        raise TypeError(f"{describe(self)} cannot be pickled; keep the function that declares it")

    def __repr__(self) -> str:
        return describe(self)

    def _repr_html_(self) -> str:
        from scg.ir.card import card

        return card(self)


class StochasticNode(Expr):
    """A stochastic node: an expression that is drawn from a distribution."""

    __slots__ = ()

    @property
    def dist(self) -> Any:
        """The distribution, with nodes as parameters."""
        return self.attrs["family"].rebuild(self.args, self.attrs["static"])

    def log_prob(self, elementwise: bool = False, stop_params: bool = False) -> Expr:
        """Log-probability of the node's own value, summed over the event.

        Parameters
        ----------
        elementwise : bool
            Do not sum over the event.
        stop_params : bool
            Stop the gradient through the parameters (sticking-the-landing, DReG).
        """
        dist = self.dist
        if stop_params:
            stop = dispatch.FUNCTIONS["stop"]
            dist = dist.rebuild(tuple(stop(arg) for arg in self.args), self.attrs["static"])
        return dist.log_prob(self, elementwise=elementwise)


def describe(expr: Expr) -> str:
    """Describe a node in a few words for messages: its name or operation, shape and plates."""
    what = f"node {expr.name!r}" if expr.name else f"node {expr.op.name}(...)"
    plates = f" on {', '.join(plate.name for plate in expr.plates)}" if expr.plates else ""
    return f"{what} of shape {expr.shape}{plates}"


def intern(
    graph: Graph,
    op: Op,
    args: tuple[Expr, ...],
    attrs: dict[str, Any],
    signature: tuple[tuple[int, ...], Plates, str],
    value: np.ndarray | None = None,
) -> Expr:
    """Return the one expression of `graph` with this operation, arguments and attributes."""
    content = None if value is None else (value.dtype.str, value.shape, value.tobytes())
    key = (op.name, tuple(map(id, args)), tuple(sorted(attrs.items())), signature, content)
    found = graph.table.get(key)
    if found is not None:
        return found
    expr = object.__new__(StochasticNode if op.name == "sample" else Expr)
    expr.op, expr.args, expr.attrs, expr.graph, expr.value = op, args, attrs, graph, value
    expr.shape, expr.plates, expr.kind = signature
    expr.origin = graph.origin
    return graph.table.setdefault(key, expr)


def topological(roots: Iterable[Expr], known: Container[Expr] = frozenset()) -> list[Expr]:
    """Return every expression below `roots`, arguments before what uses them.

    What is in `known` is left out, together with what lies below it alone.
    """
    order: list[Expr] = []
    entered: set[Expr] = set()
    left: set[Expr] = set()
    stack = list(roots)[::-1]
    while stack:
        expr = stack[-1]
        if expr in left or expr in known:
            stack.pop()
        elif expr in entered:  # its arguments, which lay above it, are done
            left.add(expr)
            order.append(expr)
            stack.pop()
        else:
            entered.add(expr)
            stack += [arg for arg in expr.args[::-1] if arg not in left]
    return order


def rewrite(order: Iterable[Expr], env: dict[Expr, Expr]) -> dict[Expr, Expr]:
    """Rebuild the expressions of `order` on what `env` maps their arguments to.

    `env` is extended in place and returned; expressions that it holds already stay as they are.
    """
    for expr in order:
        if expr not in env:
            args = tuple(env[arg] for arg in expr.args)
            same = all(new is old for new, old in zip(args, expr.args, strict=True))
            expr.graph.origin = expr.origin
            env[expr] = expr if same else expr.op.build(expr.graph, args, expr.attrs)
    return env
