"""Shapes, plates, labels and notes; names that try to break out of their labels."""

import numpy as np
import pygraphviz
import pytest

import scg
from tests.draw.pictures import groups, texts

HOSTILE = [
    'quo"te',
    'back\\"slash',
    "end\\",
    "\\N \\G \\n",
    "<b>bold</b>",
    "<",
    "a&lt;b &amp; c",
    "&#945;",
    "];n1->n0[x=y];{",
    "port:n:ne",
    "a -> b -- c",
    "digraph",
    "n1",
    "| { } |",
    "// no comment",
    "% 'x' #",
    "θ ∇ é 漢",
    "  spaces  ",
    "</text><script>alert(1)</script>",
    "\\input{x} $1$ ^_~",
    "שלום עולם",
    "x" * 1000,
]


def toy():
    g = scg.Graph("toy")
    batch = scg.Plate("batch", length=3)
    x = g.data("x", shape=(2,), plates=batch)
    b = g.sample("b", scg.Bernoulli(logits=np.sum(x) * g.parameter("w", 0.4)))
    h = g.deterministic("h", b * 2.0)
    g.cost("loss", (h - 0.499) ** 2)
    return g


def compiled(g, estimator=None):
    return scg.compile(g, estimator, backend="numpy")


def shapes(picture):
    graph, ids = pygraphviz.AGraph(string=picture.source), picture.scene.ids
    return {key: graph.get_node(id).attr["shape"] for key, id in ids.items()}


def labels(picture, name):
    return [line.text for line in picture.scene.marks[name].lines]


def test_shapes():
    assert shapes(toy().draw()) == {
        "w": "plaintext",
        "x": "box",
        "b": "ellipse",
        "h": "box",
        "loss": "diamond",
    }
    graph = pygraphviz.AGraph(string=toy().draw().source)
    (plate,) = graph.subgraphs()
    assert "batch: 3" in plate.graph_attr["label"] and len(plate.nodes()) == 4


def test_an_observation_is_a_grey_circle_that_holds_its_data():
    g = scg.Graph()
    y = g.data("y")
    z = g.sample("z", scg.Normal(g.parameter("m", 0.0), 1.0))
    g.observe("x", scg.Normal(z, 1.0), y)
    picture = g.draw()
    mark = picture.scene.marks["x"]
    assert (mark.kind, mark.members) == ("observed", ("x", "y"))
    assert labels(picture, "x") == ["x", "Normal", "= y"]
    (group,) = groups(picture, "observed")
    assert group.get("data-node") == "x\ny"
    g.cost("other", y * z)  # now the data have another use
    assert "y" in g.draw().scene.marks


def test_labels():
    g = toy()
    assert labels(g.draw(), "x") == ["x"] and labels(g.draw(), "b") == ["b", "Bernoulli"]
    assert labels(g.draw(labels="shapes"), "x") == ["x", "(2,)"]
    assert labels(g.draw(labels="formulas"), "loss") == ["loss", "= (h − 0.499)²"]
    g = scg.Graph()
    a, b = g.parameter("a", 1.0), g.parameter("b", 2.0)
    for i, value in enumerate(
        (a - (b - a), (a + b) * a / b, -(a + b), np.exp(a) ** 3, a - b + a, scg.stop_gradient(a))
    ):
        g.deterministic(f"d{i}", value)
    shown = [labels(g.draw(labels="formulas"), f"d{i}")[1] for i in range(6)]
    assert shown == [
        "= a − (b − a)",
        "= (a + b) · a / b",
        "= −(a + b)",
        "= exp(a)^3",
        "= a − b + a",
        "= stop(a)",
    ]


def test_greek_names_are_letters():
    g = scg.Graph()
    for name in ("theta", "\\mu_1", "Sigma[2]", "alphabet", "beta2x"):
        g.parameter(name, 0.0)
    shown = [mark.title for mark in g.draw().scene.marks.values()]
    assert shown == ["θ", "μ_1", "Σ[2]", "alphabet", "β2x"]


def test_notes_are_in_the_node():
    picture = compiled(toy(), scg.LeaveOneOut(samples=3)).draw()
    assert labels(picture, "b") == ["b", "Bernoulli", "LeaveOneOut(samples=3)", "credit: loss"]
    assert "K = 3 samples of b" in [label for label, _ in picture.scene.groups.values()]
    assert "BIASED" in texts(compiled(toy(), scg.StraightThrough(allow_biased=True)).draw())
    quiet = compiled(toy(), scg.MuProp()).draw(notes=False)
    assert labels(quiet, "b") == ["b", "Bernoulli"] and quiet.scene.caption == []
    own = toy().draw(notes={"b": "a coin"})
    assert labels(own, "b") == ["b", "Bernoulli", "a coin"]


def test_a_formula_has_a_baseline_only_where_there_is_one():
    plain = compiled(toy(), scg.ScoreFunction()).draw(labels="formulas")
    assert "f(x) ∇θ log p(x; θ)" in labels(plain, "b")
    based = compiled(toy(), scg.ScoreFunction(scg.baselines.Constant(1.0)))
    assert "(f(x) − b) ∇θ log p(x; θ)" in labels(based.draw(labels="formulas"), "b")


def test_hidden_nodes():
    g = toy()
    assert set(g.draw(hide="x").scene.marks) == {"w", "b", "h", "loss"}
    assert set(g.draw(hide=["parameter", "data"]).scene.marks) == {"b", "h", "loss"}
    assert set(g.draw(hide=("h",)).scene.links) == {("x", "b"), ("w", "b"), ("b", "loss")}


def test_heat_and_its_numbers():
    picture = compiled(toy()).draw(heat={"b": 0.5, "loss": -2.0})
    assert picture.scene.marks["loss"].fill == "heat3" and picture.scene.marks["b"].fill == "heat1"
    assert "-2" in labels(picture, "loss")


def test_plates_nest_and_nodes_on_crossing_ones_say_so():
    g = scg.Graph()
    outer, inner, crossing = (scg.Plate(name, length=2) for name in ("outer", "inner", "crossing"))
    for name, plates in {
        "o": outer,
        "oi": (outer, inner),
        "oi2": (outer, inner),
        "oc": (outer, crossing),
        "c": crossing,
    }.items():
        g.sample(name, scg.Bernoulli(probs=0.5), plates=plates)
    scene = g.draw().scene
    assert scene.marks["oi"].groups == (outer, inner) and scene.marks["o"].groups == (outer,)
    assert scene.marks["oc"].groups == (crossing,) and scene.marks["c"].groups == (crossing,)
    assert labels(g.draw(), "oc") == ["oc", "Bernoulli", "on outer: 2"]


def test_plates_of_the_same_nodes_nest_in_the_order_of_declaration():
    g = scg.Graph()
    first, second = scg.Plate("first", length=2), scg.Plate("second", length=2)
    g.sample("a", scg.Bernoulli(probs=0.5), plates=(second, first))
    assert g.draw().scene.marks["a"].groups == (first, second)


def test_sample_plates_lie_in_the_plates_that_hold_them():
    scene = compiled(toy(), scg.LeaveOneOut(samples=3)).draw().scene
    plate, samples = scene.marks["loss"].groups
    assert plate.name == "batch" and scene.groups[samples] == ("K = 3 samples of b", "dashed")
    assert scene.marks["x"].groups == (plate,)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_name_is_text_and_nothing_else(name):
    g = scg.Graph("<i>" + name + "\n\0</i>")
    plate = scg.Plate(name + " plate", length=2)
    safe = name.translate(dict.fromkeys(map(ord, "/@#"), "|"))  # reserved in names of nodes
    t = g.parameter(f"<{safe}>", 0.1)
    a = g.sample(safe, scg.Bernoulli(logits=t), plates=plate)
    g.cost("other " + safe, a * 1.0)
    step = compiled(g, scg.ScoreFunction())
    for picture in (
        g.draw(labels="formulas"),
        *(step.draw(level=x) for x in ("plan", "surrogate")),
    ):
        graph = pygraphviz.AGraph(string=picture.source)
        assert len(graph.nodes()) == len(picture.scene.marks)
        assert len(graph.edges()) == len(picture.scene.links)
        every = [name for group in groups(picture, "node") for name in [group.get("data-node")]]
        assert safe in every and f"<{safe}>" in every
        if len(safe) < 40 and "\\" not in safe:
            shown = [" ".join(text.split()) for text in texts(picture)]
            assert " ".join(f"<{safe}>".split()) in shown
            assert " ".join(f"{name} plate: 2".split()) in shown


def test_an_empty_graph():
    assert texts(scg.Graph("").draw()) == []
    assert texts(scg.Graph("nothing").draw()) == ["nothing"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"direction": "up"}, 'direction must be one of "down", "right"'),
        ({"labels": 3}, "labels must be"),
        ({"style": "dark"}, 'style must be one of "screen", "paper"'),
        ({"size": -1}, "size is a width in inches"),
        ({"hide": [3]}, "hide takes names or patterns, got 3"),
        ({"hide": "los"}, "hide names 'los', which is not a node; did you mean 'loss'"),
        ({"heat": {"q": 1.0}}, "heat names 'q', which is not a node"),
        ({"heat": {"b": float("nan")}}, "heat of 'b' must be a number, got nan"),
        ({"heat": 3.0}, "heat is a number by name of a node, got 3.0"),
        ({"notes": {"c": "x"}}, "notes names 'c', which is not a node"),
        ({"notes": {"parameter": "x"}}, "notes names 'parameter', which is not a node"),
        ({"heat": {3: 1.0}}, "heat names 3, which is not a node"),
        ({"notes": 1}, "notes are True, False or texts"),
        ({"hide": True}, "hide"),
        ({"colour": 1}, "no argument 'colour'"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(scg.CallError, match=message):
        toy().draw(**options)
    with pytest.raises(scg.CallError, match=message):
        compiled(toy()).draw(**options)


def test_an_unused_stochastic_node_is_drawn_as_such():
    g = toy()
    g.sample("free", scg.Bernoulli(probs=0.5))
    assert "no cost depends on it" in labels(compiled(g, scg.ScoreFunction()).draw(), "free")


def test_estimators_of_the_plan_are_written_without_default_options():
    g = scg.Graph()
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.1)))
    g.cost("c", b**2)
    shown = labels(compiled(g, scg.MuProp(scale=0.5)).draw(), "b")
    assert "MuProp(scale=0.5)" in shown


def test_a_scan_leads_to_the_next_element():
    t = scg.Time("t", length=3)
    g = scg.Graph("chain")
    theta = g.parameter("theta", 0.4)

    def cell(h):
        z = g.sample("z", scg.Bernoulli(logits=h + theta))
        g.cost("fit", (z - h) ** 2)
        return np.tanh(h + z)

    g.scan(cell, init=0.5, over=t)
    later = {ends: link.label for ends, link in g.draw().scene.links.items() if link.later}
    assert later == {("z", "z"): "next t"}  # beside the edge that is there already, to the cost
    assert g.draw().source.count("next t") == 1


def test_labels_with_shapes_name_constraints():
    g = scg.Graph()
    sigma = g.parameter("sigma", np.ones(2), constraint=scg.positive)
    g.cost("loss", np.sum(g.sample("z", scg.Normal(0.0, sigma)) ** 2))
    assert "positive (2,)" in texts(g.draw(labels="shapes"))
    assert "positive (2,)" not in texts(g.draw())
