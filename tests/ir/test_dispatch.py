"""NumPy notation on nodes: what dispatches (NEP 13 and 18), and errors that teach."""

import copy
import operator
import pickle

import numpy as np
import pytest

import scg
from scg.ir.dispatch import _NEAREST, FUNCTIONS, UFUNCS, numpy_name
from scg.ir.expr import Expr


@pytest.fixture
def b():
    g = scg.Graph("toy")
    return g.sample("b", scg.Bernoulli(logits=g.parameter("theta", [0.4, -0.2])))


@pytest.fixture
def x():
    return scg.Graph("arrays").data("x", (2, 3), plates=scg.Plate("batch"))


# --- what works -----------------------------------------------------------------------------------
OPERATORS = [
    (operator.add, np.add),
    (operator.sub, np.subtract),
    (operator.mul, np.multiply),
    (operator.truediv, np.true_divide),
    (operator.lt, np.less),
    (operator.le, np.less_equal),
    (operator.gt, np.greater),
    (operator.ge, np.greater_equal),
    (operator.eq, np.equal),
    (operator.ne, np.not_equal),
]


@pytest.mark.parametrize("written, ufunc", OPERATORS)
def test_operators_are_ufuncs(x, written, ufunc):
    """Also with numbers and arrays on either side; equal expressions are one object."""
    array = np.array([1.0, 2.0, 3.0])
    for left, right in ((x, x + 1.0), (x, 2.0), (x, 2), (x, array), (x, np.float32(2.0))):
        assert written(left, right) is ufunc(left, right)
    for left in (2.0, array, np.float64(2.0)):
        found = written(left, x)
        assert isinstance(found, Expr) and found.shape == (2, 3)
    if written not in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt):
        assert written(array, x) is ufunc(array, x)


def test_other_operators(x):
    assert -x is np.negative(x)
    assert abs(x) is np.absolute(x)
    assert x**3 is np.power(x, 3)
    assert x**2 is np.square(x)
    assert x**1 is x
    assert (2.0**x).op.name == "power"
    assert (x @ np.ones(3)).shape == (2,)
    assert (np.ones(2) @ x).shape == (3,)


def test_augmented_assignment_binds_another_node(x):
    y = x
    y += 1.0
    assert y is x + 1.0
    for step, same in (
        (operator.isub, operator.sub),
        (operator.imul, operator.mul),
        (operator.itruediv, operator.truediv),
        (operator.ipow, operator.pow),
    ):
        assert step(x, 3.0) is same(x, 3.0)
    y = x
    y @= np.ones((3, 2))
    assert y.shape == (2, 2)


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda f: f.__name__)
def test_every_ufunc_of_the_table_dispatches(ufunc):
    g = scg.Graph("ufuncs")
    x = g.data("x", (2, 2))
    if ufunc.__name__.startswith(("logical", "bitwise", "invert")):
        x = x > 0.0
    found = ufunc(*[x] * ufunc.nin)
    assert isinstance(found, Expr) and found.shape == (2, 2)


def test_functions_of_shape(x):
    assert (np.ndim(x), np.shape(x), np.size(x), x.ndim, x.size) == (2, (2, 3), 6, 2, 6)
    assert x.T.shape == (3, 2) and x.reshape(6).shape == x.reshape((3, 2)).reshape(-1).shape
    assert x.sum().shape == x.mean().shape == ()
    assert np.sum(x, axis=1) is x.sum(axis=1) is x.sum(axis=-1)
    assert np.concatenate([x, np.zeros((1, 3))]).shape == (3, 3)
    assert np.stack([x, np.zeros((2, 3))], axis=-1).shape == (2, 3, 2)
    assert np.expand_dims(x, -1) is np.expand_dims(x, 2)


def test_equal_expressions_are_one_object(x):
    assert np.exp(x) + 1.0 is np.exp(x) + 1.0
    assert x + 1.0 is not x + 1  # an integer is another constant
    assert x + 0.0 is not x + -0.0
    g = scg.Graph("other")
    assert np.exp(g.data("x", 2)) is not np.exp(scg.Graph("third").data("x", 2))
    assert len({x, x + 1.0, x}) == 2 and hash(x) == object.__hash__(x)


def test_copies():
    x = scg.Graph("copy").data("x", 2)
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(
            TypeError, match=r"'x' of shape.*cannot be pickled or copied; pickle its graph"
        ):
            copied(x)


# --- what does not, with the call to write --------------------------------------------------------
NO_VALUES = (
    r"^node 'b' of shape \(2,\) holds no values. For samples call "
    r"g.simulate\(params, nodes=\[...\], seed=1\); inside a model write functions of np or "
    r"scg on it, such as np.exp, np.stack\(\[node, node\]\) in place of np.array, and "
    r"scg.take\(array, node, axis=0\) in place of array\[node\]$"
)


@pytest.mark.parametrize(
    "wrong, message",
    [
        (
            lambda b: 1 if b else 0,
            r"^node 'b' of shape \(2,\) has no truth value while a graph is declared. "
            r"Write np.where\(condition, a, b\) instead of `if`$",
        ),
        (lambda b: b > 0 and b < 1, "^node greater.* has no truth value"),
        (lambda b: not b, "has no truth value"),
        (
            list,
            r"^node 'b' of shape \(2,\) cannot be iterated. Write np.sum\(node\), node\[i\], "
            r"or \[node\[i\] for i in range\(node.shape\[0\]\)\]$",
        ),
        (lambda b: max(*b), "cannot be iterated"),
        (sum, "cannot be iterated"),
        (np.asarray, NO_VALUES),
        (np.array, NO_VALUES),
        (lambda b: np.array([b, 1.0]), NO_VALUES),
        (np.flatnonzero, "np.flatnonzero is not supported on nodes; write scg.op"),
        (np.fft.fft, "np.fft.fft is not supported on nodes; write scg.op"),
        (
            np.nansum,
            "^np.nansum is not supported on nodes; the nearest supported function is np.sum$",
        ),
        (
            lambda b: np.fmax(b, b),
            r"^np.fmax is not supported on nodes; the nearest supported function is np\.maximum$",
        ),
        (
            np.add.reduce,
            r"^np.add.reduce is not supported on nodes; the nearest .* is np\.sum$",
        ),
        (
            np.multiply.accumulate,
            r"^np.multiply.accumulate is not supported on nodes; the nearest .* is np\.cumprod$",
        ),
        (np.median, r"^np.median is not supported on nodes; the nearest .* is np\.sort$"),
        (np.linalg.eigvalsh, r"^np.linalg.eigvalsh is not .* is np\.linalg\.\w+$"),
        (lambda b: np.add(b, 1, out=np.zeros(2)), "^np.add with out is not supported on nodes"),
        (lambda b: np.add(b, 1, where=[True, False]), r"; write np\.where\(condition, x, \.\.\.\)"),
        (lambda b: np.sum(b, where=[True, False]), r"; write np\.where\(condition, x, \.\.\.\)"),
        (lambda b: np.mean(b, dtype=float), "; numbers have the dtype that scg.compile is given$"),
        (lambda b: np.add(b, 1, where=True), "^np.add with where is not supported on nodes"),
        (lambda b: np.fmod(b, 2), r"^np.fmod is not .*; the nearest .* is np\.remainder$"),
        (np.spacing, r"^np.spacing is not supported on nodes; write scg\.op\(np\.spacing\)"),
        (
            lambda b: np.sum(b, dtype=int),
            r"^np.sum on nodes takes \(x, axis, keepdims\): got an unexpected keyword argument",
        ),
        (lambda b: np.linalg.inv(b, 1), r"^inv\(\) takes 1 positional argument but 2 were given$"),
        (float, "is not a number while a graph is declared. Write NumPy functions on it"),
        (len, "has no len"),
    ],
)
def test_type_errors_teach(b, wrong, message):
    with pytest.raises(TypeError, match=message):
        wrong(b)


@pytest.mark.parametrize(
    "name, message",
    [
        ("max", r"^a node has no attribute 'max'; write np\.max\(node\)$"),
        ("flatten", r"write np\.ravel\(node\)$"),
        ("tolist", r"write g\.simulate\(params"),
        ("strides", "^a node has no attribute 'strides'$"),
        ("__path__", "^a node has no attribute '__path__'$"),  # a list of the module np
    ],
)
def test_attributes_of_arrays_name_what_to_write(b, name, message):
    with pytest.raises(AttributeError, match=message):
        getattr(b, name)


@pytest.mark.parametrize(
    "wrong", [lambda b: b & 1, lambda b: (b > 0) | b, lambda b: ~b, lambda b: b ^ (b > 0)]
)
def test_operators_of_conditions_refuse_numbers(b, wrong):
    with pytest.raises(scg.DeclarationError, match=r"expected conditions in parentheses"):
        wrong(b)


def test_a_function_that_numpy_has_twice_is_named_as_it_is_called(b):
    with pytest.raises(TypeError, match=r"np\.linalg\.eig|np\.eig"):
        np.linalg.eig(b)


def test_where_needs_three_arguments(b):
    with pytest.raises(scg.DeclarationError, match=r"needs three arguments: np.where\(condition"):
        np.where(b > 0)


def test_constants_must_be_numbers(x):
    for wrong, dtype in ((None, "object"), ("text", "<U4"), (1j, "complex128"), ({}, "object")):
        with pytest.raises(scg.DeclarationError, match=f"an array of numbers, got .*{dtype}"):
            _ = x + wrong


def test_nodes_of_two_graphs_do_not_mix(x):
    with pytest.raises(
        scg.DeclarationError,
        match=r"^add: nodes of different graphs \('arrays', 'other'\) cannot be combined. "
        "Declare the model in one graph$",
    ):
        _ = x + scg.Graph("other").data("x", 3)


def test_what_is_named_instead_is_supported():
    known = {f"np.{numpy_name(f)}" for f in (*UFUNCS, *FUNCTIONS) if callable(f)}
    assert set(_NEAREST.values()) - known == {"scg.logsumexp", "scg.i0e"}
    for name in _NEAREST:
        found = np
        for part in name.split("."):
            found = getattr(found, part)
        assert found not in UFUNCS and found not in FUNCTIONS


def test_the_tables_hold_numpy_functions():
    assert all(isinstance(ufunc, np.ufunc) for ufunc in UFUNCS)
    assert {np.sum, np.where, "getitem", "stop"} <= set(FUNCTIONS)


# --- shapes ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "wrong, message",
    [
        (lambda x: x + np.zeros(2), r"^add: .*\(arguments: node 'x' of shape \(2, 3\) on batch, "),
        (lambda x: x @ x, r"^contract: axes of length 3 and 2 cannot be contracted \(arguments: "),
        (lambda x: x @ 2.0, r"^matmul: a scalar has no matrix product; write a \* b$"),
        (lambda x: x.reshape(4), r"^reshape: an event of shape \(2, 3\) cannot be reshaped to \(4"),
        (lambda x: np.sum(x, axis=2), r"^axis 2 is out of range for node 'x' of shape \(2, 3\) on"),
        (lambda x: np.sum(x, axis=-3), "^axis -3 is out of range"),
        (
            lambda x: np.expand_dims(x, 3),
            r"axis 3 is out of range for node 'x' of shape \(2, 3\) .* with 1 new axes; axes are",
        ),
        (
            lambda x: np.sum(x, axis=[0]),
            r"^an axis is an integer or a tuple of integers, got \[0\]",
        ),
        (lambda x: np.sum(x, axis=(0, (1,))), r"^an axis is an integer .*, got \(0, \(1,\)\)$"),
        (lambda x: np.sort(x, axis=(0,)), r"^expected one axis of node 'x' .* got \(0,\)$"),
        (lambda x: np.argmax(x, axis=(0, 1)), r"^expected one axis of node 'x' .* got \(0, 1\)$"),
        (lambda x: np.concatenate([x, x], axis=[]), r"^expected one axis of node 'x' .* got \[\]$"),
        (
            lambda x: scg.softmax(2),
            r"^axis -1 is out of range for an event of shape \(\); axes are",
        ),
        (lambda x: np.trace(x, axis1=(0,)), r"^expected one axis of node 'x' .* got \(0,\)$"),
        (lambda x: np.trace(x, (1,)), r"^diagonal: offset: expected an integer, got \(1,\)$"),
        (lambda x: np.triu(x, [1]), r"^triu: k: expected an integer, got \[1\]$"),
        (lambda x: np.max(x, keepdims="no"), "^keepdims is True or False, got 'no'$"),
        (lambda x: np.argmin(x, 0, keepdims="no"), "^keepdims is True or False, got 'no'$"),
        (lambda x: np.linalg.norm(x, "fro", 0), "^norm: 'fro' is a norm over two axes, got 1$"),
        (lambda x: np.linalg.solve(1.0, x), r"^solve: expected matrices, .* \(\) and \(2, 3\)$"),
        (lambda x: np.broadcast_to(x, None), "^broadcast_to: a shape is an integer or a tuple of"),
        (lambda x: np.std(x, ddof=None), "^var, std: ddof is a number, got None$"),
        (
            lambda x: np.transpose(x, (0, 0)),
            r"^transpose: \(0, 0\) is not an order of the event axes",
        ),
        (
            lambda x: np.transpose(x, (0, 5)),
            r"^transpose: \(0, 5\) is not an order of the event axes",
        ),
        (lambda x: np.concatenate([x, x[0]]), r"^concatenate: shapes \(\(2, 3\), \(3,\)\) do not"),
        (lambda x: np.concatenate([x, x.T]), "^concatenate: shapes .* do not join along axis -2"),
        (lambda x: np.concatenate([x[0, 0], 1.0]), "scalars have no axis to join; write np.stack"),
        (lambda x: np.stack([x, x[0]]), "^stack: all events need one shape, got"),
        (lambda x: np.diag(np.stack([x, x])), "^diag: expected a vector or a matrix"),
        (lambda x: np.outer(x, x), "^outer: expected two vectors, got node 'x'"),
        (lambda x: x[2], "^index 2 is out of range for an axis of length 2 of node .x. of shape"),
        (lambda x: x[0, 0, 0], r"^node 'x' .* has 2 event axes, but the index has 3$"),
        (lambda x: x[0.5], "^an index must be integers and slices, got 0.5$"),
        (lambda x: x[True], "^an index must be integers and slices, got True$"),
        (
            lambda x: x[x > 0],
            r"^an index must be integers, got node greater.*\(bool\)\. Write",
        ),
        (lambda x: x[np.array([True, False])], r"^an index must be integers, got .*\(bool\)\. Wr"),
        (lambda x: x[[0.5]], r"^an index must be integers, got .*\(float\)$"),
        (
            lambda x: x[:, [0, 1]],
            r"^an index array of node .x. .* stands beside .* Write np.take\(x, k, axis",
        ),
        (lambda x: x[[0, 1], [0, 1, 2]], r"^indices of node .* do not broadcast: \(2,\), \(3,\)$"),
        (lambda x: x[[0, 1], 3], "^an index of node .* is out of range: 3$"),
        (lambda x: x[[0], 0, 0], "^node .* has 2 event axes, but the index has 3$"),
        (lambda x: x[0, 0][[0]], "has 0 event axes, but the index has 1$"),
        (lambda x: scg.one_hot(x, 3), r"^scg.one_hot: expected an integer node, got .* \(float\)"),
        (lambda x: -(x > 0), r"^negative: not defined for booleans.*Write np.where\(condition, 1"),
        (lambda x: (x > 0) - (x > 1), "^subtract: not defined for booleans"),
        (lambda x: scg.plate_sum(x, scg.Plate("p")), "^scg.plate_sum: .*is not on plate 'p'"),
        (lambda x: scg.plate_mean(x, "batch"), "^expected a scg.Plate, got 'batch'$"),
        (lambda x: scg.plate_mean(x, np.array(3)), r"^expected a scg.Plate, got array\(3\)$"),
        (lambda x: np.where(x > 0, x, np.zeros(2)), "^where: "),
    ],
)
def test_shape_errors_name_op_and_shapes(x, wrong, message):
    with pytest.raises(scg.DeclarationError, match=message):
        wrong(x)
