"""Scans: a cell that is declared once and recurs along an ordered plate.

Everything in a cell is an ordinary expression on the plate of its scan, for all steps at once. Only
the carry is special: a *carry leaf* is the carry before each step, that is its initial value at the
first step, and at every other step what the cell made of it one step earlier. The compiler follows
this one edge back in time; see "Time" in ``docs/design.md``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scg.arguments import checked
from scg.errors import DeclarationError
from scg.graph import tree
from scg.ir.expr import Expr, StochasticNode, describe
from scg.ir.op import Op, intern
from scg.ir.plate import Plate, Time, ordered
from scg.ir.walk import named_below, rebuilt, topological
from scg.ops.attributes import flag, is_integer, plates, text
from scg.ops.elementwise import logical_and, where
from scg.ops.gradient import gate, mark, observed
from scg.ops.reductions import expand, zeros
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


_OUT = "out of "


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
    """

    name: str
    plate: Time
    reverse: bool
    carries: tuple[Expr, ...]
    news: tuple[Expr, ...]

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


@checked("g.scan(cell, init=h0, xs=(x,), over=steps)", DeclarationError)
def scan(
    self: Any,
    cell: Callable[..., Any],
    *,
    init: Any,
    xs: Any = (),
    over: Plate,
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
        the credit of its nodes.
    discount : float or scalar node, optional
        Multiplies the costs that the cell declares by its t-th power, t = 0 at the first step.
        This changes the objective, of which the estimate stays unbiased.
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
        If the carry changes its form, shape or kind; if `xs` or `mask` are not on the plate; if
        the cell mixes steps, or what it declares is used outside and is no output.

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
    if not isinstance(over, Time):
        raise DeclarationError(
            f"g.scan: over must be an ordered plate, got {over!r}; write scg.Time({over.name!r})"
        )
    full = _name(self, name or getattr(cell, "__name__", "scan"))
    self._check_plates(full, (over,))
    starts = [self.as_node(value, full) for value in tree.leaves(init)]
    inputs = xs if isinstance(xs, tuple) else (xs,)
    for x in tree.leaves(inputs):
        _on_plate(self, full, "xs", x, over)
    present = None
    if mask is not None:
        present = _on_plate(self, full, "mask", mask, over)
        if present.shape != ():
            raise DeclarationError(
                f"scan {full!r}: the mask is {describe(present)}, expected one number an element"
            )
    for node in [*starts, *tree.leaves(inputs), *([] if present is None else [present])]:
        check_homes(self, f"scan {full!r}", node)
    count = len(starts)
    if discount is not None:
        starts.append(self.as_node(1.0, full))
    leaves = [
        CARRY.build(self, (x,), {"scan": full, "number": i, "plates": (over,), "reverse": reverse})
        for i, x in enumerate(starts)
    ]
    weight = None if discount is None else leaves[-1]
    declared = set(self.roles)
    before = set(self.scans)
    self.cells = (*self.cells, Cell(full, over, present, weight))
    try:
        returned = cell(tree.refilled(init, leaves[:count]), *inputs)
    finally:
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
    made = Scan(full, over, reverse, tuple(leaves), tuple(news))
    self.scans[full] = made
    env = _grown(self, declared, before)
    made = self.scans[full]
    homes_of(self, [*made.news, *(env(out) for out in outs)])
    last = [end_of(made, i) for i in range(count)]
    stacked = [_left(expand(env(out), (*out.plates, over), out.shape), full) for out in outs]
    found = None if outputs is None else tree.refilled(outputs, stacked)
    return tree.refilled(init, last), found


def _name(graph: Any, name: str) -> str:
    base = "/".join((*graph.path, name if name.isidentifier() else "scan"))
    names = (base if i == 1 else f"{base} {i}" for i in range(1, len(graph.scans) + 2))
    return next(full for full in names if full not in graph.scans)


def _on_plate(graph: Any, full: str, what: str, value: Any, plate: Plate) -> Expr:
    node = graph.as_node(value, full)
    if plate not in node.plates:
        hint = "the cell can use it as it is" if what == "xs" else "it needs one entry a step"
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


def _left(node: Expr, scan: str) -> Expr:
    """An expression as it leaves the cell of a scan."""
    return mark(node, label=f"{_OUT}{scan}")


def is_output(expr: Expr) -> bool:
    """Whether an expression is what it is made of, outside of a cell."""
    return expr.op is mark and expr.attrs["label"].startswith(_OUT)


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
    homes_of(graph, made.news)


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
    new = _left(made.news[number], made.name)
    return step_of(new, made.plate, 0 if made.reverse else -1)


# --- what a cell declares -------------------------------------------------------------------------
def on_cells(graph: Any, node: Expr) -> Expr:
    """A node of a cell on the plates of its scans."""
    plates = (*node.plates, *(cell.plate for cell in graph.cells))
    return expand(node, plates, node.shape)


def present_in(graph: Any, mask: Expr | None) -> Expr | None:
    """A mask of a node in a cell, false at padded steps."""
    for cell in graph.cells:
        if cell.mask is not None:
            mask = cell.mask if mask is None else logical_and(cell.mask, mask)
    return mask


def discounted(graph: Any, cost: Expr) -> Expr:
    """A cost that a cell declares, with the discount of its scans; an observation stays one."""
    inner = cost.args[0] if cost.op is observed else cost
    for cell in graph.cells:
        inner = inner if cell.weight is None else cell.weight * inner
    return observed(inner) if cost.op is observed else inner


def gated(graph: Any, arg: Expr) -> Expr:
    """An argument of a distribution in a cell, without credit at padded steps."""
    for cell in graph.cells:
        if cell.mask is not None and arg.value is None and arg.kind == "float":
            arg = gate(arg, cell.mask)
    return arg


# --- what stays inside a cell ---------------------------------------------------------------------
def homes_of(graph: Any, nodes: Any) -> None:
    """Find in the cells of which scans expressions live; raise where one mixes steps."""
    homes = graph.homes
    for expr in topological(nodes, known=homes):
        found = frozenset().union(*(homes[arg] for arg in expr.args))
        if expr.op is CARRY:
            found |= {expr.attrs["scan"]}
        if is_output(expr):
            found -= {expr.attrs["label"].removeprefix(_OUT)}
        for name in found:
            plate = _plate_of(graph, name)
            if plate not in expr.plates:
                raise DeclarationError(
                    f"scan {name!r}: {describe(expr)} reduces plate {plate.name!r}, but a cell "
                    "sees one step; return what it reduces as an output, and reduce that"
                )
        homes[expr] = found


def _plate_of(graph: Any, name: str) -> Plate:
    """The plate of a scan, declared or being declared."""
    return next(s.plate for s in (*graph.scans.values(), *graph.cells) if s.name == name)


def check_homes(graph: Any, what: str, node: Expr) -> None:
    """Raise unless a node may use what it does: cells keep what they do not return."""
    if not graph.scans and not graph.cells:
        return
    homes_of(graph, [node])
    for name in sorted(graph.homes[node] - {cell.name for cell in graph.cells}):
        named = {e: n for n, (e, _) in graph.roles.items() if name in graph.homes.get(e, ())}
        used = next((named[e] for e in named_below(node, named)), named.get(node, "the carry"))
        raise DeclarationError(
            f"{what} uses {used!r} of scan {name!r} outside of its cell. Return it as an output: "
            "return carry, outputs"
        )


# --- plates of carries ----------------------------------------------------------------------------
def _grown(graph: Any, declared: set[str], before: set[str]) -> Callable[[Expr], Expr]:
    """Give each new carry the plates of what the cell makes of it; rebuild what is declared on it.

    Returns what takes the place of an expression.
    """
    env: dict[Expr, Expr] = {}

    def now(expr: Expr) -> Expr:
        for e in topological((expr,), known=env):
            env[e] = _rebuilt(graph, e, env, sizes)
        return env[expr]

    scans: dict[str, Scan] = {n: s for n, s in graph.scans.items() if n not in before}
    sizes: dict[Expr, tuple[Plate, ...]] = {}
    while True:
        short = {
            leaf: (*now(leaf).plates, *now(new).plates)
            for scan in scans.values()
            for leaf, new in scan.before.items()
            if not set(now(new).plates) <= set(now(leaf).plates)
        }
        if not short:
            break
        sizes |= short
        env.clear()
    for name, scan in scans.items():
        leaves = tuple(map(now, scan.carries))
        news = (now(new) for new in scan.news)
        wide = tuple(expand(x, y.plates, x.shape) for x, y in zip(news, leaves, strict=True))
        graph.scans[name] = Scan(name, scan.plate, scan.reverse, leaves, wide)
    if sizes:
        _redeclare(graph, [name for name in graph.roles if name not in declared], now)
    return now


def _rebuilt(
    graph: Any, expr: Expr, env: Mapping[Expr, Expr], sizes: Mapping[Expr, tuple[Plate, ...]]
) -> Expr:
    args = tuple(env[arg] for arg in expr.args)
    if expr in sizes:
        return CARRY.build(graph, args, {**expr.attrs, "plates": ordered(sizes[expr])})
    if not isinstance(expr, StochasticNode) or all(map(operator.is_, args, expr.args)):
        return rebuilt(expr, env)
    every = ordered((*expr.plates, *(plate for arg in args for plate in arg.plates)))
    node = intern(graph, expr.op, args, expr.attrs, (expr.shape, every, expr.kind))
    graph.homes[node] = graph.homes.get(expr, frozenset())
    return node


def _redeclare(graph: Any, names: list[str], now: Callable[[Expr], Expr]) -> None:
    for name in names:
        node, role = graph.roles[name]
        if role in ("parameter", "data") or now(node) is node:
            continue
        graph.roles[name] = now(node), role
        kept = {"stochastic": graph.stochastic, "deterministic": graph.deterministics}
        kept.get(role, graph.costs)[name] = now(node)
        if node in graph.names:
            graph.names[now(node)] = graph.names.pop(node)
        if name in graph.observations:
            seen = graph.observations[name]
            dist = type(seen.dist).rebuild(
                tuple(now(v) if isinstance(v, Expr) else v for v in seen.dist.parameters.values()),
                seen.dist.static,
            )
            there = None if seen.mask is None else now(seen.mask)
            graph.observations[name] = type(seen)(dist, now(seen.value), there)
