"""Influence against networkx: reachability, open and stopped paths, surviving plates."""

import itertools

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scg
from scg.compiler.analyse import Influence, Reach, merge
from scg.compiler.members import Members, Universe
from scg.compiler.mixing import Mixers
from scg.ir.expr import StochasticNode
from scg.ir.walk import topological

NAMES = "abcdefgh"


@st.composite
def models(draw):
    """Random graphs of stochastic nodes and costs, with stops, plates, and what loses them."""
    g = scg.Graph("random")
    plates = [scg.Plate("p", reduce="mean"), scg.Plate("q", reduce="mean")]
    pool = [g.parameter("theta", 0.3)]
    pool += [g.data(f"x{i}", plates=plate) for i, plate in enumerate(plates)]

    def mixed():
        chosen = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=3, unique_by=id))
        total = None
        for node in chosen:
            how = draw(st.sampled_from(["plain", "plain", "stop", "lose", "tanh", "lose both"]))
            if how == "stop":
                node = scg.stop_gradient(node)
            elif how == "tanh":
                node = np.tanh(node)
            elif how != "plain":
                for plate in plates[: 1 + (how == "lose both")]:
                    if plate in node.plates:
                        node = scg.plate_mean(node, plate)
            total = node if total is None else total * node
        return total

    for name in NAMES[: draw(st.integers(1, 6))]:
        own = draw(st.sampled_from([(), (), plates[0], plates[1]]))
        pool.append(g.sample(name, scg.Bernoulli(probs=scg.sigmoid(mixed())), plates=own))
        if draw(st.booleans()):
            pool.append(g.deterministic(f"{name}{name}", mixed() + 0.5))
    for i in range(draw(st.integers(1, 3))):
        g.cost(f"cost{i}", mixed())
    return g


def expression_graph(influence):
    digraph = nx.DiGraph()
    digraph.add_nodes_from(influence.order)
    digraph.add_edges_from((arg, expr) for expr in influence.order for arg in expr.args)
    return digraph


def by_paths(digraph, start, goal):
    """(sep, open, stopped) of two expressions by walking every path between them."""
    paths = list(nx.all_simple_paths(digraph, start, goal))
    stops = [any(expr.op.name == "stop" for expr in path[1:]) for path in paths]
    sep = frozenset.intersection(*(frozenset(expr.plates) for path in paths for expr in path))
    return sep, not all(stops), any(stops)


def unpacked(reaches):
    """Every member on its own; a member must occur once."""
    found = {}
    for reach in reaches:
        assert reach.members
        for member in reach.members:
            assert member not in found
            found[member] = (reach.sep, reach.open, reach.stopped)
    return found


@settings(max_examples=80)
@given(models())
def test_influence_is_reachability(g):
    influence = Influence(g)
    digraph = expression_graph(influence)
    assert set(influence.order) == set(digraph) and nx.is_directed_acyclic_graph(digraph)
    positions = {expr: i for i, expr in enumerate(influence.order)}
    assert all(positions[arg] < positions[expr] for arg, expr in digraph.edges)
    assert list(influence.nodes) == [e for e in influence.order if isinstance(e, StochasticNode)]
    costs = [node for _, node in influence.costs]
    assert costs == list(g.costs.values())
    for expr in influence.order:
        above = nx.ancestors(digraph, expr)
        ancestors = unpacked(influence.ancestors[expr])
        assert set(ancestors) == {node for node in influence.nodes if node in above}
        for ancestor, state in ancestors.items():
            assert state == by_paths(digraph, ancestor, expr)
    for node in influence.nodes:
        downstream = unpacked(influence.downstream[node])
        below = nx.descendants(digraph, node)
        assert set(downstream) == {cost for cost in influence.costs if cost.node in below}
        for cost, state in downstream.items():
            assert state == by_paths(digraph, node, cost.node)
        assert set(influence.credited(node)) == {c for c, state in downstream.items() if state[1]}
        assert set(influence.below[node]) == {node, *below} & set(influence.nodes)


@settings(max_examples=40)
@given(models())
def test_named_nodes_of_the_declared_graph(g):
    """The same reachability between declared names, as users see it in to_networkx."""
    influence, digraph = Influence(g), g.to_networkx()
    for name, cost in influence.costs:
        above = {n for n in nx.ancestors(digraph, name) if digraph.nodes[n]["role"] == "stochastic"}
        assert above == {node.name for node in unpacked(influence.ancestors[cost])}
    assert {node.name for node in influence.nodes} == {
        name
        for name in g.stochastic
        if any(digraph.nodes[n]["role"] == "cost" for n in nx.descendants(digraph, name))
    }


@settings(max_examples=40)
@given(models())
def test_paths_and_what_mixes_plates_are_on_a_path(g):
    influence = Influence(g)
    mixers = Mixers(influence)
    digraph = expression_graph(influence)
    for node in influence.nodes:
        for cost, (sep, _, _) in unpacked(influence.downstream[node]).items():
            walk = influence.path(node, cost.node)
            assert walk[0] is node and walk[-1] is cost.node and nx.is_path(digraph, walk)
            on_a_path = nx.descendants(digraph, node) & {
                *nx.ancestors(digraph, cost.node),
                cost.node,
            }
            for plate in set(node.plates) - sep:
                (op,) = [op for op, lost in mixers.lost(plate)[node].items() if cost in lost]
                breakers = [expr for expr in on_a_path if plate not in expr.plates]
                assert any(op.startswith((f"{e.op.name!r}", "stochastic")) for e in breakers)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans(), st.integers(1, 63))))
def test_merge_joins_paths_member_by_member(states):
    plates, letters = [scg.Plate("p"), scg.Plate("q")], Universe(NAMES)
    reaches = [
        Reach(
            frozenset(p for i, p in enumerate(plates) if k >> i & 1),
            is_open,
            stopped,
            Members(letters, bits),
        )
        for k, is_open, stopped, bits in states
    ]
    joined = unpacked(merge(reaches))
    assert set(joined) == {i for reach in reaches for i in reach.members}
    for i, state in joined.items():
        own = [reach for reach in reaches if i in reach.members]
        assert state == (
            frozenset.intersection(*(reach.sep for reach in own)),
            any(reach.open for reach in own),
            any(reach.stopped for reach in own),
        )
    for one, other in itertools.combinations(merge(reaches), 2):
        assert not one.members & other.members
        assert (one.sep, one.open, one.stopped) != (other.sep, other.open, other.stopped)


# --- plates that survive, by hand -----------------------------------------------------------------
def sep(build, plates):
    """The plates of node z that survive on every path to the cost, and what breaks the others."""
    g = scg.Graph("sep")
    x = g.data("x", plates=plates)
    z = g.sample("z", scg.Bernoulli(probs=scg.sigmoid(x)))
    g.cost("loss", build(g, x, z))
    influence = Influence(g)
    (reach,) = influence.downstream[z]
    mixers = Mixers(influence)
    broken = [plate for plate in z.plates if plate not in reach.sep]
    ((ops, _),) = mixers.groups(z, reach.members, broken).items()
    return reach.sep, {p.name: op.strip("'") for p, op in zip(broken, ops, strict=True)}


def names(plates):
    return {plate.name for plate in plates}


P, Q = scg.Plate("p"), scg.Plate("q")
CASES = {
    "per element": (lambda g, x, z: z**2, {"p", "q"}, {}),
    "mean over one": (lambda g, x, z: scg.plate_mean(z, P) * 2.0, {"q"}, {"p": "sum"}),
    "batch statistic": (
        lambda g, x, z: (z - scg.plate_mean(z, P)) ** 2,
        {"q"},
        {"p": "sum"},
    ),
    "log-mean-exp over both": (
        lambda g, x, z: scg.plate_logsumexp(scg.plate_logsumexp(z, P), Q),
        set(),
        {"p": "logsumexp", "q": "logsumexp"},
    ),
    "maximum": (lambda g, x, z: z - scg.plate_max(z, Q), {"p"}, {"q": "max"}),
    "through a global child": (
        lambda g, x, z: g.sample("y", scg.Normal(scg.plate_sum(scg.plate_sum(z, P), Q), 1.0)) * x,
        set(),
        {"p": "sum", "q": "sum"},
    ),
    "through a child on the plates": (
        lambda g, x, z: g.sample("y", scg.Bernoulli(logits=z * x)) + z,
        {"p", "q"},
        {},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_surviving_plates(name):
    build, survive, broken = CASES[name]
    found, ops = sep(build, (P, Q))
    assert names(found) == survive and ops == broken


def test_a_cost_that_is_a_node():
    g = scg.Graph("itself")
    z = g.sample("z", scg.Bernoulli(probs=0.3), plates=(scg.Plate("p", length=2)))
    g.cost("loss", z)
    influence = Influence(g)
    (reach,) = influence.downstream[z]
    assert reach == Reach(frozenset(z.plates), True, False, influence.costs.every)
    assert influence.ancestors[z] == ()


def test_a_cost_that_nothing_influences():
    g = scg.Graph("nothing")
    g.cost("constant", g.parameter("theta", 0.3) * 2.0)
    g.sample("unused", scg.Bernoulli(probs=0.3))
    influence = Influence(g)
    assert not influence.nodes and influence.ancestors[g.costs["constant"]] == ()


def test_order_is_that_of_the_costs():
    g = scg.Graph("order")
    z = g.sample("z", scg.Bernoulli(probs=0.3))
    g.cost("loss", z * 2.0)
    assert Influence(g).order == topological(g.costs.values())
