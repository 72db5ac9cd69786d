"""Expressions: operations applied to expressions, with event shapes and named plates.

Users hold an :class:`Expr` as a node, and passes rewrite it. Expressions are immutable and interned
in their graph (:func:`scg.ir.op.intern`): equal operations on equal arguments are one object.
Common subexpressions are therefore shared, and equality is identity.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import numpy as np

from scg.ir import dispatch
from scg.ir.card import card
from scg.ir.operation import Operation
from scg.ir.origin import Origin
from scg.ir.plate import Plates

KINDS = ("bool", "int", "float")


class Owner(Protocol):
    """The graph that an expression lives and dies with: see :class:`scg.graph.nodes.Nodes`."""

    name: str
    origin: Origin
    table: dict[Any, Expr]
    names: dict[Expr, str]
    roles: dict[str, tuple[Expr, str]]
    densities: dict[Expr, tuple[Density, ...]]
    steps: dict[str, Any]


class Density(NamedTuple):
    """A distribution of which an expression is the log-density, the entropy or a divergence.

    `value` is the argument of a log-density; the others have None.
    """

    family: type
    static: tuple[Any, ...]
    args: tuple[Expr, ...]
    value: Expr | None


class Expr(np.lib.mixins.NDArrayOperatorsMixin):
    """A node of a graph: an operation, its arguments, an event shape and plates.

    Operators, ufuncs and many NumPy functions build new nodes from nodes. A node is not an array
    and holds no values: ``g.simulate`` samples them, ``scg.compile`` computes gradients.

    Attributes
    ----------
    shape : tuple of int
        Event shape: that of one example, one sample.
    plates : tuple of Plate
        Plates on which the node is repeated.
    kind : {"float", "int", "bool"}
        Kind of its values.
    """

    __slots__ = ("__weakref__", "args", "attrs", "graph", "kind", "op")
    __slots__ += ("origin", "plates", "shape", "value")
    __hash__ = object.__hash__  # pyright: ignore[reportAssignmentType]

    op: Operation
    args: tuple[Expr, ...]
    attrs: dict[str, Any]
    shape: tuple[int, ...]
    plates: Plates
    kind: str
    graph: Owner
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

    def __setitem__(self, index: Any, value: Any) -> None:
        raise TypeError(f"{describe(self)} cannot be written to. Write np.where(condition, a, b)")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        return dispatch.ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        return dispatch.function(function, args, options)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"a node has no attribute {name!r}{dispatch.in_place_of(name)}")

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError(describe(self) + dispatch.NO_VALUES)

    def __bool__(self) -> bool:
        raise TypeError(describe(self) + dispatch.NO_TRUTH)

    def _no_number(self, *_: Any) -> Any:
        raise TypeError(describe(self) + dispatch.NO_NUMBER)

    __float__ = __int__ = __complex__ = __index__ = _no_number
    __round__ = __floor__ = __ceil__ = __trunc__ = _no_number

    def __iter__(self) -> Any:
        raise TypeError(describe(self) + dispatch.NO_ITEMS)

    def __reduce__(self) -> Any:
        raise TypeError(f"{describe(self)} cannot be pickled or copied; pickle its graph")

    def __format__(self, how: str) -> str:
        if how:
            self._no_number()
        return describe(self)

    def __repr__(self) -> str:
        return describe(self)

    def _repr_html_(self) -> str:
        return card(self)


class StochasticNode(Expr):
    """A node whose value is sampled from a distribution."""

    __slots__ = ()

    @property
    def dist(self) -> Any:
        """Distribution of each element: its parameters live on all plates of the node.

        Its entropy, divergences and moments therefore have a value for each element.
        """
        expand = dispatch.FUNCTIONS["expand"]
        return self.given(tuple(expand(arg, self.plates, arg.shape) for arg in self.args))

    @property
    def declared(self) -> Any:
        """Distribution that was declared; its parameters may live on fewer plates than the node."""
        return self.given(self.args)

    def given(self, args: tuple[Expr, ...]) -> Any:
        """The same kind of distribution with other parameters."""
        return self.attrs["family"].rebuild(args, self.attrs["static"])

    def log_prob(self, elementwise: bool = False, stop_params: bool = False) -> Expr:
        """Log-probability of the node's own value, summed over the event.

        For the log-probability of another value write ``node.dist.log_prob(value)``.

        Parameters
        ----------
        elementwise : bool
            Whether to keep one value for each event element instead of their sum.
        stop_params : bool
            Whether to stop the gradient through the parameters (sticking-the-landing, DReG).
        """
        stop = dispatch.FUNCTIONS["stop"]
        dist = self.given(tuple(map(stop, self.args))) if stop_params else self.declared
        return dist.log_prob(self, elementwise=elementwise)


def describe(expr: Expr) -> str:
    """Name or operation, shape and plates of a node, for messages."""
    what = f"node {expr.name!r}" if expr.name else f"node {expr.op.name}(...)"
    plates = f" on {', '.join(plate.name for plate in expr.plates)}" if expr.plates else ""
    return f"{what} of shape {expr.shape}{plates}"
