"""What an operation of a declaration may be applied to, and with which attributes.

A shape rule trusts what the functions of ``scg.ops`` hand to it. A text is not to be trusted: here
the number of arguments, their kinds, and every attribute are checked before an op is built.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from scg.errors import DeclarationError
from scg.ir.expr import Expr
from scg.ir.op import Op
from scg.ir.plate import Plate

#: Arguments that are positions and must be integers, by op.
_POSITIONS = {
    "gather": 1,
    "scatter": 1,
    "take_along_axis": 1,
    "scatter_along_axis": 1,
    "one_hot": 0,
}


def check_application(op: Op, args: tuple[Expr, ...], attrs: dict[str, Any]) -> None:
    """Raise unless an op can be applied to these arguments with these attributes.

    Raises
    ------
    DeclarationError
        If the arguments are too many or too few, an index is no integer, or an attribute is
        missing, unknown, or does not fit.
    """
    count = len(args) if callable(op.vjps) else len(op.vjps)
    if len(args) != count or not args:
        wanted = "1 argument" if count == 1 else f"{count or 'some'} arguments"
        raise DeclarationError(f"{op.name}: expected {wanted}, got {len(args)}")
    position = _POSITIONS.get(op.name)
    if position is not None and args[position].kind != "int":
        raise DeclarationError(f"{op.name}: expected integers, got {args[position]!r}")
    check = CHECKS.get(op.name)
    parameters = inspect.signature(check).parameters.values() if check else ()
    known = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    if set(attrs) != known:
        raise DeclarationError(
            f"{op.name}: expected the attributes {sorted(known)}, got {sorted(attrs)}"
        )
    if check is not None:
        check(*args, **attrs)


def _say(holds: bool, attribute: str, value: Any, expected: str) -> None:
    if not holds:
        raise DeclarationError(f"attribute {attribute!r}: expected {expected}, got {value!r:.60}")


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _integers(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_integer, value))


# --- attributes of one meaning --------------------------------------------------------------------
def _axis(x: Expr, axis: Any) -> None:
    expected = f"an axis from -{x.ndim} to -1"
    _say(_integer(axis) and -x.ndim <= axis < 0, "axis", axis, expected)


def _axes(x: Expr, axes: Any) -> None:
    holds = _integers(axes) and list(axes) == sorted(set(axes) & set(range(-x.ndim, 0)))
    _say(holds, "axes", axes, f"increasing axes from -{x.ndim} to -1")


def _over(over: Any, *args: Expr) -> None:
    on = {plate for arg in args for plate in arg.plates}
    holds = isinstance(over, tuple) and len(set(over)) == len(over) and set(over) <= on
    _say(holds, "over", over, "plates of the arguments")


def _shape(shape: Any, attribute: str = "shape") -> None:
    holds = _integers(shape) and all(n >= 0 for n in shape)
    _say(holds, attribute, shape, "a shape")


def _pair(pair: Any, attribute: str) -> None:
    holds = _integers(pair) and len(pair) == 2 and min(pair) > 0
    _say(holds, attribute, pair, "two positive integers")


def _rank(rank: Any, x: Expr, attribute: str = "rank") -> None:
    _say(_integer(rank) and rank == x.ndim, attribute, rank, f"{x.ndim}")


def _index(index: Any, shape: tuple[int, ...]) -> None:
    """One entry an axis: a position, or (start, stop, step) as ``slice.indices`` gives them."""

    def fits(entry: Any, n: int) -> bool:
        if _integer(entry):
            return 0 <= entry < n
        if not _integers(entry) or len(entry) != 3 or entry[2] == 0:
            return False
        start, stop, step = entry
        return (
            entry == (0, 0, 1) or slice(start, None if stop < 0 else stop, step).indices(n) == entry
        )

    holds = isinstance(index, tuple) and len(index) == len(shape)
    holds = holds and all(fits(entry, n) for entry, n in zip(index, shape, strict=True))
    _say(holds, "index", index, f"positions or (start, stop, step) in an event of shape {shape}")


def _taken(index: Any) -> tuple[int, ...]:
    return tuple(len(range(*entry)) for entry in index if not isinstance(entry, int))


# --- ops: arguments, then attributes by keyword ---------------------------------------------------
def _along(x: Expr, *rest: Expr, axis: Any) -> None:
    _axis(x, axis)


def _reduced(x: Expr, *, axes: Any, over: Any) -> None:
    _axes(x, axes)
    _over(over, x)


def _norm(x: Expr, *, axes: Any) -> None:
    _axes(x, axes)


def _ordered(least: int, most: int) -> Callable[..., None]:
    def check(*args: Expr, order: Any) -> None:
        _say(_integer(order) and least <= order <= most, "order", order, f"{least} to {most}")

    return check


def _two_orders(*args: Expr, order: Any) -> None:
    holds = _integers(order) and len(order) == 2 and min(order) >= 0 and 0 < sum(order) < 3
    _say(holds, "order", order, "two orders, whose sum is 1 or 2")


def _reshape(x: Expr, *, shape: Any) -> None:
    _shape(shape)


def _expand(x: Expr, *, plates: Any, shape: Any) -> None:
    _shape(shape)
    holds = isinstance(plates, tuple) and all(isinstance(plate, Plate) for plate in plates)
    _say(holds and len(set(plates)) == len(plates), "plates", plates, "plates")
    fits = len(shape) >= x.ndim and all(
        n in (1, m) for n, m in zip(x.shape[::-1], shape[::-1], strict=False)
    )
    _say(fits, "shape", shape, f"a shape to which {x.shape} is broadcast")


def _transpose(x: Expr, *, axes: Any) -> None:
    holds = _integers(axes) and sorted(axes) == list(range(-x.ndim, 0))
    _say(holds, "axes", axes, f"each axis from -{x.ndim} to -1 once")


def _slice(x: Expr, *, index: Any) -> None:
    _index(index, x.shape)


def _unslice(x: Expr, *, index: Any, shape: Any) -> None:
    _shape(shape)
    _index(index, shape)
    _say(_taken(index) == x.shape, "index", index, f"places for an event of shape {x.shape}")


def _gather(x: Expr, k: Expr, *, rank: Any, index_rank: Any) -> None:
    _rank(rank, x)
    _say(x.ndim > 0, "rank", rank, "an argument with an axis to index")
    _rank(index_rank, k, "index_rank")


def _scatter(g: Expr, k: Expr, *, length: Any, rank: Any, index_rank: Any, over: Any) -> None:
    _say(_integer(length) and length > 0, "length", length, "a positive integer")
    _rank(index_rank, k, "index_rank")
    holds = _integer(rank) and rank == g.ndim - k.ndim + 1 and g.shape[: k.ndim] == k.shape
    _say(holds, "rank", rank, "the rank of what was indexed")
    _over(over, g, k)


def _scatter_along(g: Expr, k: Expr, *, axis: Any, length: Any) -> None:
    _axis(g, axis)
    _say(_integer(length) and length > 0, "length", length, "a positive integer")
    _say(g.shape == k.shape, "axis", axis, f"an index of shape {g.shape}")


def _one_hot(k: Expr, *, depth: Any) -> None:
    _say(_integer(depth) and depth > 0, "depth", depth, "a positive integer")


def _cumsum(x: Expr, *, axis: Any, reverse: Any) -> None:
    _axis(x, axis)
    _say(isinstance(reverse, bool), "reverse", reverse, "true or false")


def _contract(a: Expr, b: Expr, *, left: Any, right: Any, out: Any, over: Any) -> None:
    for attribute, labels, ndim in (("left", left, a.ndim), ("right", right, b.ndim)):
        holds = _integers(labels) and len(labels) == ndim and len(set(labels)) == ndim
        _say(holds, attribute, labels, f"{ndim} different labels")
    # An axis summed in one argument only has no VJP.
    holds = _integers(out) and len(set(out)) == len(out) and set(out) >= {*left} ^ {*right}
    _say(holds and set(out) <= {*left, *right}, "out", out, "labels of the arguments")
    _over(over, a, b)


def _windows(x: Expr, *, size: Any, stride: Any) -> None:
    _pair(size, "size")
    _pair(stride, "stride")


def _fold(g: Expr, *, shape: Any, stride: Any) -> None:
    _pair(shape, "shape")
    _pair(stride, "stride")
    counts = [(n - k) // s + 1 for n, k, s in zip(shape, g.shape[-2:], stride, strict=True)]
    holds = g.ndim >= 4 and list(g.shape[-4:-2]) == counts
    _say(holds, "shape", shape, f"an image whose windows have the shape {g.shape}")


def _solve(a: Expr, b: Expr) -> None:
    _say(a.ndim == b.ndim, "arguments", (a.shape, b.shape), "matrices with equally many axes")


def _solve_triangular(a: Expr, b: Expr, *, lower: Any, transposed: Any) -> None:
    _solve(a, b)
    _say(isinstance(lower, bool), "lower", lower, "true or false")
    _say(isinstance(transposed, bool), "transposed", transposed, "true or false")


def _vectors(x: Expr, a: Expr) -> None:
    holds = 0 < x.ndim == a.ndim and x.shape[-1] == a.shape[-1]
    _say(holds, "arguments", (x.shape, a.shape), "two events of one rank, classes last")


def _of_logits(*args: Expr, logit: Any) -> None:
    _say(isinstance(logit, bool), "logit", logit, "true or false")


def _of_trials(*args: Expr, n: Any) -> None:
    _say(_integer(n) and n >= 0, "n", n, "a number of trials")


def _of_sets(*args: Expr, closed: Any) -> None:
    _say(isinstance(closed, bool), "closed", closed, "true or false")


def _of_reciprocals(*args: Expr, reciprocal: Any) -> None:
    _say(isinstance(reciprocal, bool), "reciprocal", reciprocal, "true or false")


def _mark(x: Expr, *, label: Any) -> None:
    _say(isinstance(label, str), "label", label, "a string")


CHECKS: dict[str, Callable[..., None]] = {
    **dict.fromkeys(("take_along_axis", "sort", "argsort", "concatenate"), _along),
    **dict.fromkeys(("sum", "max", "shift", "logsumexp"), _reduced),
    **dict.fromkeys(("polygamma", "stirling"), _ordered(0, 8)),
    **dict.fromkeys(
        ("gammainc_da", "log_i0e", "von_mises_cdf", "von_mises_variance"), _ordered(0, 3)
    ),
    "gamma_implicit": _ordered(1, 3),
    "beta_implicit": _two_orders,
    "norm": _norm,
    "reshape": _reshape,
    "expand": _expand,
    "transpose": _transpose,
    "slice": _slice,
    "unslice": _unslice,
    "gather": _gather,
    "scatter": _scatter,
    "scatter_along_axis": _scatter_along,
    "one_hot": _one_hot,
    "cumsum": _cumsum,
    "contract": _contract,
    "windows": _windows,
    "fold": _fold,
    "solve": _solve,
    "solve_triangular": _solve_triangular,
    "mark": _mark,
    "within": _of_sets,
    "binomial_probability": _of_trials,
    **dict.fromkeys(("beta_core", "beta_slope", "log_over_mean", "log_rest_over_mean"), _of_logits),
    **dict.fromkeys(("log_over_gamma_mean", "gamma_core", "gamma_slope"), _of_reciprocals),
    **dict.fromkeys(("log_over_means", "dirichlet_core"), _vectors),
}
