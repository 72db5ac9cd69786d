"""What is said of the table: for which nodes an entry was made, and its picture."""

from pathlib import Path

import numpy as np
import pytest

import scg
from scg.draw import operations

pytest.importorskip("numba")


def declared():
    g = scg.Graph("model")
    x = g.data("x", shape=(3,), plates=scg.Plate("batch"))
    with g.scope("layer"):
        w = g.parameter("w", shape=(3, 2), init=scg.init.normal(0.5))
        h = g.sample("h", scg.Bernoulli(logits=x @ w))
    k = g.sample("k", scg.Bernoulli(logits=np.sum(h)))
    g.cost("loss", (k - 0.3) ** 2)
    return g


def line(text):
    """Return where `text` first stands in this file, as an origin says it."""
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return f"test_table.py:{next(i for i, found in enumerate(lines, 1) if text in found)}"


PLACES = {
    "layer/w": f"layer/w ({line('w = g.parameter(')})",
    "layer/h": f"layer/h ({line('h = g.sample(')})",
    "k": f"k ({line('k = g.sample(')})",
    "loss": f"loss ({line('g.cost(')})",
}


@pytest.fixture(scope="module")
def step():
    return scg.compile(declared(), scg.ScoreFunction(), backend="numba")


def test_expressions_know_the_declaration_that_they_were_made_for():
    g = declared()
    h, cost = g.named("layer/h"), g.costs["loss"]
    assert str(g.named("layer/w").origin) == PLACES["layer/w"]
    assert str(h.origin) == str(h.args[0].origin) == PLACES["layer/h"]
    assert str(cost.origin) == str(cost.args[0].origin) == PLACES["loss"]


def test_declaring_on_after_compiling_takes_no_origin_away():
    g = declared()
    scg.compile(g, scg.ScoreFunction())
    b = g.sample("b", scg.Bernoulli(logits=g.named("k") * 1.5))
    assert b.args[0].origin.name == "b"
    assert g.named("k").origin.name == "k" and g.costs["loss"].origin.name == "loss"


def test_a_profile_names_node_scope_and_line_of_every_entry(step):
    profile = step.profile(step.graph.init(seed=0), data={"x": np.ones((4, 3))}, rounds=2)
    origins = [row.origins for _, _, row in profile.rows]
    assert all(origins) and {o for row in origins for o in row} <= set(PLACES.values())
    products = [row.origins for _, _, row in profile.rows if row.kernel == "gemm"]
    assert products == [(PLACES["layer/h"],)] * len(products) != []  # forward and back
    assert f"for {PLACES['layer/h']}" in str(profile)


def test_a_profile_says_what_threads_share_and_why_not_the_rest():
    g, t = scg.Graph("m"), scg.Time("t")
    batch = scg.Plate("batch", reduce="mean")
    x, s = g.data("x", shape=(300,), plates=batch), g.data("s", plates=t)
    h, _ = g.scan(lambda h, s: np.tanh(h + s), init=np.zeros(2), xs=s, over=t)
    g.cost("a", np.sum(np.tanh(x @ g.parameter("w", np.ones((300, 300))))))
    g.cost("b", np.sum(scg.op(lambda v: 2.0 * v, shape=(2,))(h)))
    step = scg.compile(g, backend="numba")
    data = {"x": np.ones((600, 300)), "s": np.ones(4)}
    profile = step.profile(step.graph.init(seed=0), data=data, rounds=1)
    why = ["cut for threads", "steps of a scan wait for each other", "Python computes"]
    assert {*why} <= {*profile.shares} <= {*why, "too small to cut"}
    assert sum(profile.shares.values()) == pytest.approx(profile.total)
    assert all(f"µs       {each}" in str(profile) for each in why)


def test_a_profile_does_not_call_rows_shared_that_run_in_order():
    """A sum of 300 rows in single precision has parts for its accuracy, too small for threads."""
    g, batch = scg.Graph("m"), scg.Plate("batch", reduce="mean")
    x = g.data("x", shape=(3,), plates=batch)
    g.cost("a", np.sum(np.tanh(g.parameter("w", np.ones(3)) * x)))
    step = scg.compile(g, backend="numba", dtype="float32")
    profile = step.profile(g.init(seed=0), data={"x": np.ones((300, 3))}, rounds=1)
    assert max(rows for _, rows, _ in profile.rows) > 1
    assert [*profile.shares] == ["too small to cut"]


def test_the_schedule_shows_entries_leaves_and_outputs(step, tmp_path):
    picture = step.draw(level="schedule", fold=False)
    entries, marks = step.program.engine().schedule.entries, picture.scene.marks
    assert len([key for key in marks if key.startswith("#")]) == len(entries)
    assert {"layer/w", "layer/h/u", "-> grads layer/w", "-> cost ", "-> costs loss"} <= set(marks)
    shown = [line.text for mark in marks.values() for line in mark.lines]
    assert any("gemm [batch, 2]" in text for text in shown)
    assert any(f"for {PLACES['layer/h']}" in text for text in shown)
    step.draw(str(tmp_path / "schedule.dot"), level="schedule", fold=False)
    assert (tmp_path / "schedule.dot").read_text(encoding="utf-8") == picture.source


def test_every_array_that_an_entry_reads_comes_from_somewhere(step):
    scene = step.draw(level="schedule", fold=False).scene
    heads = {head for _, head in scene.links}
    for i, use in enumerate(step.program.engine().schedule.order):
        if any(base.value is None for base in use.read):
            assert f"#{i}" in heads
    assert {end for ends in scene.links for end in ends} <= set(scene.marks)


def test_many_entries_share_the_box_of_their_node(step, monkeypatch):
    monkeypatch.setattr(operations, "_SINGLY", 1)
    marks = step.draw(level="schedule").scene.marks
    assert any("layer/h" in key and key.startswith("∂ ") for key in marks)
    assert not any(key.startswith("#") for key in marks)


def test_a_profile_warms_the_schedule(step):
    profile = step.profile(step.graph.init(seed=0), data={"x": np.ones((1, 3))}, rounds=1)
    marks = step.draw(level="schedule", heat=profile).scene.marks.values()
    assert "heat3" in {mark.fill for mark in marks}
    with pytest.raises(scg.CallError, match="heat of a schedule is a profile of this step"):
        step.draw(level="schedule", heat={"loss": 1.0})


def profiled(step):
    return step.profile(step.graph.init(seed=0), data={"x": np.ones((1, 3))}, rounds=1).rows


def test_wrong_levels_and_backends(step):
    with pytest.raises(scg.CallError, match="level must be one of"):
        step.draw(level="x")
    interpreted = scg.compile(declared(), scg.ScoreFunction(), backend="numpy")
    with pytest.raises(scg.CallError, match="only a compiled step has a schedule"):
        interpreted.draw(level="schedule")
    assert interpreted.draw().source == step.draw().source
