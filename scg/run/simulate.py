"""Simulate: samples and values of any named nodes, with interventions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from scg.common.arguments import array_of, checked
from scg.common.named import Named
from scg.compiler.differentiate import erase
from scg.compiler.memory import NodeMemory
from scg.compiler.noise import NodeNoise
from scg.compiler.recur import run
from scg.engine.backends import chosen_backend
from scg.engine.interpreter import Sizes, full
from scg.engine.program import Program
from scg.errors import CallError
from scg.graph.carry import backwards
from scg.graph.core import CoreGraph
from scg.ir.expr import Expr, StochasticNode
from scg.ir.op import DATA, PARAMETER, intern
from scg.ir.walk import topological
from scg.ops.reductions import expand
from scg.run.binding import Binder, as_runs
from scg.seeds.noise import check_seed

Drawer = Callable[[int | tuple[int, ...]], dict[str, np.ndarray]]


@checked('g.simulate(params, nodes=["z"], seed=0)')
def simulate(
    graph: CoreGraph,
    params: Mapping[str, Any],
    *,
    nodes: Iterable[str | Expr],
    do: Mapping[str, Any] | None = None,
    seed: int | tuple[int, ...],
    runs: int = 1,
    data: Mapping[str, Any] | None = None,
) -> dict[str, np.ndarray]:
    """Sample named nodes as the model declares them, without estimators or gradients.

    Use it to look at a model, and to intervene; for many samples use :meth:`Graph.sampler`. A node
    has the noise of a step that samples it once: with the same seed, a step with
    ``ScoreFunction()`` has exactly these values.

    Parameters
    ----------
    graph : Graph
        The declared graph.
    params, data : mapping
        Parameters and data by name, at least those on which a wanted node depends. Data also
        determine the sizes of plates.
    nodes : iterable of str or Expr
        The wanted nodes, of any role.
    do : mapping, optional
        Interventions: values by the names of stochastic or deterministic nodes. All that is
        computed from the node is computed from the value, which is broadcast to the node's plates
        and event shape.
    seed : int or tuple of int
        The seed.
    runs : int
        Number of independent runs.

    Returns
    -------
    dict
        An array of shape (runs, plates, event) for each name.

    Raises
    ------
    CallError
        If a node or an intervention is unknown or does not fit, if a parameter or data on which
        the nodes depend are missing, or if a plate has no size.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("toy")
    >>> b = g.sample("b", scg.Bernoulli(logits=0.4))
    >>> g.cost("loss", (b - 0.5) ** 2 + b)
    >>> g.simulate({}, nodes=["b", "loss"], do={"b": 1}, seed=1, runs=2)
    {'b': array([1., 1.]), 'loss': array([1.25, 1.25])}
    """
    check_seed(seed)
    runs = as_runs(runs)
    program, values, sizes = _prepared(graph, params, nodes, do, data, "numpy")
    blocks = [
        program.tie(values, sizes, len(block))(seed, block.start)
        for block in program.blocks(runs, sizes)
    ]
    return Named((name, np.concatenate([b[name] for b in blocks])) for name in program.outputs)


@checked('g.sampler(params, nodes=["z"])')
def sampler(
    graph: CoreGraph,
    params: Mapping[str, Any],
    *,
    nodes: Iterable[str | Expr],
    do: Mapping[str, Any] | None = None,
    runs: int = 1,
    data: Mapping[str, Any] | None = None,
    backend: str | None = None,
) -> Drawer:
    """A function that takes a seed and samples named nodes: :func:`simulate` for many calls.

    The arguments are checked and the nodes compiled now. Each call reads C-contiguous arrays in
    place, so that changing them changes the next call; other arrays are copied now.

    Parameters
    ----------
    graph, params, nodes, do, runs, data
        As for :func:`simulate`.
    backend : {"numba", "numpy"}, optional
        As for ``scg.compile``.

    Returns
    -------
    callable
        ``draw(seed)`` returns the samples of ``g.simulate(params, seed=seed, ...)`` in arrays that
        the next call overwrites: copy those that you keep.

    Examples
    --------
    >>> import scg
    >>> g = scg.Graph("walk")
    >>> x = g.sample("x", scg.Normal(g.parameter("start", 0.0), 1.0))
    >>> draw = g.sampler({"start": 2.0}, nodes=["x"])
    >>> draw(7)["x"] == g.simulate({"start": 2.0}, nodes=["x"], seed=7)["x"]
    array([ True])
    """
    backend = chosen_backend(backend, "g.sampler")
    program, values, sizes = _prepared(graph, params, nodes, do, data, backend)
    call = program.tie(values, sizes, as_runs(runs))

    def draw(
        seed: int | tuple[int, ...] | None = None, *wrong: Any, **options: Any
    ) -> dict[str, np.ndarray]:
        """Sample the nodes; the next call overwrites the arrays."""
        if seed is None or wrong or options:
            raise CallError(
                "a sampler takes a seed, which has no default, and nothing else: draw(1); give "
                "other arguments to g.sampler"
            )
        return call(seed, 0)

    return draw


def _prepared(
    graph: CoreGraph, params: Any, nodes: Any, do: Mapping[str, Any] | None, data: Any, backend: str
) -> tuple[Program, dict[str, np.ndarray], Sizes]:
    """The program of the wanted nodes, the values of its leaves, and sizes of plates."""
    do = do or {}
    held = {name: _intervened(graph, name) for name in do}
    outputs = _forward(graph, _wanted(graph, nodes), held)
    program = Program(outputs, backend=backend)
    needed = {leaf.attrs["name"] for leaf in program.leaves if leaf.op in (PARAMETER, DATA)}
    values, sizes = Binder(graph, program.dtype).bind(params, data, needed)
    _check_sizes(topological(program.outputs.values()), sizes)
    for name, node in held.items():
        values[f"do@{name}"] = _value(name, node, do[name], sizes)
    return program, values, sizes


def _leaf(graph: CoreGraph, name: str, node: Expr) -> Expr:
    """The value of an intervention."""
    signature = (node.shape, node.plates, node.kind)
    return intern(graph, DATA, (), {"name": f"do@{name}"}, signature)


def _forward(
    graph: CoreGraph, wanted: Mapping[str, Expr], held: Mapping[str, Expr]
) -> dict[Any, Expr]:
    """The wanted nodes as expressions of leaves: a sample takes the place of each distribution."""
    memories: dict[str, NodeMemory] = {}
    names: dict[str, dict[str, Any]] = {}

    def sample(node: StochasticNode, env: dict[Expr, Expr]) -> Expr:
        noise = NodeNoise.of(node, node.plates, None, memories, names)
        value = node.given(tuple(env[arg] for arg in node.args)).sample(noise)
        return expand(value, node.plates, node.shape)

    env = {node: _leaf(graph, name, node) for name, node in held.items()}
    run(backwards(graph, wanted.values()), env, sample)
    plain = erase(env[node] for node in wanted.values())
    return {name: plain[env[node]] for name, node in wanted.items()}


# --- checks ---------------------------------------------------------------------------------------
def _wanted(graph: CoreGraph, nodes: Any) -> dict[str, Expr]:
    if isinstance(nodes, (str, Expr)):
        raise CallError(f"nodes: expected a list of names or nodes, write nodes=[{nodes!r}]")
    names = {node: name for name, (node, _) in reversed(graph.roles.items())}
    wanted: dict[str, Expr] = {}
    for node in nodes:
        if isinstance(node, str):
            wanted[node] = graph.named(node)
        elif isinstance(node, Expr) and node in names:
            wanted[names[node]] = node
        else:
            raise CallError(
                f"nodes: {node!r} is not a named node of graph {graph.name!r}; declare it with "
                'g.deterministic("name", node) to simulate it'
            )
    return wanted


def _intervened(graph: CoreGraph, name: str) -> Expr:
    node = graph.named(name)
    role = graph.roles[name][1]
    if role not in ("stochastic", "deterministic"):
        where = {"parameter": "; give its value in params", "data": "; give its value in data"}
        raise CallError(
            f"do: {name!r} is a {role} node; interventions are made on stochastic and "
            f"deterministic nodes{where.get(role, '')}"
        )
    return node


def _check_sizes(order: Iterable[Expr], sizes: Sizes) -> None:
    for expr in order:
        steps = [expr.attrs["along"]] if "body" in expr.attrs else []
        for plate in (*expr.plates, *steps):
            if plate not in sizes:
                raise CallError(
                    f"plate {plate.name!r} has no size, because no data that lie on it were "
                    "given: g.simulate(..., data={...}), or "
                    f"scg.Plate({plate.name!r}, length=...)"
                )


def _value(name: str, node: Expr, value: Any, sizes: Sizes) -> np.ndarray:
    """The value of an intervention on the plates and event shape of its node."""
    array = array_of(f"do: node {name!r}", value)
    kinds = {"float": "fiub", "int": "iub", "bool": "b"}[node.kind]
    if array.dtype.kind not in kinds:
        raise CallError(
            f"do: node {name!r} holds values of kind {node.kind}, got {value!r} "
            f"of dtype {array.dtype}"
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise CallError(f"do: the value of node {name!r} has a NaN")
    shape = full(node, sizes)
    try:
        return np.broadcast_to(array, shape).astype(node.kind)
    except ValueError:
        axes = ", ".join([*(plate.name for plate in node.plates), *map(str, node.shape)])
        raise CallError(
            f"do: node {name!r} has shape ({axes}) = {shape}, to which a value of shape "
            f"{array.shape} cannot be broadcast"
        ) from None
