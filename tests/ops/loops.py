"""Random bodies of loops, and the same loops unrolled: the oracle of scans."""

from dataclasses import dataclass

import numpy as np

import scg
from scg.compiler.differentiate import gradients
from scg.engine.interpreter import Interpreter
from scg.ir.plate import Plate, ordered
from scg.ops.body import Body
from scg.ops.border import Border
from scg.ops.reductions import expand, plate_mean, plate_sum
from scg.ops.scan import place, scan

STEPS, BATCH, GROUP, LATE = (Plate(name) for name in ("t", "batch", "group", "late"))
SHAPES = ((), (3,), (2, 3))
SIZES = {BATCH: 2, GROUP: 3}


def closed(carry, steps, new, outputs=()):
    """A body of expressions that read others, too; and those, which are the loop's constants."""
    found = Border((*new, *outputs), {*carry, *steps}, lambda expr: True)
    constants = tuple(found.places.values())
    every = found.rewritten({*carry, *steps})
    cut = len(new)
    return Body(carry, steps, constants, every[:cut], every[cut:]), tuple(found.places)


@dataclass
class Example:
    """A cost of a scan with its derivatives, the same unrolled, and the values of both."""

    scanned: dict
    unrolled: dict
    values: dict
    sizes: dict
    over: Plate


def cell(rng, graph):
    """A random function from carries and slices to new carries and outputs; its constants."""
    matrix = graph.parameter("matrix", rng.normal(size=(3, 3)) * 0.5)
    bias = graph.parameter("bias", rng.normal(size=3) * 0.5)
    scale = graph.parameter("scale", 0.7)
    plan = rng.integers(0, 1000, size=64).tolist()

    def mixed(parts, shape, at):
        """An expression of a shape, of some parts."""
        total = 0.1
        for k, part in enumerate(parts):
            how = plan[(at + k) % 64]
            if part.shape == (2, 3) and how % 3 == 0:
                part = part @ matrix
            elif part.shape and part.shape[-1] == 3 and how % 3 == 1:
                part = part * bias + np.square(part) * 0.1
            elif part.shape == (3,) and how % 3 == 2:
                part = part @ matrix + bias
            if how % 7 == 0:
                part = np.where(part > 0.1, part, 0.3 * part)
            while part.ndim > len(shape):
                part = np.sum(part, axis=0) if how % 2 else np.max(part, axis=0)
            total = total + (np.tanh(part) if how % 4 else np.sin(part) * scale)
        return total + np.zeros(shape)

    def step(carry, slices):
        last = carry[-1]  # which has all plates from the first step on
        if last.plates and len(carry) > 1 and plan[0] % 2:
            carry = [*carry[:-1], last - plate_mean(last, last.plates[0]) * scale]
        new = [mixed([*carry, *slices], c.shape, 7 * i) for i, c in enumerate(carry)]
        outputs = [mixed([*new, *carry], (), 31), slices[0] * 2.0, carry[-1]]
        return new, outputs

    return step


def example(seed, length, order=1):
    """A random loop of some steps, as a scan and unrolled."""
    rng = np.random.default_rng(seed)
    reverse, steps = bool(seed % 2), LATE if seed % 4 > 1 else STEPS
    g = scg.Graph("loops")
    step = cell(rng, g)
    shapes = [SHAPES[i] for i in rng.integers(0, 3, size=1 + seed % 3)]
    over = [((), (BATCH,), (BATCH, GROUP))[i] for i in rng.integers(0, 3, size=2)]
    every = ordered((*over[0], *over[1]))
    init = [g.data(f"init{i}", shape=s, plates=every if i else ()) for i, s in enumerate(shapes)]
    kinds = [((3,), over[1]), ((), ()), ((2, 3), over[0])]
    xs = [g.data(f"x{i}", shape=s, plates=ordered((steps, *p))) for i, (s, p) in enumerate(kinds)]
    each = [
        [g.data(f"x{i} {t}", shape=s, plates=p) for i, (s, p) in enumerate(kinds)]
        for t in range(length)
    ]
    sizes = {**SIZES, steps: length}

    def drawn(node):
        return rng.normal(size=(*(sizes[p] for p in node.plates), *node.shape))

    values = {node.name: drawn(node) for node in (*init, *xs)}
    values |= g.init(seed=0)
    for i, x in enumerate(xs):
        at = x.plates.index(steps)
        for t in range(length):
            values[f"x{i} {t}"] = np.take(values[x.name], t, axis=at)

    every_slice = [x for row in each for x in row]
    # the scan; its placeholders get plates by themselves
    carry = [place(g, h) for h in init]
    slices = [place(g, x, tuple(p for p in x.plates if p is not steps)) for x in xs]
    new, outputs = step(carry, slices)
    body, constants = closed(tuple(carry), tuple(slices), tuple(new), tuple(outputs))
    last, stacked = scan(body, tuple(init), tuple(xs), constants, steps, reverse)
    # the same by hand
    state, rows = [expand(h, every, h.shape) for h in init], {}
    for t in range(length)[:: -1 if reverse else 1]:
        state, rows[t] = step(state, each[t])

    def total(expr):
        squares = np.sum(np.square(expr) * 0.3 + expr)
        return plate_sum(squares, squares.plates)

    cost = sum(map(total, (*last, *stacked)))
    flat = sum(map(total, state)) + sum(total(y) for row in rows.values() for y in row)
    leaves = [*(p.node for p in g.parameters.values()), *init]
    found = {"cost": (cost, flat)}
    slopes = gradients(cost, [*leaves, *xs]), gradients(flat, [*leaves, *every_slice])
    if order == 2:
        weights = [np.asarray(rng.normal(size=x.shape)) for x in leaves]
        directed = []
        for group in slopes:
            parts = [total(a * w) for a, w in zip(group, weights, strict=False)]
            directed.append(sum(parts))
        found["directed"] = tuple(directed)
        slopes = (
            gradients(directed[0], [*leaves, *xs]),
            gradients(directed[1], [*leaves, *every_slice]),
        )
    scanned = {key: pair[0] for key, pair in found.items()}
    unrolled = {key: pair[1] for key, pair in found.items()}
    names = [x.name for x in leaves]
    scanned |= dict(zip([*names, *(x.name for x in xs)], slopes[0], strict=True))
    unrolled |= dict(zip([*names, *(x.name for x in every_slice)], slopes[1], strict=True))
    return Example(scanned, unrolled, values, sizes, steps)


def compared(engine, example):
    """Names, results of the scan by an engine, and of the unrolled loop by the interpreter."""
    found = run(engine(example.scanned), example)
    expected = run(Interpreter(example.unrolled), example)
    for key, value in found.items():
        if key in expected:
            yield key, value, expected[key]
        else:
            at = example.scanned[key].plates.index(example.over)
            for t in range(example.sizes[example.over]):
                yield f"{key} {t}", np.take(value, t, axis=at), expected[f"{key} {t}"]


def run(engine, example):
    """Results of an engine on the values of an example."""
    named = {x: example.values[x.attrs["name"]] for x in engine.leaves if "name" in x.attrs}
    return engine.run(named, example.sizes)
