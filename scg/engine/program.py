"""A program: named outputs over leaves, run in blocks of independent runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scg.engine.interpreter import Interpreter, Sizes, full
from scg.engine.noise import normal, uniform
from scg.expr import Expr, Plate, topological
from scg.passes.lift import lift

#: Elements of all intermediate arrays of one block of runs.
BLOCK_ELEMENTS = 1 << 23
RUNS = Plate.internal("runs", None, rank=0)


@dataclass
class Program:
    """Deterministic expressions of parameters, data, state and noise.

    Attributes
    ----------
    outputs : dict
        Expressions by key.
    dtype : numpy dtype
        Type of all floats.
    """

    outputs: dict[Any, Expr]
    dtype: Any = np.float64
    _engines: dict[Any, Interpreter] = field(default_factory=dict, repr=False)

    @property
    def operations(self) -> list[Expr]:
        """Every operation in the order of evaluation; leaves and constants are not counted."""
        return [expr for expr in topological(self.outputs.values()) if expr.args]

    @property
    def leaves(self) -> list[Expr]:
        """All leaves but constants and plate sizes."""
        every = topological(self.outputs.values())
        skip = ("plate_size",)
        return [e for e in every if not e.args and e.value is None and e.op.name not in skip]

    @property
    def noise(self) -> dict[str, Expr]:
        """The noise leaves by name."""
        return {e.attrs["name"]: e for e in self.leaves if e.op.name == "noise"}

    def __len__(self) -> int:
        return len(self.operations)

    def __str__(self) -> str:
        number: dict[Expr, str] = {}
        lines = []
        for i, expr in enumerate(topological(self.outputs.values())):
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
        lines += [f"{key} -> {number[expr]}" for key, expr in self.outputs.items()]
        return "\n".join(lines)

    # --- running ----------------------------------------------------------------------------------
    def engine(
        self, plate: Plate | None = None, kinds: tuple[str, ...] = ("noise",)
    ) -> Interpreter:
        """Return the interpreter, lifted over `plate` in the leaves of these kinds."""
        key = (plate, kinds)
        if key not in self._engines:
            lifted: Mapping[Any, Expr] = self.outputs
            if plate is not None:
                lifted = lift(self.outputs, plate, lambda leaf: leaf.op.name in kinds)
            self._engines[key] = Interpreter(lifted, self.dtype)
        return self._engines[key]

    def draw_noise(self, seed: Any, runs: range, sizes: Sizes) -> dict[str, np.ndarray]:
        """Draw every noise leaf for a range of runs; the leading axis is the runs."""
        laws = {"uniform": uniform, "normal": normal}
        return {
            name: laws[leaf.attrs["law"]](seed, name, runs, full(leaf, sizes), self.dtype)
            for name, leaf in self.noise.items()
        }

    def blocks(self, runs: int, sizes: Sizes) -> Iterator[range]:
        """Split runs into ranges of bounded memory."""
        each = sum(int(np.prod(full(expr, sizes), dtype=float)) for expr in self.operations)
        length = max(1, BLOCK_ELEMENTS // max(each, 1))
        for start in range(0, runs, length):
            yield range(start, min(start + length, runs))

    def run(
        self, values: Mapping[str, Any], noise: Mapping[str, np.ndarray] | None, sizes: Sizes
    ) -> dict[Any, Any]:
        """Run once for given leaves.

        Parameters
        ----------
        values : mapping
            Parameters, data and state by name.
        noise : mapping or None
            Noise by leaf name, with a leading axis of runs; outputs that depend on noise then
            have that axis, too. None where the program has no noise leaf.
        sizes : mapping
            Elements of each plate.
        """
        runs = next((len(array) for array in (noise or {}).values()), 1)
        if noise and runs == 1:
            engine = self.engine()
            single = {name: array[0] for name, array in noise.items()}
            out = engine.run(_by_name(engine, values, single), sizes)
            return {key: np.asarray(value)[None] for key, value in out.items()}
        engine = self.engine(RUNS if noise else None)
        out = engine.run(_by_name(engine, values, noise or {}), {**sizes, RUNS: runs})
        shapes = {key: self.outputs[key] for key in out}
        return {
            key: np.broadcast_to(value, (runs, *full(shapes[key], sizes)))
            for key, value in out.items()
        }


def _by_name(
    engine: Interpreter, values: Mapping[str, Any], noise: Mapping[str, Any]
) -> dict[Expr, Any]:
    return {
        leaf: (noise if leaf.op.name == "noise" else values)[leaf.attrs["name"]]
        for leaf in engine.leaves
        if leaf.op.name != "plate_size"
    }
