"""The graph that users declare: with samples, pictures, and declarations as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from scg.common.arguments import checked, kind
from scg.errors import DeclarationError
from scg.graph.core import CoreGraph
from scg.ir.plate import Plate
from scg.run.simulate import sampler, simulate
from scg.run.unroll import unroll

if TYPE_CHECKING:
    from scg.draw.render import Picture


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

        What :meth:`unroll` returned is written as an ordinary graph. When it is read, or arrives in
        a pickle, each of its nodes has noise and an estimator's memory of its own, so that samples
        of a seed are others. To keep them, write the graph with scans, and unroll what you read.

        Raises
        ------
        DeclarationError
            If an initializer, a constraint or an op has no name, or a number is not finite.
        """
        from scg.graph.declaration import write  # importing scg is to stay fast

        return write(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self.to_json(), {plate.name: plate for plate in self.plates})

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
        from scg.graph.declaration import read

        return read(declaration, cls, custom=custom)

    @checked('g.draw("graph.svg")')
    def draw(
        self,
        path: str | PathLike[str] | None = None,
        *,
        direction: str | None = None,
        labels: str = "names",
        hide: str | Sequence[str] = (),
        fold: bool | str | Sequence[str] | None = None,
        unfold: str | Sequence[str] = (),
        notes: bool | Mapping[str, str] = True,
        size: float | tuple[float, float] | None = None,
        style: str = "screen",
        heat: Mapping[str, float] | None = None,
    ) -> Picture:
        """Draw the declared graph; :meth:`Step.draw` adds estimators and the flow of credit.

        Circles are stochastic, squares deterministic, diamonds costs, grey circles observed; inputs
        have no border (Schulman et al. 2015), data are grey. Boxes are plates.

        Parameters
        ----------
        path : str or path, optional
            A file to write: .svg, .png, .pdf, .tex (TikZ), .html, in which folded boxes open when
            they are pressed, or .dot for Graphviz' text.
        direction : {None, "down", "right"}
            Where arrows point. By default down; repetitions in time then run to the right.
        labels : {"names", "shapes", "formulas"}
            Names and distributions; also shapes; or also what nodes compute.
        hide : str or sequence of str
            Names, patterns such as ``"decoder*"``, or roles such as "parameter" to leave out.
        fold : None, bool, str or sequence of str
            Patterns of scopes to draw as one box, or True for all. By default parameters share the
            box of their scope, layers that follow each other are one box, a network, and long
            repetitions fold; with False nothing does.
        unfold : str or sequence of str
            Patterns of networks to draw as their layers, and of scopes that do not fold.
        notes : bool or mapping
            Whether a legend and, for a step, estimators are shown; or texts by name of a node.
        size : float or (float, float), optional
            Largest width, or width and height, in inches.
        style : {"screen", "paper"}
            For screens an SVG has dark colours, too; for paper the letters have serifs.
        heat : mapping, optional
            Numbers by name of a node, shown as warm colours.

        Returns
        -------
        Picture
            It is shown by notebooks, and has ``source``, ``render(format)`` and ``save(path)``.

        Raises
        ------
        CallError
            If an option is unknown, or names a node or a scope that the graph does not have.
        ScgError
            If the suffix is unknown, or no program that draws is installed.

        Examples
        --------
        >>> import scg
        >>> g = scg.Graph("toy")
        >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
        >>> g.cost("loss", b)
        >>> print(g.draw().source)  # doctest: +ELLIPSIS
        digraph {
        ...
        """
        from scg.draw.options import Options  # importing scg is to stay fast
        from scg.draw.picture import draw_graph

        options = Options(direction, labels, hide, fold, notes, size, style, heat, unfold)
        return draw_graph(self, options, path)

    def _repr_svg_(self) -> str | None:
        return self.draw()._repr_svg_()

    def _repr_html_(self) -> str | None:
        return self.draw()._repr_html_()


def _unpickled(declaration: str, plates: Mapping[str, Plate]) -> Graph:
    """The graph of a pickle, on plates that estimators in other pickles may name, too."""
    from scg.graph.declaration import read

    return read(declaration, Graph, plates=plates)
