"""Layer: a function of nodes with parameters that its first call declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scg.common.arguments import numbers_of
from scg.errors import DeclarationError
from scg.face import Graph
from scg.ir.expr import Expr, describe


class Layer:
    """A function of nodes whose calls share parameters.

    Make layers with :func:`scg.nn.linear` and its neighbours; use this class to write another kind.

    Parameters
    ----------
    g : Graph
        The graph that declares the parameters.
    name : str
        Their scope, below the scope in which the layer is made.
    declare : callable
        Function from the size of the first input along `axis` to the parameters.
    apply : callable
        Function from the inputs and the parameters to the output.
    least, expected : int and str
        Least number of axes of the first input, and its description in messages.
    axis : int
        Axis of the first input whose size determines the shapes of the parameters.
    inputs : int
        Number of inputs.
    """

    def __init__(
        self,
        g: Graph,
        name: str,
        declare: Callable[[int], Sequence[Any]],
        apply: Callable[..., Expr],
        *,
        least: int = 1,
        expected: str = "a vector or more axes, inputs last",
        axis: int = -1,
        inputs: int = 1,
    ):
        with g.scope(name):
            self._g, self._scope, self.name = g, g.path, "/".join(g.path)
        self._declare, self._apply = declare, apply
        self._least, self._expected, self._axis, self._inputs = least, expected, axis, inputs
        self._size = 0
        self._parameters: Sequence[Any] | None = None

    def __call__(self, x: Any, *more: Any) -> Expr:
        """Apply the layer to nodes or arrays."""
        x, *others = [self._g.as_node(value, self.name) for value in (x, *more)]
        if len(others) + 1 != self._inputs:
            raise DeclarationError(
                f"layer {self.name!r} has inputs={self._inputs}, got {len(others) + 1} of them"
            )
        if x.ndim < self._least:
            raise DeclarationError(
                f"layer {self.name!r}: expected {self._expected} as input, got {describe(x)}"
            )
        size = x.shape[self._axis]
        if self._parameters is None or self.name not in self._g.layers:  # a scan failed since
            with self._g.at(self._scope):
                self._parameters, self._size = tuple(self._declare(size)), size
            self._g.layers[self.name] = []
        elif size != self._size:
            raise DeclarationError(
                f"layer {self.name!r}: its parameters are for inputs of size {self._size}, as in "
                f"its first call, got {describe(x)}"
            )
        result = self._apply(x, *others, *self._parameters)
        self._g.layers[self.name] = [*self._g.layers[self.name], result]
        return result

    def __repr__(self) -> str:
        return f"Layer({self.name!r})"


def bias_start(width: int, bias: Any) -> list[np.ndarray]:
    """Initial values of ``b``: one array, or none."""
    if bias is False:
        return []
    start = np.zeros(width) if bias is True else numbers_of("bias", bias, DeclarationError)
    if start.shape not in ((), (width,)):
        raise DeclarationError(f"bias: expected shape ({width},), got {start.shape}")
    return [np.broadcast_to(start, (width,))]
