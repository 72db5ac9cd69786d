"""The operations of a program in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scg.ir.expr import Expr
from scg.ir.walk import topological


def listing(outputs: Mapping[Any, Expr]) -> str:
    """Expressions in the order of evaluation, one a line, and then the outputs."""
    number: dict[Expr, str] = {}
    lines = []
    for i, expr in enumerate(topological(outputs.values())):
        number[expr] = f"%{i}"
        what = ", ".join(number[arg] for arg in expr.args)
        if expr.value is not None:
            small = expr.value.size <= 4
            what = str(expr.value.tolist()) if small else f"array {expr.value.shape}"
        extra = "".join(
            f" {key}={value}" for key, value in expr.attrs.items() if value not in ((), None)
        )
        place = "".join(f"{plate.name}, " for plate in expr.plates)
        shape = f"[{place}{', '.join(map(str, expr.shape))}]".replace(", ]", "]")
        lines.append(f"{number[expr]:>6} = {expr.op.name}({what}){extra} : {expr.kind}{shape}")
    lines += [f"{key} -> {number[expr]}" for key, expr in outputs.items()]
    return "\n".join(lines)
