"""Parts: the parts of a gradient in words."""

from __future__ import annotations

from scg.compiler.entries import Part
from scg.compiler.plan import Plan

_WORDS = {
    "score": "{cost} · ∇log p({node})",
    "pathwise": "∂{cost}/∂{node} · ∇{node}",
    "both": "∂{cost}/∂{node} · ∇{node} + {cost} · ∇log r({node})",
    "weight": "{cost} · ∇p({node})",
    "along": "{cost} through {node}",
}


def part_text(part: Part, plan: Plan) -> str:
    """What is differentiated, and in which place the parameters enter."""
    if part.term:
        own = part.node == part.summand
        return f"∇t({part.summand})" + ("" if own else f" through {part.node or 'the costs'}")
    if part.node is None:
        return f"∇{part.summand}"
    credit = next(e.credit for node, e in plan.estimators.items() if node.name == part.node)
    return _WORDS[credit].format(cost=part.summand, node=part.node)
