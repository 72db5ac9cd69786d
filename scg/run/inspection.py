"""Inspection: the products of a step, printed, drawn, explained and timed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from scg.common.arguments import checked
from scg.common.named import Named
from scg.errors import CallError
from scg.run.runner import Runner

if TYPE_CHECKING:
    from scg.draw.render import Picture
    from scg.engine.profile import Profile
    from scg.explain.explanation import Explanation


class Inspectable(Runner):
    """A runner whose products can be printed, drawn, explained and timed; see :class:`Step`."""

    def __repr__(self) -> str:
        nodes = [f"{n.name} by {type(e).__name__}" for n, e in self.plan.estimators.items()]
        size = f"{len(self.program)} operations, backend {self.program.backend!r}"
        return f"Step({self.graph.name!r}: {', '.join([*nodes, size])})"

    def explain(self) -> Explanation:
        """Explanation of the estimator and the term of each node; ``print`` it."""
        from scg.explain.explanation import explain  # importing scg is to stay fast

        return explain(self.surrogate, self.program)

    @checked('step.draw("plan.svg")')
    def draw(
        self,
        path: str | PathLike[str] | None = None,
        *,
        level: str = "plan",
        direction: str | None = None,
        labels: str = "names",
        hide: str | Sequence[str] = (),
        fold: bool | str | Sequence[str] | None = None,
        unfold: str | Sequence[str] = (),
        notes: bool | Mapping[str, str] = True,
        size: float | tuple[float, float] | None = None,
        style: str = "screen",
        heat: Mapping[str, float] | Profile | None = None,
    ) -> Picture:
        """Draw a product of the step; the options are those of :meth:`Graph.draw`.

        Parameters
        ----------
        path : str or path, optional
            A file to write: .svg, .png, .pdf, .tex (TikZ), .html, in which folded boxes open when
            they are pressed, or .dot for Graphviz' text.
        level : {"plan", "graph", "influence", "surrogate", "program", "schedule"}
            The plan is the model with its estimators and the flow of credit; the surrogate is the
            graph of log-probabilities ℓ under magic boxes ⊠ times costs; the schedule is what the
            engine runs.
        heat : mapping or Profile, optional
            Numbers by name of a node, or for a schedule ``step.profile(...)``: warm colours.

        Raises
        ------
        CallError
            If an option is unknown or names nothing, or if a step with ``backend="numpy"`` is to
            draw its schedule.
        ScgError
            If the suffix is unknown, or no program that draws is installed.
        """
        from scg.draw.options import Options
        from scg.draw.picture import draw_step

        options = Options(direction, labels, hide, fold, notes, size, style, heat, unfold)
        return draw_step(level, self.surrogate, self.program, options, path)

    def _repr_svg_(self) -> str | None:
        return self.draw()._repr_svg_()

    def _repr_html_(self) -> str | None:
        return self.draw()._repr_html_()

    @property
    def stages(self) -> dict[str, Any]:
        """The products of the pipeline by name, in its order; each is a value that prints.

        They are the graph, its influence, the plan, the surrogate, the program and, with
        ``backend="numba"``, the schedule and the table that kernels run; with `checkpoint` the
        sweeps over windows of steps instead. :meth:`draw` draws all up to the schedule, whose
        picture also shows the kernels of the table.

        Examples
        --------
        >>> import scg
        >>> g = scg.Graph("toy")
        >>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
        >>> g.cost("loss", b)
        >>> step = scg.compile(g, scg.LeaveOneOut(samples=4))
        >>> print(step.stages["influence"])
        b influences loss
        >>> print(step.stages["surrogate"])
        S = mean over 4 samples of b [ ⊠(ℓ(b)) · loss ]
          + mean over 4 samples of b [ t(b) ]
        """
        found: dict[str, Any] = {
            "graph": self.graph,
            "influence": self.plan.influence,
            "plan": self.plan,
            "surrogate": self.surrogate,
            "program": self.program,
        }
        if self.program.sweeps is not None:
            found["sweeps"] = self.program.sweeps
        elif self.program.backend == "numba":
            table = self.program.engine()
            found |= {"schedule": table.schedule, "table": table}
        return Named(found)

    @checked("step.profile(params)")
    def profile(
        self,
        params: Mapping[str, Any],
        *,
        seed: int | tuple[int, ...] = 0,
        data: Mapping[str, Any] | None = None,
        state: Mapping[str, Mapping[str, Any]] | None = None,
        rounds: int = 20,
    ) -> Profile:
        """Time every entry of the table in `rounds` single runs; print the result.

        Raises
        ------
        CallError
            With ``backend="numpy"``, which has no table.
        """
        if self.program.backend == "numpy":
            raise CallError('only a compiled step has a profile: scg.compile(g, backend="numba")')
        values, sizes, _ = self.checked(params, data, state)
        return self.at(sizes).program.profile(values, seed, sizes, rounds)
