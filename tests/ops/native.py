"""All rows of the tables of ops as one program, and the comparison of the two backends on it."""

import numpy as np

import scg
from scg.compiler.differentiate import gradients
from scg.compiler.simplify import simplify
from scg.engine.interpreter import Interpreter
from scg.engine.walk.executable import Executable
from scg.ir.plate import Plate
from scg.ir.walk import topological
from scg.schedule.entries import Fallback
from scg.schedule.fuse import fuse
from scg.schedule.lower import lower

from . import test_breadth_arrays, test_breadth_elementwise, vocabulary

P, Q = Plate("p"), Plate("q")
SIZES = {P: 3, Q: 2}
#: Plates of the first, second and third argument.
ALONE, MIXED = ((P,),) * 3, ((P,), (Q, P), ())
ROWS = {row.name: (row.fn, row.args) for row in vocabulary.ROWS}
for table in (test_breadth_arrays.ROWS, test_breadth_elementwise.ROWS):
    for name, (function, args, *_) in table.items():
        ROWS[f"{name} too" if name in ROWS else name] = (function, args)


def program(plates):
    """Values and derivatives of all rows, and values of their leaves, which rows share."""
    graph, rng = scg.Graph("rows"), np.random.default_rng(0)
    nodes, outputs, values = {}, {}, {}

    def node(arg, own):
        arg = np.asarray(arg)
        key = (arg.tobytes(), arg.shape, arg.dtype.kind, own)
        if key not in nodes:
            kind = "float" if arg.dtype.kind == "f" else "int"
            nodes[key] = graph.data(f"x{len(nodes)}", arg.shape, plates=own, kind=kind)
            many = np.broadcast_to(arg, (*(SIZES[p] for p in nodes[key].plates), *arg.shape))
            noise = rng.random(many.shape)
            values[nodes[key]] = many * (1 - 0.05 * noise) if kind == "float" else many
        return nodes[key]

    for name, (function, args) in ROWS.items():
        own = [node(arg, on) for arg, on in zip(args, plates, strict=False)]
        value = outputs[name, "value"] = function(*own)
        wrt = list({x: 0 for x in own if x.kind == "float"})
        if value.kind == "float" and wrt:
            weights = np.linspace(0.5, 1.5, value.size).reshape(value.shape)
            for i, slope in enumerate(gradients((value * weights).sum(), wrt)):
                outputs[name, i] = slope
    return dict(zip(outputs, simplify(list(outputs.values())), strict=True)), values


def in_python(outputs):
    """Names of the ops that no kernel computes."""
    entries = fuse(*lower(outputs))
    return [entry.expr.op.name for entry in entries if isinstance(entry, Fallback)]


def novel(outputs, count=lambda name: True):
    """Those outputs that have an op, on arguments of some kinds, which no output before has."""
    seen, kept = set(), {}
    for key, output in outputs.items():
        (lowered,) = lower({key: output})[0].values()
        own = {
            (expr.op.name, *(arg.kind for arg in expr.args))
            for expr in topological((lowered,))
            if expr.args and count(expr.op.name)
        }
        if not own <= seen:
            kept[key] = output
            seen |= own
    return kept


def compare(outputs, values, dtype, sizes, rtol):
    """Run on both backends; small entries are held to the largest."""
    engine, oracle = Executable(outputs, dtype), Interpreter(outputs, dtype)
    assert engine.schedule.fallbacks == []
    given = {x: v.astype(dtype) if x.kind == "float" else v for x, v in values.items()}
    found, expected = engine.run(given, sizes), oracle.run(given, sizes)
    for key, value in expected.items():
        scale = np.max(np.abs(value[np.isfinite(value)]), initial=0.0)
        np.testing.assert_allclose(
            found[key], value, rtol=rtol, atol=rtol * scale, err_msg=str(key)
        )
        assert found[key].dtype == value.dtype, key
