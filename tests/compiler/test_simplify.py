"""Each rule of simplify, graph in and graph out, and all rules on random graphs with plates."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import scg
from scg.compiler.differentiate import gradients
from scg.compiler.simplify import simplify
from scg.engine.program import Program
from scg.ir.op import constant, plate_size
from scg.ir.walk import topological
from scg.ops.elementwise import cast, divide, multiply, negative, square, where
from scg.ops.gradient import (
    box,
    cross,
    first_order,
    gate,
    graft,
    mark,
    observed,
    path_alone,
    self_normalised,
    stop,
)
from scg.ops.powers import _power, times_power
from scg.ops.reductions import expand, plate_sum, zeros
from scg.ops.shape import reshape, take_slice

G = scg.Graph("rules")
P, Q = scg.Plate("p"), scg.Plate("q")
A = G.data("a", 3, plates=P)
B = G.data("b", (2, 3))
S = G.parameter("s", 0.0)
K = G.data("k", 3, kind="int")
C = A > 0.0


def wide(value, like=A):
    """A constant with the plates and shape of another node."""
    return expand(constant(G, value), like.plates, like.shape)


RULES = {
    "0 + b": (lambda: 0.0 + A, lambda: A),
    "a + 0": (lambda: A + 0.0, lambda: A),
    "a + 0 of a larger shape": (lambda: A + np.zeros((2, 3)), lambda: expand(A, (P,), (2, 3))),
    "s + 0 on a plate": (lambda: S + wide(0.0), lambda: expand(S, (P,), (3,))),
    "exp of what a plate repeats": (
        lambda: np.exp(expand(A, (P, Q), (3,))),
        lambda: expand(np.exp(A), (P, Q), (3,)),
    ),
    "a + (-b)": (lambda: A + (-B), lambda: A - B),
    "(-a) + b": (lambda: (-A) + B, lambda: B - A),
    "a - a": (lambda: A - A, lambda: zeros(A)),
    "a - 0": (lambda: A - 0.0, lambda: A),
    "0 - b": (lambda: 0.0 - A, lambda: -A),
    "a - (-b)": (lambda: A - (-B), lambda: A + B),
    "0 * y": (lambda: A * 0.0, lambda: zeros(A)),
    "1 * y": (lambda: 1.0 * A, lambda: A),
    "y * 1 on a plate": (lambda: S * wide(1.0), lambda: expand(S, (P,), (3,))),
    "-1 * y": (lambda: A * -1.0, lambda: -A),
    "(-x) * y": (lambda: (-A) * B, lambda: -(A * B)),
    "x * (-y)": (lambda: A * (-B), lambda: -(A * B)),
    "(-x) * (-y)": (lambda: (-A) * (-B), lambda: A * B),
    "a / 1": (lambda: A / 1.0, lambda: A),
    "integers / 1": (lambda: K / 1, lambda: divide(K, 1)),
    "0 / b": (lambda: 0.0 / A, lambda: zeros(A)),
    "(-a) / b": (lambda: (-A) / B, lambda: -(A / B)),
    "a^0": (lambda: _power(A, 0.0), lambda: wide(1.0)),
    "a^1 of integers": (lambda: _power(K, 1), lambda: cast(K)),
    "a^2": (lambda: _power(A, constant(G, 2)), lambda: square(A)),
    "c a^b": (lambda: times_power(3.0, A, B), lambda: 3.0 * _power(A, B)),
    "c a^b, c perhaps 0": (
        lambda: times_power(np.array([0.0, 1.0, 2.0]), A, -1.0),
        lambda: times_power(np.array([0.0, 1.0, 2.0]), A, -1.0),
    ),
    "-(-a)": (lambda: negative(negative(A)), lambda: A),
    "-0": (lambda: -wide(0.0), lambda: wide(-0.0)),
    "-(a - b)": (lambda: -(A - B), lambda: B - A),
    "0.0 + integers": (lambda: 0.0 + K, lambda: cast(K)),
    "1.0 * condition": (lambda: 1.0 * C, lambda: cast(C)),
    "-1.0 * condition": (lambda: -1.0 * C, lambda: -cast(C)),
    "0 * integers": (lambda: 0 * K, lambda: zeros(K)),
    "0 + condition": (lambda: 0 + C, lambda: 0 + C),
    "sum(0)": (lambda: np.sum(wide(0.0)), lambda: expand(constant(G, 0.0), (P,), ())),
    "sum of what was repeated": (
        lambda: np.sum(expand(S, (), (2, 3))),
        lambda: S * 6.0,
    ),
    "sum over a repeated axis": (
        lambda: np.sum(expand(A, (P,), (2, 3)), axis=0),
        lambda: A * 2.0,
    ),
    "plate_sum of what was repeated": (
        lambda: plate_sum(expand(S, (P,), ()), P),
        lambda: S * plate_size(G, P),
    ),
    "plate_sum of half that was": (
        lambda: plate_sum(expand(A, (P, Q), (3,)), (P, Q)),
        lambda: plate_sum(A, P) * plate_size(G, Q),
    ),
    "expand to what it is": (lambda: expand(A, (P,), (3,)), lambda: A),
    "expand twice": (
        lambda: expand(expand(S, (P,), ()), (P, Q), (3,)),
        lambda: expand(S, (P, Q), (3,)),
    ),
    "reshape to what it is": (lambda: reshape(B, shape=(2, 3)), lambda: B),
    "reshape(expand(scalar))": (
        lambda: reshape(expand(S, (P, Q), (3,)), shape=(3, 1)),
        lambda: expand(S, (P, Q), (3, 1)),
    ),
    "reshape twice": (lambda: B.reshape(6).reshape(3, 2), lambda: B.reshape(3, 2)),
    "where(c, a, a)": (lambda: where(C, B, B), lambda: expand(B, (P,), (2, 3))),
    "where(true, a, b)": (lambda: where(wide(True), A, B), lambda: expand(A, (P,), (2, 3))),
    "where(false, a, b)": (lambda: where(False, A, B), lambda: _wide_b()),
    "where(c, 0, 0)": (lambda: where(C, 0.0, wide(0.0)), lambda: zeros(A)),
    "op(expand)": (
        lambda: np.exp(expand(S, (P,), (3,))),
        lambda: expand(np.exp(S), (P,), (3,)),
    ),
    "op(expand, b)": (lambda: expand(S, (P,), (3,)) * A, lambda: S * A),
    "constants": (lambda: np.exp(constant(G, [0.0, 1.0])), lambda: constant(G, np.exp([0.0, 1.0]))),
    "integer constants stay integers": (
        lambda: np.sum(constant(G, [1, 2]) > 1) + K,
        lambda: constant(G, 1) + K,
    ),
    "0 @ b": (lambda: np.zeros(2) @ B, lambda: zeros(B[0])),
    "slice of 0": (lambda: take_slice(wide(0.0), index=(0,)), lambda: zeros(A[0])),
    "gather of 0": (lambda: wide(0.0)[K], lambda: zeros(A[K])),
    "gather at index 0": (lambda: A[[0]], lambda: A[[0]]),
    "scatter to index 0": (
        lambda: gradients(np.sum(A[[0]]), [A])[0],
        lambda: gradients(np.sum(A[[0]]), [A])[0],
    ),
    "cumsum of 0": (lambda: np.cumsum(wide(0.0)), lambda: zeros(A)),
    "stop": (lambda: stop(B) + B, lambda: B + B),
    "stop of integers": (lambda: stop(K), lambda: K),
    "mark": (lambda: mark(A, label=1), lambda: A),
    "observed": (lambda: observed(S), lambda: S),
    "self-normalised": (lambda: self_normalised(S), lambda: S),
    "path alone": (lambda: path_alone(S, label="z"), lambda: S),
    "first order": (lambda: first_order(S), lambda: S),
    "gate": (lambda: gate(B, C), lambda: _wide_b()),
    "cross": (lambda: cross(B, np.exp(A)), lambda: _wide_b()),
    "graft": (lambda: graft(B, np.exp(A)), lambda: _wide_b()),
    "box": (lambda: box(A) * A, lambda: A),
    "box under a stop": (lambda: stop(box(A)) - 1.0, lambda: zeros(A)),
    "a rule that makes another fit": (lambda: (A - A + B) * 1.0 - 0.0, lambda: _wide_b()),
}


def _wide_b():
    return expand(B, (P,), (2, 3))


@pytest.mark.parametrize("name", RULES)
def test_rule(name):
    before, after = (make() for make in RULES[name])
    (found,) = simplify([before])
    assert (found.shape, found.plates, found.kind) == (before.shape, before.plates, before.kind)
    if name in ("sum of what was repeated", "scatter to index 0"):
        (after,) = simplify([after])
    if after.value is not None:  # equal constants are one object
        assert found.value is not None and np.array_equal(found.value, after.value)
    assert found is after


def test_every_rule_is_in_the_table():
    """The rules that no row takes apart would be dead: each makes another graph of some row."""
    from scg.compiler.simplify import RULES as rules

    hit = {expr.op.name for before, _ in RULES.values() for expr in topological((before(),))}
    assert {op.name for op in rules} <= hit


def test_nothing_changes_twice():
    for before, _ in RULES.values():
        once = simplify([before()])
        assert simplify(once)[0] is once[0]


def test_equal_roots_stay_equal_and_in_order():
    x, y, z = simplify([A + 0.0, B * 1.0, A * 1.0])
    assert x is A and y is B and z is A
    assert simplify([]) == []


def test_known_results_are_used():
    env = {}
    simplify([np.exp(A + 0.0)], env)
    assert env[A + 0.0] is A
    env[A] = B
    assert simplify([A], env) == [B]


# --- random graphs --------------------------------------------------------------------------------
SIZES = {P: 3, Q: 2}
VALUES = {
    "a": np.random.default_rng(0).normal(size=(3, 3)),
    "b": np.random.default_rng(1).normal(size=(2, 3)),
    "c": np.random.default_rng(2).normal(size=(3, 2)),
    "k": np.array([2, 0, 1]),
    "s": np.array(0.7),
}
D = G.data("c", (), plates=(P, Q))
LEAVES = [A, B, D, S, K, C, K > 1]
NUMBERS = [0.0, 1.0, -1.0, 0.5, 0, 1, True, np.zeros(3), np.ones((2, 3))]


def total(x):
    """What an op that has no booleans takes."""
    return where(x, 1.0, 0.0) if x.kind == "bool" else x


UNARY = [
    lambda x: -total(x),
    lambda x: np.tanh(x),
    lambda x: np.abs(x),
    lambda x: np.sum(x),
    lambda x: np.max(x, axis=-1) if x.ndim and x.kind != "bool" else x,
    lambda x: x.sum(axis=0, keepdims=True) if x.ndim else x,
    lambda x: x.reshape(x.size),
    lambda x: x.T,
    lambda x: np.cumsum(x),
    lambda x: x[..., 0] if x.ndim else x,
    lambda x: x[[0, -1]] if x.ndim else x,
    lambda x: plate_sum(x, P) if P in x.plates else expand(x, (P,), x.shape),
    lambda x: expand(x, (Q,), x.shape),
    lambda x: scg.logsumexp(x),
    lambda x: scg.stop_gradient(x) if x.kind == "float" else x > 0,
]
BINARY = [
    lambda x, y: x + y,
    lambda x, y: total(x) - total(y),
    lambda x, y: x * y,
    lambda x, y: x / (2.0 + np.abs(np.sin(y))),
    lambda x, y: np.where(x > y, x, y),
    lambda x, y: np.maximum(x, y),
    lambda x, y: np.minimum(total(x), 0.0) * y,
    lambda x, y: where(C, x, y) if fits(x + y, C) else x + y,
    lambda x, y: total(x) @ y if x.shape == y.shape and x.ndim == 1 else x + y,
]


def fits(x, y):
    try:
        return len(np.broadcast_shapes(x.shape, y.shape)) <= 2
    except ValueError:
        return False


@st.composite
def expressions(draw):
    """A pool of expressions grown step by step, so that subexpressions are shared."""
    pool = list(LEAVES)
    for _ in range(draw(st.integers(1, 12))):
        x = pool[draw(st.integers(0, len(pool) - 1))]
        how = draw(st.integers(0, 2))
        if how == 0:
            new = draw(st.sampled_from(UNARY))(x)
        else:
            number = constant(G, draw(st.sampled_from(NUMBERS)))
            y = number if how == 1 else pool[draw(st.integers(0, len(pool) - 1))]
            x, y = draw(st.permutations([x, y])) if fits(x, y) else (x, x)
            new = draw(st.sampled_from(BINARY))(x, y)
        if new.ndim <= 2:
            pool.append(new)
    return pool[len(LEAVES) :] or [A]


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(expressions())
def test_random_graphs_keep_their_values(pool):
    """Also under a derivative, where the constants 0, 1 and -1 come from."""
    y = cast(pool[-1])
    roots = [*pool, *gradients(np.sum(y), [A, S])]
    outputs = dict(enumerate(roots))
    before = Program(outputs).run(VALUES, None, SIZES)
    simple = simplify(roots)
    after = Program(dict(enumerate(simple))).run(VALUES, None, SIZES)
    for i, root in enumerate(roots):
        assert (simple[i].shape, simple[i].plates) == (root.shape, root.plates)
        assert simple[i].kind == root.kind
        np.testing.assert_allclose(after[i], before[i], rtol=1e-9, atol=1e-9, err_msg=str(root))
    assert len(topological(simple)) <= len(topological(roots)) + 3


def test_what_simplify_assumes():
    """0 · y is 0 and y - y is 0 for every y: infinities are not kept, on purpose."""
    x = G.data("infinite", ())
    (zero,) = simplify([multiply(x, 0.0)])
    assert zero.value == 0.0
    assert negative(zero).value is None
