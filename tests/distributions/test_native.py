"""Every family in kernels alone, on the noise of the interpreter: draws, densities, gradients.

Those are compared that have an op of their own; ``benchmarks/agreement.py --tables`` compares all.
"""

import numpy as np
import pytest

import scg
from scg.compiler.differentiate import gradients
from scg.compiler.simplify import simplify
from tests.ops.native import compare, in_python, novel

from .law import Leaves
from .test_capabilities import LAWS

pytest.importorskip("numba")

P = scg.Plate("p")


def program(laws):
    """A draw and its log-density of every law, and their gradients in the parameters."""
    graph, outputs, values = scg.Graph("laws"), {}, {}
    for number, (name, (d, _)) in enumerate(laws.items()):
        own = {}
        for key, value in d.parameters.items():
            value = np.asarray(value)
            kind = "int" if value.dtype.kind == "i" else "float"
            own[key] = graph.data(f"p{len(values)}", value.shape, kind=kind)
            values[own[key]] = value
        law = type(d).rebuild(tuple(own.values()), d.static)
        noise = Tagged(graph, number)
        draw = outputs[name, "draw"] = law.sample(noise)
        values |= noise.values
        density = outputs[name, "log_prob"] = law.log_prob(draw)
        wrt = {key: node for key, node in own.items() if node.kind == "float"}
        for key, slope in zip(wrt, gradients(density, list(wrt.values())), strict=True):
            outputs[name, key] = slope
    return dict(zip(outputs, simplify(list(outputs.values())), strict=True)), values


class Tagged(Leaves):
    """Noise leaves of one law among many, and their values, for three elements of a plate."""

    def __init__(self, graph, number):
        super().__init__(graph)
        self.number, self.values = number, {}
        self.rng = np.random.default_rng(number)

    def _leaf(self, law, shape, tag):
        node = self.graph.data(f"{law} {tag} {self.number}".replace("/", " "), shape, plates=P)
        size = (3, *shape)
        self.values[node] = self.rng.random(size) if law == "u" else self.rng.normal(size=size)
        return node


def test_no_op_of_a_family_is_left_to_python():
    assert in_python(program(LAWS)[0]) == []


def test_families_agree():
    outputs, values = program(LAWS)
    compare(novel(outputs), values, "float64", {P: 3}, 1e-10)
