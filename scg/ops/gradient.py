"""Ops that act on derivatives only: stop, the magic box, and a mark that keeps nodes apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from scg.ir.dispatch import implements
from scg.ir.op import Op
from scg.ops.attributes import text
from scg.ops.base import broadcast_shapes

#: The identity with a zero derivative.
stop = Op("stop", lambda x: x, lambda x: x, (None,), kind="same")

#: The magic box ⊠(ℓ) of DiCE (Foerster et al. 2018, eq. 4): forward 1, VJP g · ⊠(ℓ).
box = Op("box", lambda x: np.ones_like(x), lambda x: x, (lambda g, y, x: g * y,))

#: The identity; the label keeps apart two points of equal expression, so that each has a
#: gradient of its own.
mark = Op(
    "mark",
    lambda x, label: x,
    lambda x, label: x,
    (lambda g, y, x, label: g,),
    kind="same",
    attributes={"label": text},
)

#: The value of the first argument with the derivative of the second. Unlike `stop` it cuts no
#: credit: a cost remains a cost of what lies below its value.
graft = Op(
    "graft",
    lambda value, slope: np.broadcast_arrays(value, slope)[0],
    broadcast_shapes,
    (lambda g, y, value, slope: 0.0 * g, lambda g, y, value, slope: g),
    kind="same",
    elementwise=True,
    kernel="{0}",
)

#: The identity; says that a cost is the −log p of an observation.
observed = Op("observed", lambda x: x, lambda x: x, (lambda g, y, x: g,))

implements("stop")(stop)

#: Ops that vanish after the last differentiation, where their first argument takes their place.
IDENTITIES = (stop, mark, graft, observed)


def stop_gradient(x: Any) -> Any:
    """Return `x` without credit: neither derivatives nor score terms pass through it."""
    return stop(x)
