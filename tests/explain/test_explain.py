"""The explanation: what it says is what was compiled."""

import json
import time

import numpy as np
import pytest

import scg
from scg.explain.notation import plain

Score = scg.ScoreFunction


def layers():
    """A global node, two nodes on a plate, a reduction of the plate, a stopped cost."""
    g = scg.Graph("layers")
    batch = scg.Plate("batch", length=3, reduce="mean")
    t = g.parameter("t", 0.3)
    a = g.sample("a", scg.Bernoulli(logits=t))
    b = g.sample("b", scg.Bernoulli(logits=t + a), plates=batch)
    c = g.sample("c", scg.Bernoulli(logits=t * b))
    g.cost("each", (c - 0.3) ** 2 * (1.0 + b))
    g.cost("all", scg.plate_logsumexp(b + 2.0 * c, batch))
    g.cost("apart", scg.stop_gradient(c) * t)
    return g


def node(explanation, name):
    return next(node for node in explanation.nodes if node.name == name)


def test_credit_follows_the_plates_and_names_the_op_that_breaks_one():
    e = scg.compile(layers(), Score()).explain()
    assert [n.name for n in e.nodes] == ["a", "b", "c"]
    each, every = node(e, "b").credited[:2]
    assert (each.costs, each.kept, each.summed) == (("each",), ("batch",), {})
    assert (every.costs, every.kept, every.summed) == (("all",), (), {"batch": "'logsumexp'"})
    assert [(*credit.costs, credit.kept) for credit in node(e, "a").credited] == [
        ("each", "all", ())
    ]
    assert "all: score summed over batch, whose elements 'logsumexp' mixes" in str(e)


def test_costs_that_lose_a_plate_in_different_ways_are_credited_apart():
    g = scg.Graph()
    batch, time = scg.Plate("batch", length=2, reduce="mean"), scg.Plate("time", length=3)
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.1)), plates=(batch, time))
    over = scg.plate_mean(a, time)
    largest = g.deterministic("largest", scg.plate_max(a, (batch, time)))
    g.cost("mean", over)
    g.cost("largest alone", largest)
    g.cost("both", over**2 + largest)
    g.cost("mean again", over + 1.0)
    credited = node(scg.compile(g, Score()).explain(), "a").credited
    ops = {tuple(credit.costs): (credit.kept, *credit.summed.values()) for credit in credited}
    assert ops == {
        ("mean", "mean again"): (("batch",), "'sum'"),
        ("largest alone",): ((), "'max' (node 'largest')", "'max' (node 'largest')"),
        ("both",): ((), "'max' (node 'largest')", "'sum'"),
    }


def test_what_is_said_grows_with_the_graph_and_not_with_its_square():
    """Every node of a chain with a cost each is credited with all costs below it."""
    g = scg.Graph("chain")
    z = g.parameter("t", 0.3)
    for i in range(1000):
        z = g.sample(f"z{i}", scg.Bernoulli(logits=z * 0.5))
        g.cost(f"c{i}", z * 1.0)
    started = time.process_time()
    step = scg.compile(g, Score(), backend="numpy")
    compiled = time.process_time()
    e = step.explain()
    text, source, plain = str(e), step.draw().source, json.dumps(e.to_dict())
    assert time.process_time() - compiled < 3 * (compiled - started)
    assert len(text) < 600_000 and len(source) < 2_000_000 and len(plain) < 1_000_000
    middle = e.to_dict()["nodes"][500]
    assert middle["credited"][0]["costs"] == [{"from": "c500", "to": "c999"}]
    (credit,) = e.nodes[0].credited
    assert len(credit.costs) == 1000 and credit.costs[-1] == "c999"
    assert e.nodes[0].where["f"] == "c0 + c1 + … + c999, 1000 costs"
    assert "cost       c0, c1, c2, …, c999" in text
    assert e.surrogate[-1] == "⊠(ℓ(z0) + ℓ(z1) + … + ℓ(z999), 1000 nodes) · c999"


def test_sums_written_in_a_loop_are_drawn_in_time():
    g = scg.Graph("sum")
    total = 0.0
    for i in range(3000):
        total = total + g.sample(f"z{i}", scg.Bernoulli(logits=g.parameter(f"t{i}", 0.3)))
    g.cost("loss", total)
    started = time.process_time()
    assert len(g.to_networkx().edges) == 6000
    assert g.draw().source.count("->") == 8  # the middle is folded
    assert time.process_time() - started < 10


def test_a_cost_behind_a_stop_gets_no_credit():
    e = scg.compile(layers(), Score()).explain()
    assert node(e, "c").stopped == ("apart",)
    assert [tuple(credit.costs) for credit in node(e, "c").credited] == [("each",), ("all",)]
    assert "no credit  apart: only through stop_gradient" in str(e)


def test_a_stochastic_node_may_break_a_plate():
    g = scg.Graph()
    batch = scg.Plate("batch", length=2)
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.1)), plates=batch)
    m = g.deterministic("m", scg.plate_mean(a, batch))
    b = g.sample("b", scg.Bernoulli(logits=m))
    g.cost("loss", b)
    (credit,) = node(scg.compile(g, Score()).explain(), "a").credited
    assert credit.summed == {"batch": "'sum'"}


def test_the_surrogate_in_words():
    e = scg.compile(layers(), Score()).explain()
    assert e.surrogate == (
        "mean over batch [ ⊠(ℓ(a) + ℓ(b) + ℓ(c)) · each ]",
        "⊠(ℓ(a) + Σ[batch] ℓ(b) + Σ[batch] ℓ(c)) · all",
        # c reaches it through a stop alone, and a and b only through c
        "mean over batch [ apart ]",
    )
    assert not any(n.term for n in e.nodes)
    assert "t(n)" not in str(e)


def test_weights_and_nested_plates_in_words():
    g = layers()
    choice = {"a": scg.Enumeration(), "b": Score(), "c": scg.LeaveOneOut(samples=3)}
    e = scg.compile(g, choice).explain()
    over_a, over_c = "weighted sum over 2 values of a", "mean over 3 samples of c"
    assert e.surrogate[0] == f"mean over batch of {over_a} of {over_c} [ ⊠(ℓ(b) + ℓ(c)) · each ]"
    assert e.surrogate[3:] == (f"sum over batch of {over_a} of {over_c} [ ⊠(ℓ(b)) · t(c) ]",)
    assert "where t(n), of value 0" in str(e)
    assert [n.draws for n in e.nodes] == [2, 1, 3]
    assert [n.credit for n in e.nodes] == ["weight", "score", "score"]


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (scg.LeaveOneOut(samples=3), "mean over 3 samples of a"),
        (scg.Enumeration(), "weighted sum over 2 values of a"),
    ],
    ids=str,
)
def test_a_sample_plate_whose_weight_lives_on_another_is_inside_it(estimator, words):
    g = scg.Graph()
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.1)))
    b = g.sample("b", scg.Bernoulli(logits=a))
    g.cost("loss", b)  # a enters through the weights of b alone
    e = scg.compile(g, {"a": estimator, "b": scg.Enumeration()}).explain()
    value = "loss" if estimator.credit == "weight" else "⊠(ℓ(a)) · loss"
    assert e.surrogate[0] == f"{words} of weighted sum over 2 values of b [ {value} ]"


def test_scaled_sums_in_words():
    g = scg.Graph()
    batch = scg.Plate("batch", length=2, size=100)
    g.cost("loss", g.sample("a", scg.Normal(g.parameter("t", 0.1), 1.0), plates=batch))
    e = scg.compile(g).explain()
    assert e.surrogate == ("100/|batch| · sum over batch [ loss ]",)
    assert "through its value (pathwise): ℓ(a) = 0" in str(e)


def test_many_scores_are_counted_not_listed():
    g = scg.Graph()
    x = 0.0
    for i in range(12):
        x = g.sample(f"x{i}", scg.Bernoulli(logits=g.parameter(f"t{i}", 0.1) + x))
    g.cost("loss", x)
    e = scg.compile(g, Score()).explain()
    assert e.surrogate == ("⊠(ℓ(x0) + ℓ(x1) + … + ℓ(x11), 12 nodes) · loss",)


def chain():
    g = scg.Graph("chain")
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.3)))
    b = g.sample("b", scg.Bernoulli(logits=a * 0.7))
    g.cost("loss", (b - 0.4) ** 2 + a)
    return g


@pytest.mark.parametrize(
    ("estimator", "paths", "evaluations"),
    [
        (Score(), 1, 1),
        (scg.LeaveOneOut(samples=4), 4, 4),
        ({"a": scg.LeaveOneOut(samples=4), "b": scg.LeaveOneOut(samples=3)}, 12, 12),
        (scg.Enumeration(), 4, 4),
        (scg.MuProp(), 1, 2),
        (scg.MuProp(mean_field="rollout"), 1, 3),
        ({"a": scg.LeaveOneOut(samples=5), "b": scg.MuProp(mean_field="rollout")}, 5, 10),
        (Score(baseline=scg.baselines.SelfCritical()), 1, 3),
    ],
    ids=str,
)
def test_paths_and_evaluations(estimator, paths, evaluations):
    e = scg.compile(chain(), estimator).explain()
    assert (e.paths, e.evaluations) == (paths, evaluations)


def test_joint_plates_state_and_own_parameters():
    e = scg.compile(chain(), scg.LeaveOneOut(samples=4)).explain()
    assert [n.shared for n in e.nodes] == [("b",), ("a",)]
    assert "samples    4, one sample plate with b" in str(e)
    step = scg.compile(chain(), Score(baseline=scg.baselines.Network(hidden=(2,))))
    e = step.explain()
    for n in e.nodes:
        assert {*n.state, *n.parameters} == set(step.init(seed=0)[n.name])
        assert n.state == ("average", "weight")
    assert "learns     its own parameters offset" in str(e)


def test_bias_is_marked():
    plain = scg.compile(chain(), Score()).explain()
    assert plain.unbiased and "BIASED" not in str(plain)
    e = scg.compile(chain(), {"a": scg.StraightThrough(allow_biased=True), "b": Score()}).explain()
    assert not e.unbiased
    assert [n.unbiased for n in e.nodes] == [False, True]
    assert str(e).count("BIASED") == 4  # in the first line, at the node and twice in its derivation


def test_reasons_of_the_automatic_choice():
    e = scg.compile(chain()).explain()
    assert "automatic: 2 values, within the budget" in " ".join(str(e).split())


def test_it_fits_json_and_html():
    g = scg.Graph("<b>")
    g.cost("loss", g.sample("a & b", scg.Normal(np.zeros(2), 1.0))[0])
    e = scg.compile(g).explain()
    assert json.loads(json.dumps(e.to_dict()))["nodes"][0]["shape"] == [2]
    assert "&lt;b&gt;" in e._repr_html_() and "a &amp; b" in e._repr_html_()


def test_json_lists_few_members_and_gives_the_ends_of_long_runs():
    g = scg.Graph()
    for i in range(20):
        z = g.sample(f"z{i}", scg.Bernoulli(logits=g.parameter(f"t{i}", 0.1)))
        g.cost(f"c{i}", z * 1.0)
    nodes = scg.compile(g, scg.LeaveOneOut(samples=2)).explain().to_dict()["nodes"]
    assert nodes[3]["credited"][0]["costs"] == ["c3"]
    assert nodes[3]["shared"] == ["z0", "z1", "z2", {"from": "z4", "to": "z19"}]


def test_symbols_that_options_decide_are_printed():
    choice = {"a": scg.MuProp(scale=0.5), "b": Score(scg.baselines.Constant(2.0)), "c": Score()}
    e = scg.compile(layers(), choice).explain()
    assert node(e, "a").where == {"f": "each + all", "a": "0.5", "b": "0"}
    assert node(e, "b").symbols["κ"] == "Constant(constant=2.0)"  # b is a node
    assert "(f(b) − κ) ∇θ log p(b; θ)" in str(e) and "κ = Constant(constant=2.0)" in str(e)
    assert node(e, "c").where["b"] == "0" and "f(c) ∇θ log p(c; θ)" in str(e)


LAWS = {
    "Bernoulli": lambda t: scg.Bernoulli(logits=t + np.zeros(2)),
    "Normal": lambda t: scg.Normal(t + np.zeros(2), 1.0),
    "OneHotCategorical": lambda t: scg.OneHotCategorical(logits=t * np.array([1.0, -1.0])),
    "Gamma": lambda t: scg.Gamma(np.exp(t) + np.zeros(2), 1.0),
    "Matching": lambda t: scg.Matching(t * np.eye(2)),
    "Delta": lambda t: scg.Delta(t + np.zeros(2)),
    "RBM": lambda t: scg.RBM(t + np.zeros(2), [0.3], [[0.5], [-0.2]]),
}


@pytest.mark.filterwarnings("ignore::scg.BiasWarning")
@pytest.mark.parametrize("cls", scg.estimators.ESTIMATORS, ids=lambda cls: cls.__name__)
def test_every_estimator_is_explained_and_drawn(cls):
    fitting = []
    for law, dist in LAWS.items():
        g = scg.Graph()
        particles = scg.Plate("particles", length=3)
        own = () if cls is scg.PersistentChains else particles
        x = g.sample("x", dist(g.parameter("t", 0.3)), plates=own)
        value = np.sum(x * np.array([1.0, 0.4]))
        vimco = cls is scg.VIMCO
        g.cost("loss", scg.plate_logsumexp(value, particles) if vimco else value)
        try:
            step = scg.compile(g, cls(particles) if vimco else cls())
        except scg.EstimatorError:
            continue
        fitting.append(law)
        (explained,) = step.explain().nodes
        assert explained.formula
        assert plain(explained.formula) in " ".join(str(step.explain()).split())
        assert all(explained.symbols.values()), explained.symbols
        assert cls.__name__ in step.draw().source
    assert fitting
