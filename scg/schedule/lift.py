"""Lift a program over a new leading plate, to compute it for many values of some leaves at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scg.ir.expr import Expr
from scg.ir.op import intern, plate_size
from scg.ir.plate import Plate, ordered
from scg.ir.walk import rewrite, topological
from scg.ops.elementwise import add, divide, multiply, negative, square, subtract
from scg.ops.linalg import contract
from scg.ops.reductions import REDUCTIONS
from scg.ops.shape import reshape

_sum = REDUCTIONS[0]


def lift(
    outputs: Mapping[object, Expr], plate: Plate, which: Callable[[Expr], bool]
) -> dict[object, Expr]:
    """Outputs in which the leaves that satisfy `which` are repeated on `plate`.

    An output that depends on no such leaf does not get the plate.
    """
    order = topological(outputs.values())
    env: dict[Expr, Expr] = {}
    for expr in order:
        if not expr.args and which(expr):
            plates = ordered((*expr.plates, plate))
            signature = (expr.shape, plates, expr.kind)
            env[expr] = intern(expr.graph, expr.op, (), expr.attrs, signature)
    rewrite(order, env)
    return {key: env[value] for key, value in outputs.items()}


def is_mean_alone(key: object) -> bool:
    """Whether the mean of an output over runs is wanted, and no spread: a Hessian is large."""
    return isinstance(key, tuple) and key[0] == "hessian"


def moments_over(outputs: Mapping[object, Expr], plate: Plate) -> dict[object, Expr]:
    """Means over a plate by key, and sums of squared deviations by ``("spread", key)``.

    An output that is not on the plate is its own mean, and has no spread.
    """
    moments: dict[object, Expr] = {}
    for key, value in outputs.items():
        value.graph.origin = value.origin
        moments[key] = value
        if plate in value.plates:
            if is_mean_alone(key):
                moments[key] = linear_mean(value, plate)
                continue
            moments[key] = mean = _mean(value, plate)
            deviation = square(value - mean)
            moments["spread", key] = _sum(deviation, axes=(), over=(plate,))
    return moments


def linear_mean(value: Expr, plate: Plate) -> Expr:
    """The mean over a plate, taken of the smallest parts that determine it.

    The mean of a sum is the sum of means, a factor without the plate stays outside, and the mean of
    an outer product is a product of matrices: the value itself is never made.
    """
    means: dict[Expr, Expr] = {}
    stack = [value]
    while stack:
        expr = stack[-1]
        parts = _parts(expr, plate)
        waiting = [part for part in parts if part not in means]
        if expr in means or not waiting:
            stack.pop()
            expr.graph.origin = expr.origin
            args = [means[arg] if arg in parts else arg for arg in expr.args]
            if parts:
                means[expr] = expr.op.build(expr.graph, tuple(args), expr.attrs)
            else:
                outer = _outer(expr, plate)
                means[expr] = _mean(expr, plate) if outer is None else outer
        else:
            stack += waiting
    return means[value]


def _parts(expr: Expr, plate: Plate) -> set[Expr]:
    """Arguments on the plate of which the mean alone is needed."""
    on = [arg for arg in expr.args if plate in arg.plates]
    linear = expr.op in (add, subtract, negative, reshape)
    scaled = expr.op is multiply or (expr.op is divide and plate not in expr.args[-1].plates)
    return {*on} if linear or (scaled and len(on) == 1) else set()


def _outer(expr: Expr, plate: Plate) -> Expr | None:
    """The mean of a product in which each factor lacks an axis or a plate of the other."""
    if expr.op is not multiply or expr.kind != "float":
        return None
    a, b = expr.args
    if any(arg.kind != "float" or plate not in arg.plates for arg in expr.args):
        return None
    whole = expr.shape
    labels = [_long(arg.shape, whole) for arg in expr.args]
    lacks = [
        len(own) + len(arg.plates) < len(labels[0] | labels[1]) + len(expr.plates)
        for own, arg in zip(labels, expr.args, strict=True)
    ]
    if not all(lacks):
        return None
    left, right = (tuple(sorted(own)) for own in labels)
    a, b = (reshape(x, shape=tuple(whole[i] for i in own)) for x, own in ((a, left), (b, right)))
    out = tuple(sorted({*left, *right}))
    product = contract(a, b, left=left, right=right, out=out, over=(plate,))
    product = reshape(product, shape=whole)
    return product / plate_size(expr.graph, plate)


def _long(shape: tuple[int, ...], whole: tuple[int, ...]) -> set[int]:
    """Positions of the axes of `whole` that a shape which broadcasts to it does not repeat."""
    first = len(whole) - len(shape)
    return {first + i for i, n in enumerate(shape) if n != 1}


def _mean(value: Expr, plate: Plate) -> Expr:
    return _sum(value, axes=(), over=(plate,)) / plate_size(value.graph, plate)
