"""Pictures of the other products: surrogate, influence, program and schedule."""

from xml.etree import ElementTree

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scg
from scg.draw.operations import _reduced
from scg.draw.scene import Link
from scg.models.sbn import sbn
from scg.models.vae import gaussian_vae
from tests.draw.pictures import coloured, groups, texts
from tests.draw.test_fold import chain


def compiled(g, estimator=None):
    return scg.compile(g, estimator, backend="numpy")


def surrogate(g, estimator=None):
    return compiled(g, estimator).draw(level="surrogate")


def test_the_surrogate_of_a_score_is_the_log_probability_times_its_cost():
    g = scg.Graph()
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.2)))
    g.cost("loss", (b - 0.4) ** 2)
    picture = surrogate(g, scg.ScoreFunction())
    assert coloured(picture) == dict.fromkeys(
        [("t", "ℓ(b)"), ("ℓ(b)", "⊠ loss"), ("⊠ loss", "S")], "derivative"
    )
    plain = set(picture.scene.links) - set(coloured(picture))
    assert plain == {("b", "ℓ(b)"), ("b", "loss"), ("loss", "⊠ loss")}
    assert "⊠(ℓ(b)) · loss" in texts(picture)
    kinds = {key: mark.kind for key, mark in picture.scene.marks.items()}
    assert (kinds["b"], kinds["ℓ(b)"], kinds["S"]) == ("sample", "score", "cost")
    assert {group.get("data-node") for group in groups(picture, "node")} >= {"b", "t", "loss"}


def test_costs_are_multiplied_by_what_influences_them_alone():
    g = scg.Graph()
    t = g.parameter("t", 0.2)
    a = g.sample("a", scg.Bernoulli(logits=t))
    b = g.sample("b", scg.Bernoulli(logits=t * a))
    g.cost("first", a * 1.0)
    g.cost("second", b * t)
    found = coloured(surrogate(g, scg.ScoreFunction()))
    assert {tail for tail, head in found if head == "⊠ first"} == {"ℓ(a)"}
    assert {tail for tail, head in found if head == "⊠ second"} == {"ℓ(a)", "ℓ(b)", "second"}
    assert ("t", "second") in found


def test_a_pathwise_sample_is_a_function_and_its_cost_the_surrogate():
    g = scg.Graph()
    z = g.sample("z", scg.Normal(g.parameter("m", 0.2), 1.0))
    g.cost("loss", z**2)
    picture = surrogate(g)
    assert set(coloured(picture)) == {("m", "z"), ("z", "loss"), ("loss", "S")}
    assert picture.scene.marks["z"].kind == "deterministic"


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        (scg.Enumeration(), "enumerated"),
        (scg.SumAndSample(samples=1), "weighted samples"),
        (scg.UnorderedSet(samples=2), "weighted samples"),
        (scg.RAM(), "sampled"),
    ],
)
def test_the_surrogate_says_where_values_come_from(estimator, words):
    g = scg.Graph()
    k = g.sample("k", scg.Categorical(logits=g.parameter("t", [0.2, 0.1, 0.0])))
    g.cost("loss", k * 0.5)
    assert words in texts(surrogate(g, estimator))


def test_the_surrogate_says_that_values_are_recorded():
    g = scg.Graph()
    g.cost("loss", g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.2))))
    step = scg.compile(g, given={"b": scg.Recorded(ratios="product")}, backend="numpy")
    assert "recorded" in texts(step.draw(level="surrogate"))


def test_terms_of_control_variates_and_of_weights():
    g = scg.Graph()
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.2)))
    g.cost("loss", (b - 0.4) ** 2)
    found = surrogate(g, scg.MuProp()).scene.links
    assert ("ℓ(b)", "t(b)") in found and found["t", "t(b)"].kinds  # the mean's correction
    assert not found["loss", "t(b)"].kinds
    loo = surrogate(g, scg.LeaveOneOut(samples=3)).scene.links
    assert ("ℓ(b)", "t(b)") in loo and ("t", "t(b)") not in loo
    exact = coloured(surrogate(g, scg.Enumeration()))
    assert set(exact) == {("t", "w(b)"), ("w(b)", "⊠ loss"), ("⊠ loss", "S")}
    along = coloured(surrogate(g, scg.RAM()))
    assert set(along) == {("t", "t(b)"), ("t(b)", "S")} | ({("loss", "S")} & set(along))


def test_a_pathwise_scan_leads_to_the_next_element_in_the_surrogate():
    g = scg.Graph()
    w = g.parameter("w", 0.3)

    def cell(h):
        z = g.sample("z", scg.Normal(w * h, 1.0))
        g.cost("c", z**2)
        return np.tanh(z)

    g.scan(cell, init=0.1, over=scg.Time("t", length=3))
    links = surrogate(g).scene.links
    assert {e: link.label for e, link in links.items() if link.later} == {("z", "z"): "next t"}
    assert links["z", "z"].kinds == {"derivative"}


def test_lines_of_summands_are_text_even_if_a_bracket_is_left_over():
    """Graphviz reads no text between tags that is "]" alone."""
    g = scg.Graph("]")
    n = scg.Plate("n", length=2)
    w = g.parameter("w", 0.3)
    e = g.sample("e", scg.Bernoulli(logits=w))
    m = g.sample("m", scg.Bernoulli(logits=w + e), plates=n)
    r = g.sample("]", scg.Bernoulli(logits=m + w), plates=n)
    g.cost("]]", (r - e) ** 2 + m)
    choice = {"e": scg.Enumeration(), "m": scg.MuProp(), "]": scg.ARM()}
    found = texts(surrogate(g, choice))
    assert {"]", "]]"} <= set(found)
    assert sum(line == "]" for line in found) == 2  # the title and the node


def test_the_surrogate_folds():
    marks = surrogate(chain(60), scg.ScoreFunction()).scene.marks
    assert {"ℓ(h[2..58])", "⊠ c[2..58]", "c[2..58]", "h[2..58]"} <= set(marks)
    assert len(marks) < 25


def test_influence():
    g = scg.Graph()
    p = scg.Plate("batch", length=2)
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.2)), plates=p)
    g.cost("own", a * 1.0)
    b = g.sample("b", scg.Bernoulli(logits=a))
    g.cost("late", b + scg.stop_gradient(a))
    with pytest.warns(scg.StopWarning):
        links = compiled(g, scg.ScoreFunction()).draw(level="influence").scene.links
    assert {ends: link.label for ends, link in links.items()} == {
        ("a", "own"): "own batch",
        ("a", "late"): "own batch",
        ("b", "late"): "own batch",
    }
    long = compiled(chain(60), scg.ScoreFunction()).draw(level="influence").scene.links
    assert ("h[2..58]", "c[59]") in long and ("h[59]", "c[2..58]") not in long


def test_an_influence_that_is_stopped():
    g = scg.Graph()
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.2)))
    g.cost("loss", scg.stop_gradient(a) * 1.0)
    links = compiled(g, scg.ScoreFunction()).draw(level="influence").scene.links
    assert links["a", "loss"].blocked == ("stop",)


def test_a_program_has_every_operation_or_folds_by_node():
    g = scg.Graph()
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.2)))
    g.cost("loss", b * 2.0)
    step = compiled(g, scg.ScoreFunction())
    marks = step.draw(level="program").scene.marks
    assert len([m for m in marks.values() if m.kind == "loop"]) == len(step.program)
    assert {"t", "b/u"} <= set(marks) and "○ noise" in " ".join(texts(step.draw(level="program")))
    exact = compiled(g, scg.Enumeration()).draw(level="program")
    assert "no border: input or output" in texts(exact)
    step = compiled(gaussian_vae(np.full(4, 0.5)))
    picture = step.draw(level="program")
    assert len(picture.scene.marks) <= 30
    assert f"{len(step.program)} operations in" in " ".join(texts(picture))


def test_levels_and_backends():
    step = compiled(chain(3), scg.ScoreFunction())
    with pytest.raises(scg.CallError, match="level must be one of graph, influence, plan"):
        step.draw(level="x")
    with pytest.raises(scg.CallError, match="only a compiled step has a schedule"):
        step.draw(level="schedule")
    assert step.draw(level="graph").source == step.graph.draw().source


def test_a_schedule_of_a_network_fits_a_page_and_leads_one_way():
    pytest.importorskip("numba")
    step = scg.compile(gaussian_vae(np.full(20, 0.5)), backend="numba")
    data = {"x": np.ones((8, 20))}
    profile = step.profile(step.graph.init(seed=0), data=data, rounds=2)
    picture = step.draw(level="schedule", heat=profile)
    scene, lines = picture.scene, " ".join(texts(picture))
    assert networkx.is_directed_acyclic_graph(networkx.DiGraph(list(scene.links)))
    assert all(mark.fill.startswith("heat") for mark in scene.marks.values())
    assert "∂ pixels" in scene.marks and scene.upward["∂ pixels"] == "pixels"
    assert "← decoder1/{W, b}" in lines and "→ ∂/∂ decoder1/{W, b}" in lines
    width, height = size(picture)
    assert width < 600 and height < 842  # points: A4 is 595 wide and 842 high


def size(picture):
    root = ElementTree.fromstring(picture.render("svg"))
    return [float(root.get(side).removesuffix("pt")) for side in ("width", "height")]


def test_a_schedule_of_three_layers_has_the_arrows_that_imply_the_others():
    pytest.importorskip("numba")
    step = scg.compile(sbn(np.full(20, 0.5), (8, 6, 4)), scg.MuProp(), backend="numba")
    picture = step.draw(level="schedule")
    width, height = size(picture)
    assert width < 842 and height < 1100
    links, boxes = networkx.DiGraph(list(picture.scene.links)), list(picture.scene.marks)
    assert networkx.is_directed_acyclic_graph(links)
    least = networkx.transitive_reduction(links)
    assert set(least.edges) == set(links.edges) and len(links.edges) < 2 * len(boxes)
    below = networkx.descendants(links, "h1")  # samples of h1 reach all layers and gradients
    assert {"h2", "h3", "∂ h1", "∂ h2", "∂ h3", "∂ pixels"} <= below


def test_a_large_program_leads_one_way_too():
    step = compiled(chain(60), scg.ScoreFunction())
    picture = step.draw(level="program")
    assert len(picture.scene.marks) < 30
    assert f"in {len(picture.scene.marks)} boxes, by declared node" in " ".join(texts(picture))


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)).filter(lambda e: e[0] < e[1])))
def test_arrows_that_follow_from_others_are_left_out(edges):
    links = {ends: Link(label=str(ends)) for ends in edges}
    least = networkx.transitive_reduction(networkx.DiGraph(edges)).edges
    assert _reduced(links) == {ends: link for ends, link in links.items() if ends in least}


def test_the_arrows_of_thousands_of_boxes_are_reduced_at_once():
    """networkx' function, which takes cubic time, would not return."""
    path = {(i, i + 1): Link() for i in range(20_000)}
    assert _reduced(path | {(0, 20_000): Link(), (5, 9): Link()}) == path


def test_the_surrogate_of_two_nested_scans_fits_a_page():
    g = scg.Graph("nested")
    w = g.parameter("w", 0.1)

    def day(h):
        def hour(k):
            z = g.sample("z", scg.Bernoulli(logits=w * k + h))
            g.cost("c", (z - 0.3) ** 2)
            return np.tanh(k + z)

        last, _ = g.scan(hour, init=h, over=scg.Time("hour", length=4))
        return np.tanh(last)

    g.scan(day, init=0.1, over=scg.Time("day", length=3))
    picture = surrogate(g, scg.ScoreFunction())
    assert {"z[1,0..2]", "ℓ(z[1,0..2])", "⊠ c[1,0..2]"} <= picture.scene.marks.keys()
    assert size(picture)[0] < 842 and "own" not in texts(picture)


def test_boxes_of_one_node_are_no_repetition_that_folds():
    """Folded, they would lead to each other in both directions."""
    g = scg.Graph("two layers")
    t = g.parameter("t", 0.3)
    b = g.sample("b", scg.Bernoulli(logits=t))
    g.cost("c", (g.sample("y", scg.Bernoulli(logits=t * b)) - 0.4) ** 2 + b)
    picture = compiled(g, {"b": scg.REBAR(), "y": scg.DisARM()}).draw(level="program")
    assert networkx.is_directed_acyclic_graph(networkx.DiGraph(list(picture.scene.links)))
    assert "∂ b\u00a0(7)" in picture.scene.marks


def test_the_sum_of_the_costs_belongs_to_no_node():
    g = scg.Graph("costs")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.2)))
    g.cost("c", (b - 0.3) ** 2)
    g.cost("d", b * 0.5)
    outputs = compiled(g, scg.ScoreFunction()).program.outputs
    assert outputs["cost",].origin.name == "the objective"
    assert outputs["costs", "c"].origin.name == "c"


def test_legends_name_what_is_there():
    g = scg.Graph()
    z = g.sample("z", scg.Normal(g.parameter("m", 0.2), 1.0))
    g.observe("x", scg.Normal(z, 1.0), 0.3)
    lines = " ".join(texts(surrogate(g)))
    assert "● observed" in lines and "⊠" not in lines and "no derivative" not in lines
    g = scg.Graph()
    steps, t = scg.Time("t", length=3), g.parameter("t", 0.2)

    def cell(h):
        a = g.sample("a", scg.Bernoulli(logits=t * h))
        g.cost("c", a + h)
        return a

    g.scan(cell, init=0.1, over=steps)
    lines = texts(compiled(g, scg.ScoreFunction()).draw(level="influence"))
    assert "≥: to each element by its own cost and later ones" in lines
