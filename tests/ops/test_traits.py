"""The traits `continuous` and `smooth` are what a fine walk along a line sees."""

import numpy as np
import pytest

import scg
from scg.compiler.analyse import continuous_in
from scg.compiler.differentiate import gradients
from scg.engine.interpreter import Interpreter
from scg.ir.op import OPS, PARAMETER, constant
from scg.ir.walk import topological
from scg.ops import elementwise as e
from scg.ops import gradient, reductions
from scg.run.finish import finish
from scg.testing.gradient import POINTS as PLATE

from .breadth import Case
from .test_breadth_arrays import ROWS as ARRAYS
from .test_breadth_elementwise import ROWS as ELEMENTWISE
from .test_proportions import ROWS as PROPORTIONS
from .vocabulary import ROWS as CORE

POINTS = 4096


def line(*ends):
    """Arguments on straight lines from one point to another, the first at t = 0, all as nodes."""
    g = scg.Graph("line")
    t = g.parameter("t", 0.0)
    starts, stops = (np.array(end, dtype=float) for end in ends)
    return t, [a + t * (b - a) for a, b in zip(starts, stops, strict=True)]


def jump(expr, points):
    """The largest step between neighbours of `points` points on 0 <= t <= 1."""
    program = finish({"y": expr})
    engine = program.engine(PLATE, (PARAMETER,))
    leaves = {leaf: np.linspace(0.0, 1.0, points) for leaf in engine.leaves}
    y = np.broadcast_to(engine.run(leaves, {PLATE: points})["y"], points)
    return float(np.max(np.abs(np.diff(1.0 * y))))


def jumps(expr):
    """Whether the largest step stays when the points get four times as dense."""
    coarse, fine = jump(expr, POINTS), jump(expr, 4 * POINTS)
    if coarse < 1e-12:
        return False
    assert fine < 0.4 * coarse or fine > 0.9 * coarse, (coarse, fine)
    return fine > 0.9 * coarse


#: Where each op is walked: from, to. The lines cross zero, a tie, or what else may be a kink.
UNARY, POSITIVE, TIE = ((-1.1,), (1.3,)), ((0.2,), (2.1,)), ((-1.0, 0.7), (1.2, -0.4))
LINES = {
    **dict.fromkeys(
        "negative square exp tanh sigmoid softplus sign abs relu expm1 stop continuous".split(),
        UNARY,
    ),
    **dict.fromkeys("log log1p sqrt gammaln digamma".split(), POSITIVE),
    **dict.fromkeys("add subtract multiply minimum maximum".split(), TIE),
    **dict.fromkeys("greater greater_equal less less_equal equal not_equal".split(), TIE),
    **dict.fromkeys("divide power xlogy xlog1py gammainc".split(), ((1.4, 0.3), (0.5, 1.6))),
    "log_binary": TIE,
    "gammaincinv": ((1.4, 0.3), (0.5, 0.8)),
    "ndtri": ((0.1,), (0.9,)),
}


@pytest.mark.parametrize("name", LINES)
def test_elementwise(name):
    t, arguments = line(*LINES[name])
    op = OPS[name]
    if op in (e.equal, e.not_equal):  # a tie lies between the points of the walk
        arguments = [arguments[0] > arguments[1], True]
    y = op(*arguments)
    assert jumps(y) == (not op.continuous)
    if op.continuous:
        (slope,) = gradients(y, [t])
        assert jumps(slope) == (not op.smooth)


@pytest.mark.parametrize(
    "build, op",
    [
        (lambda x: np.max(np.stack(x)), reductions.REDUCTIONS[1]),
        (lambda x: np.sum(np.stack(x)), reductions.REDUCTIONS[0]),
        (lambda x: scg.logsumexp(np.stack(x)), reductions.REDUCTIONS[2]),
        (lambda x: np.where(True, x[0], x[1]), e.where),
        (lambda x: np.cumsum(np.stack(x))[1], None),
        (lambda x: np.stack(x) @ np.stack(x), None),
        (lambda x: np.stack(x)[np.array([1, 0])][0], None),
    ],
)
def test_others(build, op):
    t, arguments = line(*TIE)
    y = build(arguments)
    smooth = all(expr.op.smooth for expr in topological((y,)))
    assert op is None or op in {expr.op for expr in topological((y,))}
    assert not jumps(y)
    (slope,) = gradients(y, [t])
    assert jumps(slope) == (not smooth)


def test_where_jumps_on_its_condition():
    """The condition carries no derivative, and that breaks a path: the op itself is continuous."""
    _, (x, y) = line(*TIE)
    assert jumps(np.where(x > y, x + 1.0, y))
    assert not jumps(np.where(x > y, x, y))
    assert e.where.continuous and e.where.vjp(0) is None


@pytest.mark.parametrize("name", ["greater", "equal", "logical_and", "logical_not", "sign"])
def test_jumps_have_no_derivative(name):
    op = OPS[name]
    assert all(op.vjp(i) is None for i in range(2))


def test_integers_jump():
    for name in ("one_hot", "argmax", "argsort", "floor"):
        assert not OPS[name].continuous


# --- linear ---------------------------------------------------------------------------------------
#: Linear, but not folded by the table: they vanish, or are what a zero is made of.
BY_RULE = {*(op.name for op in gradient.IDENTITIES), "continuous", "expand"}


def cases(*tables):
    """Every row of some tables, with its arguments."""
    for table in tables:
        rows = table.values() if isinstance(table, dict) else ((r.fn, r.args) for r in table)
        for function, arguments, *_ in rows:
            yield Case(function, arguments), arguments


def instances():
    """Every op of the rows and of their derivatives, with its arguments as arrays."""
    for case, arguments in cases(CORE, ARRAYS):
        exprs = [expr for expr in topological(case.outputs.values()) if expr.args]
        parts = dict.fromkeys(arg for expr in exprs for arg in expr.args)
        engine = Interpreter(dict(enumerate(parts)))
        given = {
            leaf: np.asarray(value, float if leaf.kind == "float" else int)
            for leaf, value in zip(case.leaves, arguments, strict=True)
            if leaf in engine.leaves
        }
        values = dict(zip(parts, engine.run(given, {}).values(), strict=True))
        for expr in exprs:
            yield expr, [values[arg] for arg in expr.args]


def kinks(expr, leaves):
    """Names of the ops below an expression that jump, or have a kink, in what depends on leaves."""
    moving, found = set(leaves), set()
    for below in topological((expr,)):
        for i, arg in enumerate(below.args):
            if arg in moving:
                moving.add(below)
                if not (continuous_in(below, i) and below.op.smooth):
                    found.add(below.op.name)
    return found


def twin(graph, arg, name):
    """A leaf in place of an argument; a constant stays one, and a condition is that of a leaf."""
    if arg.value is not None:
        return constant(graph, arg.value, arg.plates)
    kind = "int" if arg.kind == "int" else "float"
    leaf = graph.data(name, arg.shape, plates=arg.plates, kind=kind)
    return leaf > 0.0 if arg.kind == "bool" else leaf


def test_derivatives_of_smooth_ops_are_smooth():
    """The derivatives of every smooth op are made of smooth ops alone, on all paths."""
    tried = set()
    exprs = {
        expr: None
        for case, _ in cases(CORE, ARRAYS, ELEMENTWISE, PROPORTIONS)
        for expr in topological(case.outputs.values())
        if expr.op.smooth
    }
    for expr in exprs:
        g = scg.Graph("smooth")
        args = tuple(twin(g, arg, f"x{i}") for i, arg in enumerate(expr.args))
        out = expr.op.build(g, args, expr.attrs)
        leaves = [arg for arg in args if arg.kind == "float" and arg.value is None]
        leaves.append(cotangent := g.data("g", out.shape, plates=out.plates))
        for i, arg in enumerate(args):
            rule = expr.op.vjp(i)
            if arg.kind == "float" and rule is not None:
                try:
                    slope = rule(cotangent, out, *args, **expr.attrs)
                except scg.UnsupportedError:  # no kernel knows more derivatives
                    continue
                assert kinks(slope, leaves) == set(), (expr.op.name, i)
                tried.add(expr.op.name)
    smooth = {name for name, op in OPS.items() if op.smooth and any(map(op.vjp, range(3)))}
    smooth -= {name for name in smooth if name.startswith("op:")}  # of users in other tests
    smooth -= {name for name in smooth if OPS[name].loop is not None}  # as smooth as their bodies
    identities = {"copy", "float", "continuous", "open_unit", "open_positive", "gate", "cross"}
    identities |= {"at_step", "only_step", "join_steps", "carry"}  # along a plate
    assert smooth - tried <= identities, "smooth ops without a row"


@pytest.mark.parametrize("cost", [lambda y, x: x**3, lambda y, x: x**4 + x**2.5, lambda y, x: x**y])
def test_a_derivative_inside_a_model_keeps_a_smooth_path(cost):
    g = scg.Graph("gust")
    z = g.sample("gust", scg.Normal(g.parameter("m", 1.3), 0.1))
    exponent = g.parameter("y", 1.7)
    g.cost("c", scg.grad(cost(exponent, z), z) ** 2)
    assert scg.compile(g, estimator=scg.Reparameterization()).plan is not None


def additive(expr, values, i):
    """Whether f(a + b) = f(a) + f(b) in one argument, at random."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, *np.shape(values[i])))
    attrs = {key: value for key, value in expr.attrs.items() if key != "over"}
    if expr.op.name == "scatter":
        attrs["over"] = ()

    def f(x):
        with np.errstate(all="ignore"):
            return np.asarray(expr.op.numpy(*values[:i], x, *values[i + 1 :], **attrs), float)

    return np.allclose(f(a + b), f(a) + f(b), rtol=1e-9, atol=1e-9)


def test_the_column_linear_is_true_and_complete():
    tried = {}
    for expr, values in instances():
        for i, arg in enumerate(expr.args):
            if arg.kind != "bool" and expr.op.vjp(i) is not None and expr.size:
                linear = tried.setdefault((expr.op.name, i), [])
                linear.append(additive(expr, values, i))
    found = {key for key, linear in tried.items() if all(linear) and key[0] not in BY_RULE}
    said = {(op.name, i) for op in OPS.values() for i in op.linear}
    said -= {("at_step", 0), ("only_step", 0)}  # of whose plates NumPy's arrays know nothing
    assert found == said
