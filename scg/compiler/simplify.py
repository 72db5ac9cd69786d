"""Simplify: local algebra on an expression graph; a comment states the law of each rule.

It runs after the last differentiation, and therefore erases stops and boxes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from scg.compiler import one_hot
from scg.graph.core import SAMPLE
from scg.ir.expr import Expr, Operation
from scg.ir.op import OPS, constant, plate_size
from scg.ir.walk import rebuilt, refilled, topological
from scg.ops.base import broadcast, is_constant
from scg.ops.elementwise import add, cast, divide, multiply, negative, square, subtract, where
from scg.ops.gradient import IDENTITIES, box
from scg.ops.linalg import contract
from scg.ops.powers import power, times_power
from scg.ops.reductions import expand, zeros
from scg.ops.shape import reshape

Rule = Callable[[Expr], "Expr | None"]
_FOLD_LIMIT = 4096


def _like(x: Expr, out: Expr) -> Expr | None:
    """Give `x` the plates, the shape and the kind of `out`, or None where it has no such kind."""
    if x.kind != out.kind:
        if out.kind != "float":
            return None
        x = cast(x)
    return expand(x, out.plates, out.shape)


def _negated(x: Expr, out: Expr) -> Expr | None:
    """Return `x` like `out` and with the other sign."""
    like = _like(x, out)
    return None if like is None else negative(like)


def _add(e: Expr) -> Expr | None:
    a, b = e.args
    if is_constant(a, 0):  # 0 + b -> b
        return _like(b, e)
    if is_constant(b, 0):  # a + 0 -> a
        return _like(a, e)
    if b.op is negative:  # a + (-b) -> a - b
        return subtract(a, b.args[0])
    if a.op is negative:  # (-a) + b -> b - a
        return subtract(b, a.args[0])
    return None


def _subtract(e: Expr) -> Expr | None:
    a, b = e.args
    if a is b:  # a - a -> 0
        return zeros(e)
    if is_constant(b, 0):  # a - 0 -> a
        return _like(a, e)
    if is_constant(a, 0):  # 0 - b -> -b
        return _negated(b, e)
    if b.op is negative:  # a - (-b) -> a + b
        return add(a, b.args[0])
    return None


def _multiply(e: Expr) -> Expr | None:
    a, b = e.args
    for x, y in ((a, b), (b, a)):
        if is_constant(x, 1):  # 1 * y -> y
            return _like(y, e)
        if is_constant(x, -1):  # -1 * y -> -y
            return _negated(y, e)
    if a.op is negative:  # (-a) * b -> -(a * b)
        return negative(multiply(a.args[0], b))
    if b.op is negative:  # a * (-b) -> -(a * b)
        return negative(multiply(a, b.args[0]))
    return None


def _divide(e: Expr) -> Expr | None:
    a, b = e.args
    if is_constant(b, 1) and a.kind == "float":  # a / 1 -> a
        return _like(a, e)
    if a.op is negative:  # (-a) / b -> -(a / b)
        return negative(divide(a.args[0], b))
    return None


def _power(e: Expr) -> Expr | None:
    a, b = e.args
    if is_constant(b, 0):  # a^0 -> 1
        return _like(constant(e.graph, 1.0), e)
    if is_constant(b, 1):  # a^1 -> a
        return _like(a, e)
    return _like(square(a), e) if is_constant(b, 2) else None  # a^2 -> a a


def _times_power(e: Expr) -> Expr | None:
    c, a, b = e.args
    known = c.value is not None and bool(np.all(c.value != 0))
    finite = b.value is not None and bool(np.all(b.value >= 0))
    return multiply(c, power(a, b)) if known or finite else None  # c a^b, not 0 · ∞


def _negative(e: Expr) -> Expr | None:
    (a,) = e.args
    if a.op is negative:  # -(-a) -> a
        return a.args[0]
    if a.op is subtract:  # -(a - b) -> b - a
        return subtract(a.args[1], a.args[0])
    return None


def _sum(e: Expr) -> Expr | None:
    (x,) = e.args
    if x.op is not broadcast or e.kind != "float":
        return one_hot.summed(e)
    # sum over what expand repeated -> count * x
    inner, axes = x.args[0], e.attrs["axes"]
    fresh = tuple(p for p in e.attrs["over"] if p not in inner.plates)
    kept = tuple(p for p in e.attrs["over"] if p in inner.plates)
    if not all(-a > inner.ndim or inner.shape[a] == 1 for a in axes) or not (axes or fresh):
        return None
    count: Expr | float = float(np.prod([x.shape[a] for a in axes], dtype=float))
    for plate in fresh:
        count = plate_size(e.graph, plate) * count
    rest = tuple(n for i, n in enumerate(inner.shape, -inner.ndim) if i not in axes)
    inner = reshape(inner, shape=rest)
    if kept:
        inner = e.op(inner, axes=(), over=kept)
    return _like(inner * count, e)


def _expand(e: Expr) -> Expr | None:
    (x,) = e.args
    if x.shape == e.shape and x.plates == e.plates:  # expand to what it is
        return x
    if x.op is broadcast:  # expand(expand(x)) -> expand(x)
        return expand(x.args[0], e.plates, e.shape)
    return None


def _reshape(e: Expr) -> Expr | None:
    (x,) = e.args
    if x.shape == e.shape:  # reshape to what it is
        return x
    if x.op is reshape:  # reshape(reshape(x)) -> reshape(x)
        return e.op(x.args[0], shape=e.shape)
    if x.op is broadcast and not x.args[0].shape:  # reshape(expand(scalar)) -> expand(scalar)
        return expand(x.args[0], e.plates, e.shape)
    return None


def _where(e: Expr) -> Expr | None:
    c, a, b = e.args
    if a is b or is_constant(c, True):  # where(c, a, a) -> a, where(true, a, b) -> a
        return _like(a, e)
    if is_constant(c, False):  # where(false, a, b) -> b
        return _like(b, e)
    if is_constant(a, 0) and is_constant(b, 0):
        return zeros(e)
    return None


def _identity(e: Expr) -> Expr | None:
    return _like(e.args[0], e)  # stop(x) -> x


def _box(e: Expr) -> Expr | None:
    return _like(constant(e.graph, 1.0), e)  # ⊠(ℓ) -> 1


RULES: dict[Operation, Rule] = {
    **dict.fromkeys(IDENTITIES, _identity),
    box: _box,
    add: _add,
    subtract: _subtract,
    multiply: _multiply,
    divide: _divide,
    negative: _negative,
    OPS["power"]: _power,
    times_power: _times_power,
    contract: one_hot.contracted,
    OPS["sum"]: _sum,
    broadcast: _expand,
    reshape: _reshape,
    where: _where,
}


def _step(e: Expr) -> Expr | None:
    if e.op.loop is not None:
        return e.op.loop.narrowed(refilled(e, simplify))
    if e.op.elementwise and broadcast in [arg.op for arg in e.args]:
        # op(expand(a), b) -> op(a, b) where broadcasting gives the same
        bare = tuple(a.args[0] if a.op is broadcast else a for a in e.args)
        lean = e.op.build(e.graph, bare, e.attrs)
        if lean.plates == e.plates and lean.shape == e.shape:
            return lean
        # op(expand(a)) -> expand(op(a)) where plates alone repeat a, or it is a scalar
        if lean.shape == e.shape or not any(a.plates or a.shape for a in bare):
            return _like(lean, e)
    if e.args and all(arg.value is not None and not arg.plates for arg in e.args):
        if not e.plates and e.op not in (broadcast, SAMPLE) and e.size <= _FOLD_LIMIT:
            with np.errstate(all="ignore"):
                attrs = {k: v for k, v in e.attrs.items() if k != "over"}
                value = e.op.numpy(*(arg.value for arg in e.args), **attrs)
                return constant(e.graph, np.asarray(value, e.kind))
    if any(is_constant(e.args[i], 0) for i in e.op.linear):  # f(0) -> 0
        return zeros(e)
    rule = RULES.get(e.op)
    return rule(e) if rule else None


def simplify(roots: Sequence[Expr], env: dict[Expr, Expr] | None = None) -> list[Expr]:
    """The expressions `roots` with the rules applied until none fits, for evaluation alone.

    `env` holds results that are known already, and is extended in place.
    """
    env = {} if env is None else env
    for expr in topological(roots, known=env):
        _simplify_one(expr, env)
    return [env[root] for root in roots]


def _simplify_one(expr: Expr, env: dict[Expr, Expr]) -> None:
    """Simplify one expression whose arguments are done."""
    trail = [expr]
    expr.graph.origin = expr.origin
    now = rebuilt(expr, env)
    while True:
        if now in env:
            now = env[now]
            break
        trail.append(now)
        new = _step(now)
        if new is None or new is now:
            break
        for inner in topological(new.args, known=env):  # a rule may build a small tree: finish it
            _simplify_one(inner, env)
        now = rebuilt(new, env)
    for one in trail:
        env[one] = now
