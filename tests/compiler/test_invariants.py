"""Each rule between passes is broken once, and the error names the pass, the rule and the node."""

from dataclasses import replace

import numpy as np
import pytest

import scg
from scg.compiler import invariants
from scg.compiler.analyse import Influence
from scg.compiler.plan import make_plan
from scg.compiler.surrogate import Surrogate
from scg.errors import CompilerError
from scg.ir.op import NOISE, intern
from scg.ops.gradient import stop
from scg.ops.reductions import expand
from scg.run.finish import finish
from scg.schedule.schedule import Schedule

P = scg.Plate("p", length=3, reduce="mean")


def graph():
    g = scg.Graph("small")
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.3)), plates=P)
    b = g.sample("b", scg.Bernoulli(logits=a - 0.5))
    g.cost("early", a * 2.0)
    g.cost("late", (b - 0.4) ** 2)
    return g


def surrogate(estimator):
    return Surrogate(make_plan(Influence(graph()), estimator))


def arguments_first():
    influence = Influence(graph())
    influence.order.reverse()
    return influence


def credit_through_a_stop():
    influence = Influence(graph())
    found = influence.downstream
    (_, b), (early, _) = influence.nodes, influence.costs
    found[b] += (replace(found[b][0], members=influence.costs.only(early)),)
    return influence


def other_paths_up():
    influence = Influence(graph())
    late = influence.costs[1].node
    influence.ancestors[late] = tuple(
        replace(reach, sep=frozenset()) for reach in influence.ancestors[late]
    )
    return influence


def no_estimator():
    plan = make_plan(Influence(graph()), scg.ScoreFunction())
    del plan.estimators[plan.influence.nodes[1]]
    return plan


def unfit_estimator():
    plan = make_plan(Influence(graph()), scg.ScoreFunction())
    plan.estimators[plan.influence.nodes[0]] = scg.Reparameterization()
    return plan


def objective_on_a_plate():
    s = surrogate(scg.ScoreFunction())
    s.objective = s.first.env[s.influence.nodes[0]]
    return s


def term_for_a_cost_above():
    s = surrogate(scg.MuProp())
    (_, b), costs = s.influence.nodes, s.influence.costs
    ((route, part),) = s.terms[b].parts.items()
    s.terms[b].parts = {replace(route, costs=costs.every): part}
    return s


def term_on_a_foreign_plate():
    s = surrogate(scg.MuProp())
    node = s.influence.nodes[1]
    ((route, part),) = s.terms[node].parts.items()
    s.terms[node].parts = {replace(route, sep=route.sep | {scg.Plate("q")}): part}
    return s


def a_node_that_is_left():
    s = surrogate(scg.ScoreFunction())
    s.objective = s.objective + np.sum(scg.plate_sum(s.influence.nodes[0], P))
    return s


def gradient_on_a_plate():
    g = graph()
    t = g.parameters["t"].node
    return {t: expand(t, (P,), ())}


def a_stop_that_is_left():
    return {"y": stop(graph().parameters["t"].node)}


def two_leaves_of_one_name():
    g = graph()
    kinds = {"name": "b/u", "law": "uniform"}
    one, two = (intern(g, NOISE, (), kinds, (shape, (), "float")) for shape in ((), (2,)))
    return {"y": one + np.sum(two)}


def another_shape_than_inferred():
    g = graph()
    t = g.parameters["t"].node
    return {"y": intern(g, (t * 2.0).op, (t, t), {}, ((4,), (), "float"))}


def read_before_it_is_written():
    g = graph()
    x = g.data("x", shape=(3, 3), plates=())
    schedule = Schedule(finish({"y": np.sum(np.exp(x) @ np.tanh(x))}).outputs)
    schedule.order.reverse()
    return schedule


def never_written():
    schedule = Schedule(finish({"y": graph().parameters["t"].node * 2.0}).outputs)
    schedule.order.clear()
    return schedule


def written_after_it_is_read():
    x = graph().data("x", shape=(3, 3))
    schedule = Schedule(finish({"y": np.sum(np.exp(x) @ np.tanh(x))}).outputs)
    schedule.order.append(schedule.order[0])
    return schedule


BROKEN = {
    arguments_first: ("analyse", "arguments come before", "comes before its argument"),
    credit_through_a_stop: ("analyse", "no credit passes", r"'b' .* with cost 'early'"),
    other_paths_up: ("analyse", "paths down", "graph 'small' has other paths up than down"),
    no_estimator: ("plan", "each node has an estimator", "'b' .* has no estimator"),
    unfit_estimator: ("plan", "each node has an estimator", "'a' .* has no reparam"),
    objective_on_a_plate: ("surrogate", "one number", "the objective is node .* on p"),
    term_for_a_cost_above: ("surrogate", "a term is about", "'b' .* for cost 'early'"),
    term_on_a_foreign_plate: ("surrogate", "a term is about", "'b' .* on plate 'q'"),
    a_node_that_is_left: ("surrogate", "replaced by its sample", "'a' .* is left"),
    gradient_on_a_plate: ("differentiate", "the shape and the plates", "'t' .* on p"),
    a_stop_that_is_left: ("simplify", "stops, marks and boxes", r"stop\(\.\.\.\) .* is left"),
    two_leaves_of_one_name: ("simplify", "names of their own", "'b/u' .* has the name of"),
    another_shape_than_inferred: ("simplify", "that the ops infer", r"\(4,\) is inferred .* \(\)"),
    read_before_it_is_written: ("schedule", "written before", "is read by entry 0 before"),
    never_written: ("schedule", "written before", "output y is never written"),
    written_after_it_is_read: ("schedule", "written before", r"by entry \d, but was read before"),
}


@pytest.mark.parametrize("product", BROKEN, ids=lambda make: make.__name__)
def test_each_rule_can_be_broken(product, monkeypatch):
    name, says, node = BROKEN[product]
    made = product()
    monkeypatch.setenv("SCG_CHECK", "1")
    with pytest.raises(CompilerError, match=f"'{name}' broke the rule that .*{says}.*: .*{node}"):
        invariants.check(name, made)
    monkeypatch.setenv("SCG_CHECK", "0")
    invariants.check(name, made)


def test_every_rule_is_broken_by_a_test():
    rules = {(name, says) for name, some in invariants.RULES.items() for says, _ in some}
    assert len(rules) == len({(name, says) for name, says, _ in BROKEN.values()})
    assert all(any(n == name and s in says for n, s, _ in BROKEN.values()) for name, says in rules)


def test_compiling_checks_each_pass(monkeypatch):
    """Also the schedule of a compiled step, which is otherwise made at the first call."""
    passes = []
    monkeypatch.setattr(invariants, "RULES", {n: [("", lambda _, n=n: passes.append(n) or [])]
                                              for n in invariants.RULES})  # fmt: skip
    monkeypatch.setenv("SCG_CHECK", "1")
    scg.compile(graph(), scg.ScoreFunction(), backend="numba")
    assert passes == ["analyse", "plan", "surrogate", "differentiate", "simplify", "schedule"]
