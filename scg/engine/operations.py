"""The operations of a program in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scg.ir.expr import Expr
from scg.ir.walk import together, topological
from scg.schedule.steps import Steps


def listing(outputs: Mapping[Any, Expr]) -> str:
    """Expressions in the order of evaluation, one per line, and then the outputs.

    Below the results of a loop stands what it computes in a step.
    """
    return "\n".join(_lines(outputs))


def _lines(outputs: Mapping[Any, Expr]) -> list[str]:
    number: dict[Expr, str] = {}
    lines = []
    for results in together(topological(outputs.values())):
        for expr in results:
            number[expr] = f"%{len(number)}"
            lines.append(f"{number[expr]:>6} = {_operation(expr, number)}")
        if results[0].op.loop is not None:
            lines += [f"        | {line}" for line in _lines(Steps(results).outputs)]
    return lines + [f"{key} -> {number[expr]}" for key, expr in outputs.items()]


def _operation(expr: Expr, number: Mapping[Expr, str]) -> str:
    what = ", ".join(number[arg] for arg in expr.args)
    if expr.value is not None:
        small = expr.value.size <= 4
        what = str(expr.value.tolist()) if small else f"array {expr.value.shape}"
    extra = "".join(
        f" {key}={value}" for key, value in expr.attrs.items() if value not in ((), None)
    )
    place = "".join(f"{plate.name}, " for plate in expr.plates)
    shape = f"[{place}{', '.join(map(str, expr.shape))}]".replace(", ]", "]")
    return f"{expr.op.name}({what}){extra} : {expr.kind}{shape}"
