"""The graph that users declare: with samples, pictures, and declarations as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from scg.arguments import checked, kind
from scg.compiler.unroll import unroll
from scg.draw.dot import draw_graph
from scg.errors import DeclarationError
from scg.graph.core import CoreGraph
from scg.graph.declaration import read, write
from scg.run.simulate import sampler, simulate


@kind("a scg.Graph")
class Graph(CoreGraph):
    """A stochastic computation graph (Schulman et al. 2015): what a model is declared in.

    A graph declares and does not run: :func:`scg.compile` makes a step of it, which estimates
    gradients, and :meth:`simulate` samples its nodes.

    Parameters
    ----------
    name : str
        A name for drawings and messages.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> theta = g.parameter("theta", 0.4)
    >>> b = g.sample("b", scg.Bernoulli(logits=theta))
    >>> g.cost("loss", (b - 0.499) ** 2)
    >>> g
    Graph('toy': 1 parameter, 1 stochastic, 1 cost)
    """

    simulate = simulate
    sampler = sampler
    unroll = unroll

    def to_json(self) -> str:
        """The declaration as JSON text; see :mod:`scg.graph.declaration`.

        Raises
        ------
        DeclarationError
            If an initializer, a constraint or an op has no name, or a number is not finite.
        """
        return write(self)

    @classmethod
    @checked("scg.Graph.from_json(text)", DeclarationError)
    def from_json(
        cls, declaration: str | Mapping[str, Any], *, custom: Mapping[str, Any] | None = None
    ) -> Graph:
        """The graph of a JSON text, or of what ``json.loads`` makes of it.

        Parameters
        ----------
        declaration : str or mapping
            The declaration; see :mod:`scg.graph.declaration`. It is data: none of it is executed
            as Python.
        custom : mapping, optional
            Further names that the declaration may use: functions made by :func:`scg.op`,
            initializers, distributions.

        Raises
        ------
        DeclarationError
            If something is unknown, missing, circular, too large, or does not fit.

        Examples
        --------
        >>> import scg
        >>> g = scg.Graph("toy")
        >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
        >>> g.cost("loss", (b - 0.499) ** 2)
        >>> scg.Graph.from_json(g.to_json())
        Graph('toy': 1 parameter, 1 stochastic, 1 cost)
        """
        return read(declaration, cls, custom=custom)

    @checked('g.draw("graph.svg")')
    def draw(self, path: str | PathLike[str] | None = None) -> Any:
        """Draw the graph; see :func:`scg.draw.dot.draw_graph`."""
        return draw_graph(self, path)

    def _repr_svg_(self) -> str | None:
        return self.draw()._repr_svg_()
