"""The steps of a loop: what is computed of its body for the results that are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scg.errors import CallError
from scg.ir.expr import Expr
from scg.ir.plate import Plate
from scg.ir.walk import topological
from scg.ops.body import Body
from scg.schedule.products import elements_of


class Steps:
    """The part of a loop that some of its results need.

    Attributes
    ----------
    outputs : dict
        What a step computes: the new carries by ("carry", i), stacked outputs by ("output", k) for
        the result of number k.
    carried : list of int
        Numbers of the carries that are needed.
    last, stacked : dict
        The carry whose last value a result is, and the axis of the steps in a stacked result, each
        by the number of the result.
    begin, sliced, constants : dict
        The arguments of the placeholders that are needed: first values of carries, per-step inputs,
        and what all steps read.
    """

    def __init__(self, results: tuple[Expr, ...]):
        first = results[0]
        self.results = results
        self.body: Body = first.attrs["body"]
        self.over: Plate = first.attrs["along"]
        self.reverse: bool = first.attrs["reverse"]
        self.last = {k: r.attrs["last"] for k, r in enumerate(results) if r.attrs["last"] >= 0}
        self.stacked = {k: self.axis(r) for k, r in enumerate(results) if k not in self.last}
        own: dict[Any, Expr] = {
            ("output", k): results[k].attrs["body"].outputs[0] for k in self.stacked
        }
        carried, more = set[int](), {*self.last.values()}
        needed: set[Expr] = set()
        while more or not needed:
            carried |= more
            needed = {*topological((*own.values(), *(self.body.new[i] for i in carried)))}
            more = {i for i, x in enumerate(self.body.carry) if x in needed} - carried
        self.carried = sorted(carried)
        self.outputs = own | {("carry", i): self.body.new[i] for i in self.carried}
        self.begin = {self.body.carry[i]: first.args[i] for i in self.carried}
        arg_of = dict(zip(self.body.places, first.args, strict=True))
        self.sliced = {x: arg_of[x] for x in self.body.steps if x in needed}
        self.constants = {x: arg_of[x] for x in self.body.constants if x in needed}

    def axis(self, expr: Expr) -> int:
        """The axis of the steps in the array of an expression."""
        return expr.plates.index(self.over)

    def length(self, sizes: Mapping[Plate, int]) -> int:
        """The number of steps, which is not 0."""
        length = elements_of(self.over, sizes, ())
        if not length:
            raise CallError(f"a scan over {self.over.name!r} has no steps: the plate is empty")
        return length
