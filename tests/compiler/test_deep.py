"""Nothing recurses on the depth of a graph, and nothing walks every path of it."""

import gc
import subprocess
import sys
import time
import weakref

import numpy as np
import pytest

import scg
from scg.compiler.analyse import Influence
from scg.compiler.differentiate import erase, gradients
from scg.ir.walk import topological
from scg.run.finish import finish

DEPTH = 20_000


@pytest.fixture(scope="module")
def chain():
    """20 000 ops one above the other; a tenth of them fall to a rule of simplify."""
    g = scg.Graph("deep")
    x = g.parameter("x", 0.3)
    y = x
    for i in range(DEPTH // 4):
        y = np.tanh(y) * 0.999
        y = y + (0.0 if i % 2 else 0.001)
        y = -y
    return g, x, y


def test_every_pass_on_a_deep_chain(chain):
    _, x, y = chain
    assert sys.getrecursionlimit() < DEPTH
    order = topological((y,))
    assert len([expr for expr in order if expr.args]) == DEPTH
    (slope,) = gradients(y, [x])
    assert erase([scg.stop_gradient(y)])[y] is y
    program = finish({"y": y, "slope": slope})
    assert len(program) < 0.9 * len(topological([y, slope]))
    out = program.run({"x": np.array(0.3)}, None, {})
    value, expected = 0.3, 1.0
    for i in range(DEPTH // 4):
        t = np.tanh(value)
        value = -(t * 0.999 + (0.0 if i % 2 else 0.001))
        expected *= -0.999 * (1 - t**2)
    np.testing.assert_allclose(out["y"][0], value, rtol=1e-10)
    np.testing.assert_allclose(out["slope"][0], expected, rtol=1e-9)
    assert str(program).count("\n") > DEPTH / 2


def test_time_is_linear_in_depth():
    def seconds(depth):
        g = scg.Graph("linear")
        x = g.parameter("x", 0.3)
        y = x
        for _ in range(depth):
            y = 1.0 * np.tanh(-y)
        start = time.process_time()
        finish(dict(enumerate(gradients(y, [x]))))
        return time.process_time() - start

    small = min(seconds(250) for _ in range(3))
    assert min(seconds(2000) for _ in range(2)) < 8 * 4 * small + 0.05


def test_a_graph_of_many_paths_is_walked_once():
    """y + y, 2000 times: 2^2000 paths."""
    g = scg.Graph("paths")
    x = g.parameter("x", 1.0)
    y = x
    for _ in range(2000):
        y = (y + y) * 0.5
    g.cost("loss", y)
    (slope,) = gradients(y, [x])
    out = finish({"y": y, "slope": slope}).run({"x": np.array(1.0)}, None, {})
    assert out["y"][0] == out["slope"][0] == 1.0
    assert Influence(g).ancestors[y] == ()


def test_a_deep_graph_dies_with_its_last_name():
    g = scg.Graph("dies")
    y = g.parameter("x", 0.3)
    for _ in range(DEPTH):
        y = np.exp(y)
    alive = weakref.ref(y)
    del y, g
    gc.collect()
    assert alive() is None


def test_nodes_outlive_nothing_at_exit():
    """Neither the collector nor the interpreter's exit recurses: no crash in a fresh process."""
    code = (
        "import numpy as np, scg\n"
        "g = scg.Graph('exit'); y = g.parameter('x', 0.3)\n"
        f"for _ in range({5 * DEPTH}): y = np.exp(y)\n"
        "del g\n"
        "print(y.shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "()", "")
