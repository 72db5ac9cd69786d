"""Bodies of loops: closed pieces of a graph that run once for each element of a plate."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scg.errors import DeclarationError
from scg.ir.expr import Expr, describe
from scg.ir.op import SIZED
from scg.ir.plate import Plate, Plates, ordered
from scg.ir.walk import rewrite, topological
from scg.ops.base import broadcast
from scg.ops.border import Exprs, below, place
from scg.ops.reductions import expand


@dataclass(frozen=True, eq=False)
class Body:
    """What a loop computes in a step, from placeholders: a closed piece of a graph.

    Parameters
    ----------
    carry, steps, constants : tuple of Expr
        Placeholders of what a step takes over from the one before, of its slices of per-step
        inputs, and of what all steps read.
    new : tuple of Expr
        What the next step takes over, in the order of `carry`.
    outputs : tuple of Expr
        What is stacked over the steps.
    """

    carry: Exprs
    steps: Exprs
    constants: Exprs
    new: Exprs
    outputs: Exprs = ()

    @property
    def places(self) -> Exprs:
        """All placeholders, in the order of a loop's arguments."""
        return (*self.carry, *self.steps, *self.constants)

    @property
    def results(self) -> Exprs:
        """What the body computes."""
        return (*self.new, *self.outputs)

    def mapped(self, env: Mapping[Expr, Expr]) -> Body:
        """The body with all its expressions replaced."""
        groups = (self.carry, self.steps, self.constants, self.new, self.outputs)
        return Body(*(tuple(env[expr] for expr in group) for group in groups))

    @property
    def key(self) -> tuple[Any, ...]:
        """Identities of all expressions: bodies of one key are equal."""
        groups = (self.carry, self.steps, self.constants, self.new, self.outputs)
        return tuple(tuple(map(id, group)) for group in groups)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Body) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        counts = (len(self.carry), len(self.steps), len(self.constants), len(self.outputs))
        return "Body({} carries, {} steps, {} constants, {} outputs)".format(*counts)


@dataclass(frozen=True)
class LoopOp:
    """How passes treat an op that repeats a body, which is its attribute "body".

    The op's expressions each are one result. Those of one loop differ in what they take of it
    alone, so that a pass may ask for further results.

    Parameters
    ----------
    vjp : callable
        From the cotangents of results of one loop, and whether each argument's cotangent is wanted,
        to the cotangents of the arguments, or None where they are zero.
    """

    vjp: Callable[[Mapping[Expr, Expr], Sequence[bool]], Sequence[Expr | None]]

    def key(self, expr: Expr) -> Any:
        """A key that all results of one loop have."""
        body = replace(expr.attrs["body"], outputs=())
        return (tuple(map(id, expr.args)), body, expr.attrs["along"], expr.attrs["reverse"])

    def inside(self, expr: Expr) -> Exprs:
        """The expressions that the body computes."""
        return expr.attrs["body"].results

    def between(self, expr: Expr, index: int) -> list[tuple[Expr, int]]:
        """The edges of all paths in the body from an argument to the result.

        A path may pass through the carries from step to step. An edge is an expression of the body
        and the index of an argument.
        """
        body: Body = expr.attrs["body"]
        last = expr.attrs["last"]
        goal = body.new[last] if last >= 0 else body.outputs[0]
        order = topological(body.results)
        ahead = {body.places[index]}
        while True:
            ahead = below(order, ahead)
            pairs = zip(body.carry, body.new, strict=True)
            more = {carry for carry, new in pairs if new in ahead} - ahead
            if not more:
                break
            ahead |= more
        wanted, behind = [goal], {goal}
        source = dict(zip(body.carry, body.new, strict=True))
        while wanted:
            here = wanted.pop()
            before = [*here.args, *([source[here]] if here in source else ())]
            wanted += (fresh := [arg for arg in dict.fromkeys(before) if arg not in behind])
            behind.update(fresh)
        return [
            (e, k)
            for e in order
            if e in ahead and e in behind
            for k, arg in enumerate(e.args)
            if arg in ahead
        ]

    def narrowed(self, expr: Expr) -> Expr:
        """The result of a loop that repeats arguments where they are used, and holds constants."""
        body, args = narrowed(expr.attrs["body"], expr.args, expr.attrs["along"])
        if len(args) == len(expr.args) and all(map(operator.is_, args, expr.args)):
            return expr
        return expr.op.build(expr.graph, args, {**expr.attrs, "body": body})

    def refilled(self, expr: Expr, passed: Callable[[Sequence[Expr]], Sequence[Expr]]) -> Expr:
        """The result of a loop whose body's expressions a pass rewrote."""
        body: Body = expr.attrs["body"]
        now = tuple(passed(body.results))
        if all(new is old for new, old in zip(now, body.results, strict=True)):
            return expr
        cut = len(body.new)
        body = replace(body, new=now[:cut], outputs=now[cut:])
        return expr.op.build(expr.graph, expr.args, {**expr.attrs, "body": body})


def narrowed(body: Body, args: Exprs, over: Plate) -> tuple[Body, Exprs]:
    """A body that repeats arguments where they are used, and holds constants."""
    cut = len(body.carry)
    env: dict[Expr, Expr] = {x: x for x in body.places}
    steps, constants = {}, {}
    for x, arg in zip(body.places[cut:], args[cut:], strict=True):
        inner = arg.args[0] if arg.op is broadcast else arg
        if inner is not arg and over in inner.plates:  # a step's slices differ
            inner = arg
        if inner.value is None:
            here = x if inner is arg else place(x.graph, inner)
            (steps if over in inner.plates else constants)[here] = inner
            inner = here
        env[x] = expand(inner, x.plates, x.shape)
    rewrite(topological(body.results, known=env), env)
    new, outputs = (tuple(env[e] for e in group) for group in (body.new, body.outputs))
    args = (*args[:cut], *steps.values(), *constants.values())
    return Body(body.carry, tuple(steps), tuple(constants), new, outputs), args


def check_closed(body: Body) -> None:
    """Raise if a body reads anything but its placeholders and constants."""
    own = {*body.places}
    for expr in topological(body.results):
        if not expr.args and expr.value is None and expr.op not in SIZED and expr not in own:
            raise DeclarationError(
                f"the body of a scan reads {describe(expr)}, which is none of its placeholders; "
                "hand it over as a constant"
            )


# --- fitting a body to its arguments ------------------------------------------------------------
def fitted(args: Exprs, body: Body, over: Plate) -> tuple[Exprs, Body]:
    """Arguments and body with numbered placeholders that have the arguments' plates and shapes.

    The carries get the plates on which they stay: their first values are repeated there.

    Raises
    ------
    DeclarationError
        If a carry changes its shape or its kind, or an argument is wrongly on the plate.
    """
    first, last = len(body.carry), len(body.carry) + len(body.steps)

    def inner(i: int, arg: Expr) -> Plates:
        return tuple(p for p in arg.plates if p is not over) if first <= i < last else arg.plates

    if all(
        old.attrs["place"] == i
        and (old.shape, old.plates, old.kind) == (arg.shape, inner(i, arg), arg.kind)
        for i, (old, arg) in enumerate(zip(body.places, args, strict=True))
    ) and all(
        (new.shape, new.plates, new.kind) == (old.shape, old.plates, old.kind)
        for new, old in zip(body.new, body.carry, strict=True)
    ):
        return args, body
    for i, arg in enumerate(args):
        if (over in arg.plates) != (first <= i < last):
            what = "is on" if over in arg.plates else "is not on"
            raise DeclarationError(
                f"scan over {over.name!r}: {describe(arg)} {what} this plate; per-step inputs are, "
                "first carries and constants are not"
            )
    order = topological(body.results)
    args = tuple(args)
    while True:
        places = tuple(place(arg.graph, arg, inner(i, arg), number=i) for i, arg in enumerate(args))
        env = dict(zip(body.places, places, strict=True))
        rewrite(order, env)
        now = body.mapped(env)
        wide = tuple(
            ordered((*new.plates, *old.plates)) for new, old in zip(now.new, now.carry, strict=True)
        )
        for i, (new, old) in enumerate(zip(now.new, now.carry, strict=True)):
            if (new.shape, new.kind) != (old.shape, old.kind):
                raise DeclarationError(
                    f"scan over {over.name!r}: carry {i} begins as {old.kind}s of shape "
                    f"{old.shape}, but a step returns {new.kind}s of shape {new.shape}; give it a "
                    "first value of that shape and kind"
                )
            if over in new.plates:
                raise DeclarationError(
                    f"scan over {over.name!r}: carry {i} would be on the plate of the steps"
                )
        if all(plates == old.plates for plates, old in zip(wide, now.carry, strict=True)):
            break
        args = (
            *(expand(a, p, a.shape) for a, p in zip(args[:first], wide, strict=True)),
            *args[first:],
        )
    new = tuple(expand(n, c.plates, c.shape) for n, c in zip(now.new, now.carry, strict=True))
    return args, replace(now, new=new)
