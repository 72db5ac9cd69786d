"""What is said of the table: for which nodes an entry was made, and its picture."""

import re
from pathlib import Path

import numpy as np
import pytest

import scg
from scg.draw import schedule

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


def test_the_schedule_shows_entries_leaves_and_outputs(step, tmp_path):
    source = step.draw(level="schedule").source
    entries = step.program.engine().schedule.entries
    assert len(re.findall(r"^\te\d+ \[label", source, re.M)) == len(entries)
    for text in ("layer/w[3, 2]", "layer/h/u[batch, 2]", "∂/∂layer/w", "objective", "cost loss"):
        assert f'"{text}"' in source or f"={text} " in source, text
    assert "gemm [batch, 2]" in source and f"for {PLACES['loss']}" in source
    step.draw(str(tmp_path / "schedule.dot"), level="schedule")
    assert (tmp_path / "schedule.dot").read_text(encoding="utf-8") == source


def test_every_array_that_an_entry_reads_comes_from_somewhere(step):
    source = step.draw(level="schedule").source
    edges = re.findall(r"^\t(\w+) -> (\w+)", source, re.M)
    engine = step.program.engine()
    alone = [all(base.value is not None for base in use.read) for use in engine.schedule.order]
    reading = {f"e{i}" for i, constant in enumerate(alone) if not constant}
    heads = {head for _, head in edges}
    order = enumerate(engine.schedule.order)
    assert {f"e{i}" for i, use in order if i and len(use.read) > 2} <= heads
    assert heads - {f"o{k}" for k in range(9)} <= reading
    nodes = set(re.findall(r"^\t(\w+) \[label", source, re.M))
    assert {end for edge in edges for end in edge} <= nodes


def test_many_entries_share_a_box_for_each_kernel(step, monkeypatch):
    monkeypatch.setattr(schedule, "SINGLY", 1)
    source = step.draw(level="schedule").source
    boxes = re.findall(r"^\tg\d+ \[label=\"(?:kernel \d+|gemm): (\d+) entries", source, re.M)
    profile = {row.kernel for _, _, row in profiled(step)}
    assert len(boxes) == len(profile)
    assert sum(map(int, boxes)) == len(step.program.engine().schedule.entries)
    assert "layer/w[3, 2]" not in source


def profiled(step):
    return step.profile(step.graph.init(seed=0), data={"x": np.ones((1, 3))}, rounds=1).rows


def test_wrong_levels_and_backends(step):
    with pytest.raises(scg.CallError, match='level must be "surrogate" or "schedule"'):
        step.draw(level="x")
    interpreted = scg.compile(declared(), scg.ScoreFunction(), backend="numpy")
    with pytest.raises(scg.CallError, match="only a compiled step has a schedule"):
        interpreted.draw(level="schedule")
    assert interpreted.draw().source == step.draw().source
