"""Ops that change derivatives only: stop, the magic box, and a mark that keeps nodes apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.ir.dispatch import implements
from scg.ir.op import Op
from scg.ir.operation import OPS
from scg.ops.attributes import text
from scg.ops.base import broadcast_shapes

#: The identity with a zero derivative.
stop = Op("stop", lambda x: x, lambda x: x, (None,), kind="same")

#: The magic box ⊠(ℓ) of DiCE (Foerster et al. 2018): forward 1, VJP g · ⊠(ℓ).
box = Op("box", lambda x: np.ones_like(x), lambda x: x, (lambda g, y, x: g * y,))

#: The identity. Its label keeps two points of one expression apart, so that each has its own
#: gradient.
mark = Op(
    "mark",
    lambda x, label: x,
    lambda x, label: x,
    (lambda g, y, x, label: g,),
    kind="same",
    attributes={"label": text},
)


def _first(name: str, *vjps: Any) -> Op:
    """Op of two arguments whose value is the first one, of the shape of both."""
    return Op(
        name,
        lambda x, other: np.broadcast_arrays(x, other)[0],
        broadcast_shapes,
        vjps,
        kind="same",
        elementwise=True,
        kernel="{0}",
    )


#: The value of the first argument with the derivative of the second. Unlike `stop` it cuts no
#: credit: nodes below the value still influence the cost.
graft = _first("graft", lambda g, y, value, slope: 0.0 * g, lambda g, y, value, slope: g)

#: The first argument, and its derivative where the second is true: a step that is padded has a
#: value, but learns nothing.
gate = _first("gate", lambda g, y, x, there: OPS["where"](there, g, 0.0), None)

#: The first argument, whose derivative is multiplied by the second: a boundary in time that credit
#: passes with a factor.
cross = _first("cross", lambda g, y, x, factor: g * factor, None)

#: The identity; it marks a cost that is the −log p of an observation.
observed = Op("observed", lambda x: x, lambda x: x, (lambda g, y, x: g,))

implements("stop")(stop)

#: The identity; it marks a cost whose gradient has normalised weights of samples: biased.
self_normalised = Op("self_normalised", lambda x: x, lambda x: x, (lambda g, y, x: g,))

#: The identity; it marks a cost whose gradient is that of pathwise samples of the node `label`.
path_alone = Op(
    "path_alone",
    lambda x, label: x,
    lambda x, label: x,
    (lambda g, y, x, label: g,),
    attributes={"label": text},
)

#: The identity; it marks a value whose derivative has no derivative.
first_order = Op("first_order", lambda x: x, lambda x: x, (lambda g, y, x: g,))

#: Identities that mark an expression, and have no other effect.
MARKS = (mark, observed, self_normalised, path_alone, first_order)
#: Ops that the compiler replaces by their first argument after the last differentiation.
IDENTITIES = (*MARKS, stop, graft, gate, cross)


def held(x: Any) -> Any:
    """`x` without a derivative; unlike `stop` it cuts no credit."""
    return graft(x, 0.0)


def stop_gradient(x: Any) -> Any:
    """`x` without credit: neither derivatives nor score terms pass through it.

    Costs that depend on a node through stopped edges alone do not count among the node's costs.
    """
    return stop(x)
