"""The base class of baselines."""

from __future__ import annotations

from scg.common.arguments import Checked, kind
from scg.distributions.base import Distribution
from scg.estimators.protocol import Downstream, Draw, Memory
from scg.ir.expr import Expr


@kind("a baseline such as scg.baselines.MovingAverage()")
class Baseline(Checked):
    """A value subtracted from the learning signal, independent of the sample given the inputs.

    Subclass it to write a baseline of your own. A control variate that does depend on the sample is
    an estimator: its mean's gradient has to be added back.

    Attributes
    ----------
    unbiased : bool
        Whether it does not depend on the sample; a bootstrap does.
    requires : tuple of str
        Requirements on the distributions below, as for an estimator.
    cites : tuple of str
        Keys of ``references.bib``.
    """

    unbiased: bool = True
    requires: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()

    def value(
        self, signal: Expr, dist: Distribution, draw: Draw, downstream: Downstream, memory: Memory
    ) -> Expr:
        """The baseline, as a contribution to the objective; record here how it learns.

        Parameters
        ----------
        signal : Expr
            What the baseline predicts, with gradients stopped, on the plates of the node. It
            depends on the sample: use it in auxiliary losses and new states only.
        """
        raise NotImplementedError
