"""Networks: layers that follow each other are one box; unfolded, they are layers."""

import re

import numpy as np
import pytest

import scg
from tests.draw.pictures import coloured, texts


def model():
    g = scg.Graph("model")
    batch = scg.Plate("batch", reduce="sum")
    x = g.data("x", shape=6, plates=batch)
    h = np.tanh(scg.nn.mlp(g, "encoder", [5, 4])(x))
    z = g.sample("z", scg.Normal(scg.nn.linear(g, "mean", 2)(h), 1.0))
    g.cost("kl", z.dist.kl(scg.Normal(np.zeros(2), 1.0)))
    g.observe("seen", scg.Bernoulli(logits=scg.nn.mlp(g, "decoder", [5, 6])(z)), x)
    return g


def drawn(g, **options):
    return scg.compile(g, backend="numpy").draw(**options)


def test_a_network_is_one_box_with_its_parameters():
    picture = drawn(model())
    marks, encoder = picture.scene.marks, "encoder/\nmean/"
    assert [k for k, mark in marks.items() if mark.kind == "network"] == [encoder, "decoder/"]
    assert marks["decoder/"].members == tuple(
        f"decoder/{i}/{p}" for i in range(2) for p in ("W", "b")
    )
    assert not [mark for mark in marks.values() if mark.kind == "parameter"]
    assert marks["decoder/"].groups == marks["z"].groups
    assert coloured(picture) == dict.fromkeys(
        [(encoder, "z"), ("z", "kl"), ("z", "decoder/"), ("decoder/", "seen")], "derivative"
    )
    assert picture.scene.links["z", "kl"].density
    assert {"3 layers, 6 parameters", "2 layers, 4 parameters"} <= set(texts(picture))


def test_unfolded_it_is_its_layers_and_with_fold_false_its_parameters():
    marks = drawn(model(), unfold="encoder").scene.marks
    assert {"encoder/0/", "encoder/1/", "mean/", "decoder/"} <= marks.keys()
    marks = drawn(model(), fold=False).scene.marks
    assert {"encoder/0/W", "mean/b", "decoder/1/b"} <= marks.keys()
    folded = drawn(model(), fold="decoder").scene.marks["decoder/"]
    assert folded.members == drawn(model()).scene.marks["decoder/"].members


LEVELS = ("graph", "influence", "plan", "surrogate", "program", "schedule")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("option", ["fold", "unfold"])
def test_a_scope_that_is_none_is_refused_at_each_level(option, level):
    step = scg.compile(model(), backend="numba" if level == "schedule" else "numpy")
    step.draw(level=level, **{option: ["decoder*", "encoder/0/", "mean"]})
    known = "scopes are encoder, encoder/0, encoder/1, mean, decoder, decoder/0, decoder/1"
    near = f"{option} names 'decodr', which is not a scope; did you mean 'decoder'?; {known}"
    with pytest.raises(scg.CallError, match=re.escape(near)):
        step.draw(level=level, **{option: ("mean", "decodr")})
    with pytest.raises(scg.CallError, match=r"z.*which is not a scope"):
        step.draw(level=level, **{option: "z"})


@pytest.mark.parametrize("level", LEVELS)
def test_a_hidden_node_that_is_none_is_refused_at_each_level(level):
    step = scg.compile(model(), backend="numba" if level == "schedule" else "numpy")
    step.draw(level=level, hide="data")
    with pytest.raises(scg.CallError, match="hide names 'zz', which is not a node"):
        step.draw(level=level, hide=["data", "zz"])


def test_wrong_scopes():
    with pytest.raises(scg.CallError, match="unfold takes names or patterns, got 3"):
        model().draw(unfold=3)
    g = scg.Graph()
    g.cost("loss", g.parameter("theta", 0.4))
    with pytest.raises(scg.CallError, match=r"fold names 'loss', .*; the graph has no scopes"):
        g.draw(fold="loss")


def test_hidden_networks_are_contracted():
    scene = drawn(model(), hide="network").scene
    assert not [mark for mark in scene.marks.values() if mark.kind == "network"]
    assert ("x", "z") in scene.links and ("z", "seen") in scene.links


def test_a_single_layer_and_one_that_is_shared_are_no_networks():
    g = scg.Graph()
    x, y = g.data("x", shape=3), g.data("y", shape=3)
    shared, alone = scg.nn.mlp(g, "shared", [4, 2]), scg.nn.linear(g, "alone", 2)
    a = g.sample("a", scg.Bernoulli(logits=shared(x)))
    b = g.sample("b", scg.Bernoulli(logits=shared(y)))
    c = g.sample("c", scg.Bernoulli(logits=alone(x)))
    g.cost("loss", np.sum(a + b + c))
    kinds = {key: mark.kind for key, mark in g.draw().scene.marks.items()}
    assert "network" not in kinds.values()
    assert kinds["alone/{W, b}"] == kinds["shared/0/{W, b}\nshared/1/{W, b}"] == "parameter"


def test_a_parameter_that_others_use_and_an_output_with_a_name_stay_apart():
    g = scg.Graph()
    x = g.data("x", shape=3)
    h = scg.nn.mlp(g, "net", [4, 3])(x)
    out = g.deterministic("out", scg.nn.linear(g, "last", 1)(h))
    g.cost("loss", np.sum(out**2) + np.sum(g.named("net/0/W") ** 2))
    scene = g.draw().scene
    assert scene.marks["net/"].kind == "network"
    assert {("net/0/W", "net/"), ("net/0/W", "loss"), ("net/", "out")} <= set(scene.links)
    assert "net/0/W" not in scene.marks["net/"].members


def test_titles_of_networks_in_one_scope_differ():
    g = scg.Graph()
    with g.scope("vae"):
        z = g.sample("z", scg.Normal(scg.nn.mlp(g, "q", [3, 2])(g.data("x", shape=3)), 1.0))
        g.cost("loss", np.sum(scg.nn.mlp(g, "p", [3, 1])(z)))
    assert {"vae/q/", "vae/p/"} <= g.draw().scene.marks.keys()


def test_networks_in_the_cell_of_a_scan():
    g, t = scg.Graph(), scg.Time("t", length=3)
    batch = scg.Plate("batch", length=2)
    x = g.data("x", shape=2, plates=(batch, t))

    def cell(h, x):
        z = g.sample("z", scg.Normal(scg.nn.mlp(g, "net", [4, 2])(h), 1.0))
        g.cost("fit", np.sum((z - x) ** 2))
        return z

    g.scan(cell, init=np.zeros(2), xs=x, over=t)
    scene = g.draw().scene
    assert scene.marks["net/"].groups == scene.marks["z"].groups
    assert scene.links["z", "net/"].later and ("net/", "z") in scene.links
    assert "net/0/{W, b}\nnet/1/{W, b}" in g.unroll(t=3).draw().scene.marks
