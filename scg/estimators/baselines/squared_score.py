"""The squared score of each coordinate in its own logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scg.ops.elementwise import cast, equal, square
from scg.ops.reductions import sum
from scg.ops.shape import np_reshape

if TYPE_CHECKING:
    from scg.distributions.base import Distribution
    from scg.ir.expr import Expr


def squared_score(dist: Distribution, x: Expr) -> Expr:
    """Σ_v (1[x_i = v] − p_iv)², the squared score in the logits of each coordinate."""
    values, probs = dist.coordinate_values(), dist.coordinate_probs()
    inner = values.shape[1:]
    one = np_reshape(x, (*probs.shape[:-1], 1, *inner))
    hit = cast(equal(one, values))
    for _ in inner:
        hit = cast(equal(sum(hit, axis=-1), float(hit.shape[-1])))
    return sum(square(hit - probs), axis=-1)
