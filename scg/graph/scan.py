"""Scans: a cell that is declared once and recurs along an ordered plate."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scg.common.arguments import checked
from scg.errors import DeclarationError
from scg.graph import tree
from scg.graph.carry import CARRY, Cell, Scan, end_of, left
from scg.graph.cells import atomic, check_homes, homes_of
from scg.graph.growth import grown
from scg.ir.expr import Expr, describe
from scg.ir.plate import Plate, Time
from scg.ops.elementwise import where
from scg.ops.reductions import expand, zeros


@checked("g.scan(cell, init=h0, xs=(x,), over=steps)", DeclarationError)
@atomic
def scan(
    self: Any,
    cell: Callable[..., Any],
    *,
    init: Any,
    xs: Any = (),
    over: Time,
    reverse: bool = False,
    mask: Any = None,
    discount: Any = None,
    name: str | None = None,
) -> tuple[Any, Any]:
    """Declare a recurrence: a cell that makes the next carry of a carry, once for every step.

    Use it for sequences, filters and simulators; where the steps of an ordered plate do not depend
    on each other, declare nodes on the plate without a scan. The cell is called once. Nodes that it
    declares live on the plate: a sample, a cost, an observation for each step. A node at one step
    influences the costs of that step and later ones, and is credited with those alone.

    Parameters
    ----------
    cell : callable
        ``cell(carry, *xs)`` returns the next carry, or ``(carry, outputs)``.
    init : tree of nodes or numbers
        The carry before the first step: a node, or tuples, lists and dicts of nodes. It may be
        stochastic. The carry keeps its form, its shapes and its kinds.
    xs : node or tree of nodes
        What differs from step to step: nodes on the plate `over`, of which the cell sees one step.
    over : Time
        The plate.
    reverse : bool
        Begin at the last step; a step then depends on later ones.
    mask : node, optional
        For ragged data: true at the steps that are present, a scalar for each element on the plate
        `over`. A padded step leaves the carry alone, its outputs are zero, and so are its costs and
        the credit of its nodes. Its `xs` may be anything, since the cell reads zeros there.
    discount : float or scalar node, optional
        Multiplies the costs that the cell declares by its t-th power, t = 0 at the first step;
        padded steps do not count. This changes the objective, of which the estimate stays unbiased.
    name : str, optional
        A name for messages and pictures; by default that of the cell.

    Returns
    -------
    last, outputs
        The carry after the last step, and the outputs of all steps, on the plate `over` (None
        where the cell returns none), each in the form that the cell returns.

    Raises
    ------
    DeclarationError
        If the carry changes its form, shape or kind; if `xs` or `mask` are not on the plate, or
        `init` is; if the cell takes other arguments; if it mixes steps, or what it declares is used
        outside and is not an output. After this and any error of the cell the graph is as before.

    Examples
    --------
    A random walk of which each step is seen with an error:

    >>> import scg
    >>> g, steps = scg.Graph("walk"), scg.Time("t")
    >>> drift = g.parameter("drift", 0.1)
    >>> def cell(x, y):
    ...     now = g.sample("x", scg.Normal(x + drift, 1.0))
    ...     g.observe("y", scg.Normal(now, 0.5), y)
    ...     return now
    >>> last = g.scan(cell, init=0.0, xs=g.data("ys", plates=steps), over=steps)
    >>> step = scg.compile(g)
    >>> step(g.init(seed=0), seed=1, ys=[0.3, 1.2, 0.9]).grads["drift"].shape
    ()
    """
    full = _name(self, name or getattr(cell, "__name__", "scan"))
    if over in (outer.plate for outer in self.cells):
        raise DeclarationError(
            f"scan {full!r}: plate {over.name!r} is that of a scan around it, whose cell sees one "
            "step; make another one, scg.Time(...), for the steps of this scan"
        )
    self._check_plates(full, (over,))
    starts = [_start(self, full, value, over) for value in tree.leaves(init)]
    inputs = xs if isinstance(xs, tuple) else (xs,)
    _check_takes(full, cell, inputs)
    inputs = tree.refilled(
        inputs, [_on_plate(self, full, "xs", x, over) for x in tree.leaves(inputs)]
    )
    present = None
    if mask is not None:
        present = _on_plate(self, full, "mask", mask, over)
        if present.shape != ():
            raise DeclarationError(
                f"scan {full!r}: the mask is {describe(present)}, expected one number per element"
            )
    for node in [*starts, *tree.leaves(inputs), *([] if present is None else [present])]:
        check_homes(self, f"scan {full!r}", node)
    if present is not None:  # zero credit times what fills a padded step must be zero
        kept = [where(present, x, zeros(x)) for x in tree.leaves(inputs)]
        inputs = tree.refilled(inputs, kept)
    count = len(starts)
    if discount is not None:
        rate = self.as_node(discount, full)
        if rate.shape != () or (rate.value is not None and not np.isfinite(rate.value)):
            raise DeclarationError(
                f"scan {full!r}: the discount is {describe(rate)}, expected a finite number"
            )
        starts.append(self.as_node(1.0, full))
    on = (over,) if present is None else present.plates  # a padded step keeps the carry
    leaves = [
        CARRY.build(self, (x,), {"scan": full, "number": i, "plates": on, "reverse": reverse})
        for i, x in enumerate(starts)
    ]
    weight = None if discount is None else leaves[-1]
    declared = set(self.roles)
    before = set(self.scans)
    self.cells = (*self.cells, Cell(full, over, present, weight))
    returned = cell(tree.refilled(init, leaves[:count]), *inputs)
    self.cells = self.cells[:-1]
    carry, outputs = _parted(full, init, returned)
    news = [self.as_node(value, full) for value in tree.leaves(tree.arranged(carry, init))]
    if weight is not None:
        news.append(weight * discount)
    outs = [self.as_node(value, full) for value in tree.leaves(outputs)]
    for i, (leaf, new) in enumerate(zip(leaves, news, strict=True)):
        _same(full, init, i, leaf, new)
    if present is not None:
        news = [where(present, new, leaf) for leaf, new in zip(leaves, news, strict=True)]
        outs = [where(present, out, zeros(out)) for out in outs]
    made = Scan(full, over, reverse, tuple(leaves), tuple(news), weight is not None)
    self.scans[full] = made
    env = grown(self, declared, before)
    made = self.scans[full]
    homes_of(self, [*made.news, *(env(out) for out in outs)])
    last = [end_of(made, i) for i in range(count)]
    stacked = [left(expand(env(out), (*out.plates, over), out.shape), full) for out in outs]
    found = None if outputs is None else tree.refilled(outputs, stacked)
    return tree.refilled(init, last), found


def _name(graph: Any, name: str) -> str:
    base = "/".join((*graph.path, name if name.isidentifier() else "scan"))
    names = (base if i == 1 else f"{base} {i}" for i in range(1, len(graph.scans) + 2))
    return next(full for full in names if full not in graph.scans)


def _start(graph: Any, full: str, value: Any, plate: Plate) -> Expr:
    node = graph.as_node(value, full)
    if plate in node.plates:
        raise DeclarationError(
            f"scan {full!r}: init is {describe(node)}, but it is the carry before the first step "
            f"alone; what differs from step to step of plate {plate.name!r} enters by xs"
        )
    return node


def _check_takes(full: str, cell: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
    """Raise unless a cell takes the carry and what differs from step to step."""
    try:
        takes = inspect.signature(cell)
    except ValueError:  # that of some functions in C is not known
        return
    try:
        takes.bind(None, *inputs)
    except TypeError:
        names = ", ".join(["carry", *(f"x{i + 1}" for i in range(len(inputs)))])
        raise DeclarationError(
            f"scan {full!r}: the cell is called as cell({names}), with one argument for each of "
            f"xs, but takes {takes}"
        ) from None


def _on_plate(graph: Any, full: str, what: str, value: Any, plate: Plate) -> Expr:
    node = graph.as_node(value, full)
    if plate not in node.plates:
        hint = "it needs one entry per step"
        if what == "xs":
            hint = f"declare it with plates={plate.name}, or let the cell use it as it is"
        raise DeclarationError(
            f"scan {full!r}: {what} must be on plate {plate.name!r}, got {describe(node)}; {hint}"
        )
    return node


def _parted(full: str, init: Any, returned: Any) -> tuple[Any, Any]:
    """What a cell returns as the carry and the outputs."""
    wanted = tree.form(init)
    if tree.form(returned) == wanted:
        return returned, None
    if isinstance(returned, tuple) and len(returned) == 2 and tree.form(returned[0]) == wanted:
        return returned
    raise DeclarationError(
        f"scan {full!r}: the cell must return the next carry, of the form of init "
        f"{_short(init)}, or (carry, outputs); it returned {_short(returned)}"
    )


def _short(value: Any) -> str:
    text = tree.refilled(
        value, [_Word(describe(x) if isinstance(x, Expr) else repr(x)) for x in tree.leaves(value)]
    )
    return f"{text!r:.200}"


class _Word(str):
    """Text that shows without quotes."""

    __slots__ = ()
    __repr__ = str.__str__


def _same(full: str, init: Any, number: int, leaf: Expr, new: Expr) -> None:
    if (new.shape, new.kind) == (leaf.shape, leaf.kind):
        return
    several = len(tree.leaves(init)) > 1
    which = f"leaf {number} of the carry" if several else "the carry"
    raise DeclarationError(
        f"scan {full!r}: {which} changes from shape {leaf.shape} and kind {leaf.kind} to shape "
        f"{new.shape} and kind {new.kind}; give init what the cell returns, or cast in the cell"
    )


def join(graph: Any, made: Scan) -> None:
    """Add a scan that a text declares: its carry leaves are there, and what comes after them.

    Raises
    ------
    DeclarationError
        If the parts are not those of a scan.
    """
    if not isinstance(made.plate, Time) or not isinstance(made.reverse, bool):
        raise DeclarationError(
            f"expected an ordered plate and true or false, got {made.plate!r}, {made.reverse!r}"
        )
    if made.discounted not in (False, True) or (made.discounted and not made.carries):
        raise DeclarationError("discounted must be true or false; the last carry is the discount")
    if len(made.carries) != len(made.news):
        raise DeclarationError("there must be one new value for each carry")
    for i, (leaf, new) in enumerate(zip(made.carries, made.news, strict=True)):
        wanted = {"scan": made.name, "number": i, "reverse": made.reverse}
        if (
            leaf.op is not CARRY
            or wanted.items() - leaf.attrs.items()
            or made.plate not in leaf.plates
        ):
            raise DeclarationError(f"expected carry {i} of the scan, got {describe(leaf)}")
        _same(made.name, (), i, leaf, new)
        if leaf.plates != new.plates:
            raise DeclarationError(f"{describe(leaf)} becomes {describe(new)}, on other plates")
    graph.scans[made.name] = made


def check_joined(graph: Any, nodes: Mapping[str, Any], inside: Mapping[Expr, list[str]]) -> None:
    """Find the scans in which the nodes of a text live; for `inside` of them it names some.

    Raises
    ------
    DeclarationError
        If a carry leaf belongs to no scan, a node to one of another plate, or a cell mixes steps.
    """
    known = {leaf for made in graph.scans.values() for leaf in made.carries}
    for name, node in nodes.items():
        if isinstance(node, Expr) and node.op is CARRY and node not in known:
            raise DeclarationError(f"node {name!r} is the carry of no scan")
    for name, node in graph.stochastic.items():
        for cell in (within := inside.get(node, [])):
            if cell not in graph.scans or graph.scans[cell].plate not in node.plates:
                raise DeclarationError(f"node {name!r} is in no cell of a scan {cell!r:.60}")
        homes_of(graph, node.args)
        graph.homes[node] = frozenset(within).union(*(graph.homes[arg] for arg in node.args))
    homes_of(graph, [new for made in graph.scans.values() for new in made.news])
