"""What a baseline is: a value subtracted from the learning signal that ignores the draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scg.arguments import Checked, kind

if TYPE_CHECKING:
    from scg.distributions.base import Distribution
    from scg.estimators.protocol import Downstream, Draw, Memory
    from scg.ir.expr import Expr


@kind("a baseline such as scg.baselines.MovingAverage()")
class Baseline(Checked):
    """A baseline, independent of the draw given the node's inputs.

    Attributes
    ----------
    requires : tuple of str
        Requirements on the distributions below, as for an estimator.
    cites : tuple of str
        Keys of ``references.bib``.
    """

    requires: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """Return the baseline as a contribution to the objective, and record how it learns.

        Parameters
        ----------
        signal : Expr
            What the baseline is to predict, stopped, on the plates of the node. It depends on the
            draw: only auxiliary losses and new states may use it.
        """
        raise NotImplementedError
