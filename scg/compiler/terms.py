"""Terms: what the estimator of a node adds to the surrogate, and what must hold of it."""

from __future__ import annotations

from dataclasses import dataclass

from scg.common.arguments import said
from scg.compiler.members import names
from scg.compiler.routes import NodeRoute
from scg.compiler.simplify import simplify
from scg.errors import CompilerError
from scg.estimators.protocol import Draw, Estimator
from scg.ir.expr import Expr, StochasticNode
from scg.ir.plate import ordered
from scg.ops.base import is_constant


@dataclass
class Term:
    """The sample and the terms of one node."""

    node: StochasticNode
    draw: Draw
    parts: dict[NodeRoute, Expr]

    def check(self, estimator: Estimator, known: dict[Expr, Expr]) -> None:
        """Raise if a term lives on other plates than survive on its route, or if it has a value.

        It has value 0 if, with stops and boxes erased, it simplifies to 0; `known` keeps what is
        simplified already.
        """
        term = f"the term of {estimator!r} at node {self.node.name!r}"
        for route, part in self.parts.items():
            if not isinstance(part, Expr) or part.shape:
                raise CompilerError(
                    f"{term} must be a node of shape () for each plate element, got {said(part)}; "
                    "sum it over its event with np.sum(...)"
                )
            plates = {plate for plate in part.plates if plate.owned_by_user}
            if plates != route.sep:
                raise CompilerError(
                    f"{term} lives on plates ({names(ordered(plates))}), but the plates that "
                    f"survive to its costs are ({names(ordered(route.sep))}); sum it over the "
                    "others with route.score(...)"
                )
            (rest,) = simplify([part], known)
            if not is_constant(rest, 0):
                raise CompilerError(
                    f"{term} does not have the value 0, so that it would change the cost; write "
                    "it with control_variate(...) or along(...)"
                )
