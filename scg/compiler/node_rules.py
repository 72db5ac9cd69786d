"""Requirements of estimators on the distribution of a node, each checked by a rule."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from scg.compiler.assignment import Assignment, Rule
from scg.distributions import Categorical, OneHotCategorical
from scg.distributions.constraints.numbers import Angles, Constraint
from scg.ir.expr import Expr, StochasticNode

PATH_LIMIT = 1024
#: Numbers of a node at all values of one coordinate each.
ELEMENTS = 1 << 27


def of_family(holds: Callable[[Any], bool], lacking: str) -> Rule:
    """A requirement on the class of a node's distribution alone."""

    def rule(node: StochasticNode, view: Assignment) -> str | None:
        return None if holds(node.attrs["family"]) else f"{family_of(node)} {lacking}"

    return rule


def reparameterized(node: StochasticNode, view: Assignment) -> str | None:
    """Complain of a family without a path from its parameters to its value."""
    family = node.attrs["family"]
    why = f": {family.stopped}" if family.stopped else ""
    return None if family.reparameterized else f"{family_of(node)} has no reparameterization{why}"


def supporting(method: str, lacking: str) -> Rule:
    """Make the rule that a family has a method."""
    return of_family(lambda family: family.supports(method), lacking)


def finite_support(node: StochasticNode, view: Assignment) -> str | None:
    """Complain of a support that is infinite, or larger than the limit of paths."""
    if not node.attrs["family"].supports("cardinality"):
        return f"{family_of(node)} has no finite support"
    count = node.declared.cardinality()
    if count > PATH_LIMIT:
        return f"its support has {count_text(count)} values, more than {PATH_LIMIT}"
    return None


def listable_values(node: StochasticNode, view: Assignment) -> str | None:
    """Complain unless independent coordinates have finitely many values, or the event few."""
    if node.attrs["family"].supports("coordinate_values"):
        return None
    return finite_support(node, view)


def classes(node: StochasticNode, view: Assignment) -> str | None:
    """Complaint about a node whose values are not classes, or are one class."""
    if not issubclass(node.attrs["family"], (Categorical, OneHotCategorical)):
        return f"{family_of(node)} is not a distribution of classes"
    return "it has a single class" if node.declared.classes < 2 else None


def enough_values(node: StochasticNode, view: Assignment) -> str | None:
    """Complain of more samples without replacement than values."""
    count, samples = node.declared.cardinality(), view.estimators[node].samples
    if samples <= count:
        return None
    return f"its support has {count} values, fewer than the {samples} samples without replacement"


def coordinates(node: StochasticNode, view: Assignment) -> str | None:
    """Complain of coordinates that are not independent and finite, or are too many."""
    if not node.attrs["family"].supports("coordinate_values"):
        return f"{family_of(node)} has no independent coordinates with finitely many values"
    values = node.declared.coordinate_values()
    alternatives = len(values) * node.size // math.prod(values.shape[1:])
    if alternatives * node.size > ELEMENTS:
        return (
            f"its {alternatives} alternatives, each of one coordinate, are of {node.size} "
            f"numbers: {count_text(alternatives * node.size)} in all, more than {ELEMENTS}"
        )
    return None


def weak_derivatives(node: StochasticNode, view: Assignment) -> str | None:
    """Complain of a family without measure-valued derivatives in what is learned."""
    family = node.attrs["family"]
    if not family.supports("weak_derivatives"):
        if family.supports("coordinate_values"):
            return coordinates(node, view)
        return f"{family_of(node)} has no measure-valued derivative here"
    return _not_in(node, view, "measure-valued derivative")


def next_value(node: StochasticNode, view: Assignment) -> str | None:
    """Complain of a family without rates at which its value moves up."""
    family = node.attrs["family"]
    if not family.supports("upward"):
        return f"{family_of(node)} has no next value: {family.lacks('upward')}"
    if family.supports("coordinate_values"):
        return coordinates(node, view)
    return _not_in(node, view, "rate of moves") if family.weak_parameters else None


def _not_in(node: StochasticNode, view: Assignment, what: str) -> str | None:
    """Complaint about a learned parameter without a measure-valued derivative."""
    family = node.attrs["family"]
    for name, value in zip(node.declared.parameters, node.args, strict=True):
        if name not in family.weak_parameters and view.learned[value]:
            return (
                f"{family_of(node)} has a {what} in "
                f"{' and '.join(map(repr, family.weak_parameters))}, not in {name!r} "
                "(stop its gradient if it is not to be learned)"
            )
    return None


def fixed_support(node: StochasticNode, view: Assignment) -> str | None:
    """Complain of a support that moves with learned parameters."""
    return _moving(node, view, lambda part: not part.fixed)


def visible_support(node: StochasticNode, view: Assignment) -> str | None:
    """A score may miss the ends of angles where what they contribute to the costs cancels."""

    def visible(part: Constraint) -> bool:
        return not part.fixed and not (isinstance(part, Angles) and view.invariances[node].turn)

    return _moving(node, view, visible)


def _moving(
    node: StochasticNode, view: Assignment, counts: Callable[[Constraint], bool]
) -> str | None:
    support = node.declared.support
    parts = filter(counts, getattr(support, "parts", (support,)))
    if not any(_learned(bound, view) for part in parts for bound in (part.low, part.high)):
        return None
    return (
        f"the support of {family_of(node)} moves with learned parameters, which the derivative of "
        "its log-density misses (stop their gradient if they are not to be learned)"
    )


def _learned(bound: Any, view: Assignment) -> bool:
    """Whether a bound, which may be an expression of arguments of the node, is learned."""
    if not isinstance(bound, Expr):
        return False
    if bound in view.learned:
        return view.learned[bound]
    return any(_learned(arg, view) for arg in bound.args)


def no_plates(node: StochasticNode, view: Assignment) -> str | None:
    """Complain of a node on a plate or in a scan, where an estimator has a state for the node."""
    _, steps = node.graph.steps.get(node.name or "", ("", ()))
    plates = [*node.plates, *(plate for plate, _ in steps)]
    if not plates:
        return None
    own = ", ".join(repr(plate.name) for plate in plates)
    return (
        f"it lives on plate {own}, whose elements may differ from call to call, while its state "
        "belongs to the node (leave plates= and data out of its parameters)"
    )


def family_of(node: StochasticNode) -> str:
    """The name of a node's distribution."""
    return node.attrs["family"].__name__


def count_text(n: int) -> str:
    """A count in few digits; Python writes no integer of thousands of digits."""
    return str(n) if n < 10**9 else f"about 10^{math.floor(math.log10(n))}"
