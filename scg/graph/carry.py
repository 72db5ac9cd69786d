"""Carries: the leaves through which a scan reads what it made one step earlier.

Everything in a cell is an ordinary expression on the plate of its scan, for all steps at once. Only
the carry is special: a *carry leaf* is the carry before each step, that is its initial value at the
first step, and at every other step what the cell made of it one step earlier. The compiler follows
this one edge back in time; see "Time" in ``docs/design.md``.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.op import Op
from scg.ir.plate import Time, ordered
from scg.ir.walk import topological
from scg.ops.attributes import flag, is_integer, plates, text
from scg.ops.gradient import mark
from scg.ops.steps import step_of


def _recurs(*_: Any, **__: Any) -> Any:
    raise TypeError("the compiler replaces the carry of a scan before a program runs")


def _no_derivative(g: Expr, y: Expr, init: Expr, scan: str, **attrs: Any) -> Expr:
    raise DeclarationError(
        f"scg.grad: a path leads through the carry of scan {scan!r}. Take the derivative inside "
        "the cell, within one step, or stop it: scg.stop_gradient"
    )


#: The carry before each step, on the plate of a scan; its argument is the initial value.
CARRY = Op(
    "carry",
    _recurs,
    lambda init, **attrs: init,
    (_no_derivative,),
    kind="same",
    plates=lambda args, attrs: ordered((*args[0].plates, *attrs["plates"])),
    attributes={
        "scan": text,
        "number": lambda value, *_, **__: None if is_integer(value) else "an integer",
        "plates": plates,
        "reverse": flag,
    },
)


OUT = "out of "


@dataclass(frozen=True)
class Scan:
    """A declared scan.

    Attributes
    ----------
    name : str
        Its name, by default that of the cell.
    plate : Time
        The plate along which it recurs.
    reverse : bool
        Whether it begins at the last step.
    carries, news : tuple of Expr
        The carry before each step, and what the cell makes of it.
    discounted : bool
        Whether the last carry is the discount of the step's costs, γ^t.
    """

    name: str
    plate: Time
    reverse: bool
    carries: tuple[Expr, ...]
    news: tuple[Expr, ...]
    discounted: bool = False

    @property
    def before(self) -> dict[Expr, Expr]:
        """What each carry leaf is one step later."""
        return dict(zip(self.carries, self.news, strict=True))


@dataclass(frozen=True)
class Cell:
    """A scan whose cell is being declared: where its nodes live."""

    name: str
    plate: Time
    mask: Expr | None
    weight: Expr | None


def discounts(graph: Any, node: Expr) -> tuple[Expr, ...]:
    """The discounts γ^t of the costs beside a node, one for each of its discounted scans."""
    if node.name in graph.discounts:  # a step of an unrolled graph
        return graph.discounts[node.name]
    made = (graph.scans[name] for name in sorted(graph.homes.get(node, ())))
    return tuple(scan.carries[-1] for scan in made if scan.discounted)


def left(node: Expr, scan: str) -> Expr:
    """An expression as it leaves the cell of a scan."""
    return mark(node, label=f"{OUT}{scan}")


def is_output(expr: Expr) -> bool:
    """Whether an expression is what it is made of, outside of a cell."""
    return expr.op is mark and expr.attrs["label"].startswith(OUT)


def backwards(graph: Any, roots: Iterable[Expr]) -> list[Expr]:
    """Expressions below `roots`, also one step earlier; arguments come before their users."""
    before = {leaf: new for made in graph.scans.values() for leaf, new in made.before.items()}
    every, found = list(roots), 0
    while True:
        order = topological(every)
        if len(order) == found:
            return order
        found = len(order)
        every += [before[expr] for expr in order if expr in before]


def end_of(made: Scan, number: int) -> Expr:
    """A carry after the last step."""
    new = left(made.news[number], made.name)
    return step_of(new, made.plate, 0 if made.reverse else -1)


def passed_below(graph: Any, goal: Expr, names: Container[Expr]) -> dict[Expr, set[str]]:
    """Expressions in `names` from which a path leads to `goal` past no other one, over any steps.

    The value holds, for each such path, the name of the plate of its first carry; "" if the path
    passes no carry.
    """
    before = {
        leaf: (new, made) for made in graph.scans.values() for leaf, new in made.before.items()
    }
    found: dict[Expr, set[str]] = {}
    stack = [(arg, "") for arg in goal.args]
    seen = set(stack)
    while stack:
        expr, plate = stack.pop()
        if expr in names:
            found.setdefault(expr, set()).add(plate)
            continue
        below = [(arg, plate) for arg in expr.args]
        if expr in before:
            new, made = before[expr]
            below.append((new, made.plate.name))
        stack += [at for at in below if at not in seen]
        seen.update(below)
    return found
