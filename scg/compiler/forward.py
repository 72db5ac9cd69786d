"""Forward: loops that take along what a carry owes to the parameters; see :class:`Forward`.

The carry before each step is put in place of the loop's as a value without derivative, grafted to a
function of the parameters with the derivative that was taken along. Backpropagation through
everything outside of the loop - costs, scores and their sums, baselines - then gives the gradient.
Inside of the loop derivatives come from VJPs alone: a VJP is linear in its cotangent, and its own
VJP there is the JVP.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np

from scg.common.lazy import cached_property
from scg.compiler.continuation import Continuation
from scg.compiler.recur import Passage
from scg.errors import EstimatorError
from scg.estimators.forward import Forward
from scg.graph.carry import Scan
from scg.ir.expr import Expr, describe
from scg.ir.op import NOISE, constant, intern
from scg.ir.plate import Plate, Plates, ordered
from scg.ir.walk import rewrite, topological
from scg.ops.border import Exprs, place
from scg.ops.elementwise import where
from scg.ops.gradient import graft, stop
from scg.ops.linalg import contract
from scg.ops.pullback import pullback
from scg.ops.recurrence import Recurrence
from scg.ops.reductions import expand, plate_mean, zeros
from scg.ops.shape import concatenate, part, reshape


class ForwardPassage(Passage):
    """Loops that take the influence of parameters along."""

    stacks = False

    def __init__(
        self, how: Forward, learned: Iterable[Expr], continuation: Continuation | None = None
    ):
        super().__init__(continuation=continuation, ends=True)
        self.how, self.learned = how, tuple(learned)

    def run(
        self, made: Scan, loop: Recurrence, roots: Sequence[Expr]
    ) -> tuple[list[Expr], Sequence[Expr]]:
        """The carries before each step, whose derivatives are those taken along; and after."""
        numbers, theta = _moving(loop, self.learned)
        if not numbers:
            return super().run(made, loop, roots)
        leaves, init, new = ([group[i] for i in numbers] for group in loop[:3])
        plates = ordered(p for leaf in leaves for p in leaf.plates)
        begin = _without(plates, made.plate)
        at_first = NodeSlopes(made.name, init, [], theta, begin)
        step = NodeSlopes(made.name, new, leaves, theta, plates)
        shapes = self.how.shapes(step.size, sum(p.size for p in theta))
        if _depends(init, theta):
            first = self.how.first(at_first)
        else:
            first = tuple(_zeros(made, shape) for shape in shapes)
        first = tuple(expand(x, begin, x.shape) for x in first)
        taken = tuple(place(x.graph, x, plates) for x in first)
        later = tuple(expand(x, plates, x.shape) for x in self.how.next(taken, step))
        longer = loop._replace(
            leaves=(*loop.leaves, *taken), init=(*loop.init, *first), new=(*loop.new, *later)
        )
        cut, count = len(loop.leaves), len(longer.leaves)
        stacked, last = super().run(made, longer, [*longer.leaves, *roots[cut:]])
        pairs = [(list(values[:cut]), tuple(values[cut:count])) for values in (stacked, last)]
        before, after = (self._grafted(*pair, numbers, theta) for pair in pairs)
        return [*before, *stacked[count:]], after

    def _grafted(
        self, found: list[Expr], taken: Exprs, numbers: list[int], theta: Exprs
    ) -> list[Expr]:
        """Carries whose derivatives in the parameters are what was taken along beside them."""
        taken = tuple(map(stop, taken))
        slopes = parted(self.how.toward(taken, joined(theta)), [found[i] for i in numbers])
        found = list(map(stop, found))
        for i, slope in zip(numbers, slopes, strict=True):
            others = tuple(p for p in slope.plates if p not in found[i].plates)
            found[i] = graft(found[i], plate_mean(slope, others))
        return found


def past_scores(window: Continuation, name: str, total: Expr, learned: Iterable[Expr]) -> Expr:
    """Zero, with the derivative of a node's log-probabilities in the windows before.

    `total` is their sum in this window, for each element of plates that credit keeps apart.
    """
    theta = tuple(p for p in learned if _depends([total], (p,)))
    if not theta:
        return zeros(total)
    slopes = NodeSlopes(name, [total], [], theta, total.plates)
    one = expand(constant(total.graph, 1.0), (), (1,))
    now = slopes.back(one)
    before = window.over(name, zeros(now))
    window.end(name, before + stop(now))
    return graft(zeros(total), stop(before) @ joined(theta))


class NodeSlopes:
    """Derivatives of new carries in the carries before and in parameters.

    Each element of `plates` has its own copy of what is differentiated, so that no element's
    derivative is added to that of another.
    """

    def __init__(
        self, scan: str, new: list[Expr], leaves: list[Expr], theta: Exprs, plates: Plates
    ):
        self.scan, self.new, self.leaves, self.theta = scan, new, leaves, theta
        self.plates, self.graph = plates, new[0].graph
        self.size = sum(x.size for x in new)

    def signs(self) -> Expr:
        """Independent signs, one for each number of the carry."""
        name = f"{self.scan}#signs" if self.leaves else f"{self.scan}#signs at first"
        attrs = {"name": name, "law": "uniform"}
        u = intern(self.graph, NOISE, (), attrs, ((self.size,), self.plates, "float"))
        return where(u < 0.5, -1.0, 1.0)

    def back(self, cotangent: Expr) -> Expr:
        """How a cotangent changes with the parameters."""
        _, direct = self._pulled(parted(cotangent, self.new), ())
        return joined(direct)

    def along(self, tangent: Expr) -> Expr:
        """How the new carries change along a tangent: the VJP of a VJP in its cotangent."""
        copies, lower = self._copies(())
        duals = [place(x.graph, x, self.plates) for x in copies]
        wanted = [lower.copy_of[x] for x in self.leaves]
        back = pullback(_summed(copies, duals), wanted)
        tangents = parted(tangent, self.leaves)
        pairs = [(back[x], s) for x, s in zip(wanted, tangents, strict=True) if x in back]
        found = pullback(_summed(*zip(*pairs, strict=True)), duals) if pairs else {}
        return joined(lower([found[u] if u in found else zeros(u) for u in duals]))

    def whole(self) -> tuple[Expr, Expr]:
        """All derivatives, by a row for each number of the carry."""
        unit = constant(self.graph, np.eye(self.size), (self._row,))
        carries, direct = self._pulled(parted(unit, self.new), (self._row,))

        def rows(parts: Sequence[Expr]) -> Expr:
            return joined([self._rows(x, unit) for x in parts], self.size)

        return rows(carries) if carries else zeros(unit), rows(direct)

    def _rows(self, expr: Expr, unit: Expr) -> Expr:
        """An expression at each row, with the rows as its first axis.

        The product with a unit matrix that this takes is as large as J G, so that it comes before
        other products: the slopes of a weight are those of what it makes, times its input.
        """
        on = [self._row in arg.plates for arg in expr.args]
        if expr.op is contract and sum(on) == 1 and self._row in expr.plates:
            labels, args = [expr.attrs["left"], expr.attrs["right"]], [*expr.args]
            k = on.index(True)
            new = 1 + max((*labels[0], *labels[1]), default=0)
            args[k], labels[k] = self._rows(args[k], unit), (new, *labels[k])
            out, over = (new, *expr.attrs["out"]), expr.attrs["over"]
            return contract(*args, left=labels[0], right=labels[1], out=out, over=over)
        flat = reshape(expand(expr, (self._row,), expr.shape), shape=(expr.size,))
        rows = contract(unit, flat, left=(0,), right=(1,), out=(0, 1), over=(self._row,))
        return reshape(rows, shape=(self.size, *expr.shape))

    @cached_property
    def _row(self) -> Plate:
        return Plate.internal(f"rows of {self.scan}", self.size, rank=1)

    def _pulled(self, seeds: list[Expr], more: Plates) -> tuple[list[Expr], list[Expr]]:
        """Cotangents of carries and of parameters, from those of the new carries."""
        copies, lower = self._copies(more)
        seeds = [expand(g, x.plates, x.shape) for g, x in zip(seeds, copies, strict=True)]
        wanted = [lower.copy_of[x] for x in (*self.leaves, *self.theta)]
        found = pullback(_summed(copies, seeds), wanted)
        every = lower([found[x] if x in found else zeros(x) for x in wanted])
        return every[: len(self.leaves)], every[len(self.leaves) :]

    def _copies(self, more: Plates) -> tuple[list[Expr], _Lower]:
        """The new carries of copies, one for each element; and the way back."""
        plates = ordered((*self.plates, *more))
        originals = (*self.leaves, *self.theta)
        env = {x: place(x.graph, x, plates) for x in originals}
        lower = _Lower(dict(env))
        for expr in _active(self.new, originals):
            self._check(expr)
            for arg in expr.args:
                env.setdefault(arg, arg)
            rewrite((expr,), env)
        return [expand(env.get(x, x), plates, x.shape) for x in self.new], lower

    def _check(self, expr: Expr) -> None:
        """Raise if an expression on the way to the carry joins elements of the plates."""
        along = expr.attrs.get("along") if expr.op.loop is not None else None
        for plate in self.plates:
            lost = any(plate in arg.plates for arg in expr.args) and plate not in expr.plates
            if lost or along is plate:
                raise EstimatorError(
                    f"scan {self.scan!r}: {describe(expr)}, on which the next carry depends, joins "
                    f"elements of plate {plate.name!r}; scg.RTRL and scg.UORO take the derivative "
                    "of each element along. Leave truncate= out, or write scg.ARTBP(mean=…)"
                )


class _Lower:
    """Puts the originals in the place of copies."""

    def __init__(self, copy_of: dict[Expr, Expr]):
        self.copy_of = copy_of

    def __call__(self, exprs: Sequence[Expr]) -> list[Expr]:
        env = {copy: x for x, copy in self.copy_of.items()}
        rewrite(topological(exprs, known=env), env)
        return [env[x] for x in exprs]


def _moving(loop: Recurrence, learned: Exprs) -> tuple[list[int], Exprs]:
    """The numbers of the carries that depend on parameters, and these parameters."""
    moving: list[int] = []
    while True:
        sources = (*learned, *(loop.leaves[i] for i in moving))
        pairs = list(zip(loop.init, loop.new, strict=True))
        now = [i for i, both in enumerate(pairs) if _depends(both, sources)]
        if now == moving:
            break
        moving = now
    ends = [x for i in moving for x in pairs[i]]
    return moving, tuple(p for p in learned if _depends(ends, (p,)))


def _depends(exprs: Sequence[Expr], sources: Iterable[Expr]) -> bool:
    """Whether some expressions have a derivative in one of others."""
    found = {*sources}
    found.update(_active(exprs, found))
    return any(x in found for x in exprs)


def _active(exprs: Sequence[Expr], sources: Iterable[Expr]) -> list[Expr]:
    """What lies on a path of derivatives from sources to some expressions, in order."""
    found, live, stack = {*sources}, set[Expr](), list(exprs)
    while stack:
        expr = stack.pop()
        if expr not in live and expr not in found:
            live.add(expr)
            stack += () if expr.op is stop else expr.args
    on_paths: list[Expr] = []
    for expr in topological(exprs, known=found):
        if expr in live and expr.kind == "float" and expr.op is not stop:
            if any(x in found for x in expr.args):
                found.add(expr)
                on_paths.append(expr)
    return on_paths


def joined(exprs: Sequence[Expr], rows: int | None = None) -> Expr:
    """One vector of all elements of some expressions; or one for each row, their first axis."""
    flat = [reshape(x, shape=(rows, x.size // rows) if rows else (x.size,)) for x in exprs]
    if len(flat) == 1:
        return flat[0]
    plates = ordered(p for x in flat for p in x.plates)
    return concatenate(*(expand(x, plates, x.shape) for x in flat), axis=-1)


def parted(vector: Expr, likes: Sequence[Expr]) -> list[Expr]:
    """A vector in parts of the shapes of some expressions."""
    ends = list(itertools.accumulate((x.size for x in likes), initial=0))
    return [
        reshape(part(vector, start, end), shape=x.shape)
        for x, (start, end) in zip(likes, itertools.pairwise(ends), strict=True)
    ]


def _summed(exprs: Sequence[Expr], cotangents: Sequence[Expr]) -> dict[Expr, Expr]:
    """Cotangents by expression; equal expressions have the sum."""
    found: dict[Expr, Expr] = {}
    for x, g in zip(exprs, cotangents, strict=True):
        found[x] = found[x] + g if x in found else g
    return found


def _without(plates: Plates, over: Plate) -> Plates:
    return tuple(p for p in plates if p is not over)


def _zeros(made: Scan, shape: tuple[int, ...]) -> Expr:
    return expand(constant(made.news[0].graph, 0.0), (), shape)
