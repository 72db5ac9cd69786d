"""The flow of credit: which arrows are coloured, on models for which this is known."""

import numpy as np
import pytest

import scg
from scg.draw import flow
from scg.ir.walk import named_below
from scg.models.sbn import sbn
from scg.models.vae import bernoulli_vae, gaussian_vae
from tests.draw.pictures import coloured, looks


def drawn(g, estimator=None, **options):
    return scg.compile(g, estimator, backend="numpy").draw(fold=False, **options)


def model():
    g = scg.Graph("flow")
    t, s = g.parameter("t", 0.2), g.parameter("s", 1.0)
    x = g.data("x")
    with g.scope("inner"):
        a = g.sample("a", scg.Bernoulli(logits=t * x))
    z = g.sample("z", scg.Normal(a + s, 1.0))
    h = g.deterministic("h", np.tanh(a * s))
    jump = g.deterministic("jump", np.where(z > 0.0, 1.0, 0.0))
    g.sample("unused", scg.Bernoulli(logits=h))
    g.cost("loss", (h - scg.stop_gradient(z)) ** 2 + x * t)
    g.cost("jumps", jump + h)
    return g


def test_the_edges_are_those_of_the_declared_graph():
    g = model()
    assert set(g.draw(fold=False).scene.links) == set(g.to_networkx().edges)
    assert {e: b for e, b in looks(g.draw(fold=False)).items() if b != "open"} == {
        ("z", "loss"): "stop"
    }


@pytest.mark.filterwarnings("ignore::scg.StopWarning")
def test_credit_by_score_by_derivative_both_or_none():
    assert looks(drawn(model(), scg.ScoreFunction())) == {
        ("t", "inner/a"): "derivative",
        ("x", "inner/a"): "",
        ("inner/a", "z"): "score",
        ("s", "z"): "derivative",
        ("inner/a", "h"): "score",
        ("s", "h"): "derivative",
        ("z", "jump"): "score",
        ("h", "unused"): "",  # it leads to no cost
        ("h", "loss"): "derivative+score",
        ("z", "loss"): "stop",
        ("x", "loss"): "",
        ("t", "loss"): "derivative",
        ("jump", "jumps"): "score",
        ("h", "jumps"): "derivative+score",
    }


def test_of_a_vae_the_arrows_that_lead_to_no_cost_are_grey():
    picture = scg.compile(gaussian_vae(np.full(4, 0.5)), backend="numpy").draw()
    encoder, decoder = "encoder1/\nloc/\nlog_scale/", "decoder1/\nto_x/"
    links = picture.scene.links
    assert coloured(picture) == {
        (encoder, "h"): "derivative",
        ("h", "loss"): "derivative",
        ("h", decoder): "derivative",
        (decoder, "loss"): "derivative",
    }
    grey = {("x", encoder), ("x", "loss"), ("x", "log_weight"), ("h", "log_weight")}
    assert set(links) - set(coloured(picture)) == grey | {
        (decoder, "pixels"),
        (decoder, "log_weight"),
    }
    assert {e for e, x in links.items() if x.density} == {("h", "loss"), ("h", "log_weight")}
    assert picture.scene.marks["h"].fill == "guide"


def test_muprop_colours_its_mean_field_pass_beside_the_score():
    g = sbn(np.full(4, 0.5), (3, 2))
    found = coloured(scg.compile(g, scg.MuProp(), backend="numpy").draw())
    assert found["h1", "h2"] == "field+score"
    assert found["h2", "log_weight"] == "derivative+field+score"  # the derivative is log q's
    assert found["log_weight", "loss"] == "derivative+field+score"
    assert found["encoder2/{W, b}", "h2"] == "derivative"
    assert ("h1", "pixels") not in found and ("x", "h1") not in found
    score = coloured(scg.compile(g, scg.ScoreFunction(), backend="numpy").draw())
    assert score["h1", "h2"] == "score"


def test_a_relaxed_replay_is_a_pass_of_its_own():
    g = scg.Graph()
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.2)))
    g.cost("loss", (b - 0.4) ** 2)
    assert coloured(drawn(g, scg.REBAR()))["b", "loss"] == "relaxed+score"


def test_constrained_parameters_are_learned():
    g = scg.Graph()
    sigma = g.parameter("sigma", 1.5, constraint=scg.positive)
    z = g.sample("z", scg.Normal(0.0, sigma))
    g.cost("loss", z**2 + sigma)
    assert scg.compile(g)({"sigma": 1.5}, seed=0).grads["sigma"] != 0
    assert coloured(drawn(g)) == dict.fromkeys(
        [("sigma", "z"), ("sigma", "loss"), ("z", "loss")], "derivative"
    )


def test_a_sample_without_learned_parents_has_no_credit_of_its_own():
    g = scg.Graph()
    a = g.sample("a", scg.Bernoulli(probs=0.5))
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.1) * a))
    g.cost("loss", a + b)
    assert looks(drawn(g, scg.ScoreFunction())) == {
        ("a", "b"): "",
        ("t", "b"): "derivative",
        ("a", "loss"): "",
        ("b", "loss"): "score",
    }


def test_credit_passes_through_samples_that_are_not_learned():
    g = scg.Graph()
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.1)))
    c = g.sample("c", scg.Bernoulli(probs=0.2 + 0.5 * a))
    g.cost("loss", c * 1.0)
    assert coloured(drawn(g, scg.ScoreFunction())) == {
        ("t", "a"): "derivative",
        ("a", "c"): "score",
        ("c", "loss"): "score",
    }


def test_a_derivative_that_a_jump_cuts_off_is_coloured_nowhere_above_it():
    g = scg.Graph()
    t = g.parameter("t", 0.2)
    h = g.deterministic("h", t * 2.0)
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("s", 0.1)))
    g.cost("loss", a * np.where(h > 0.0, 1.0, 2.0))
    assert looks(drawn(g, scg.Enumeration())) == {
        ("t", "h"): "",
        ("s", "a"): "derivative",
        ("a", "loss"): "weight",
        ("h", "loss"): "greater",
    }


def test_a_stop_beside_an_open_path():
    g = scg.Graph()
    z = g.sample("z", scg.Normal(g.parameter("t", 0.2), 1.0))
    g.cost("loss", z * scg.stop_gradient(z))
    g.cost("other", scg.stop_gradient(z))
    with pytest.warns(scg.StopWarning):
        found = looks(drawn(g, scg.ScoreFunction()))
    assert found["z", "loss"] == "score" and found["z", "other"] == "stop"


def test_a_hidden_markov_model():
    g = scg.Graph()
    A, B = g.parameter("A", shape=(2, 2)), g.parameter("B", shape=(2, 2))
    z = None
    for t in range(3):
        logits = np.zeros(2) if z is None else z @ A
        z = g.sample(f"z[{t}]", scg.OneHotCategorical(logits=logits))
        g.observe(f"x[{t}]", scg.Categorical(logits=z @ B), g.data(f"y[{t}]", kind="int"))
    picture = scg.compile(g, scg.ScoreFunction(), backend="numpy").draw()
    assert coloured(picture) == {
        **{(f"z[{t}]", f"x[{t}]"): "score" for t in (1, 2)},
        **{("B", f"x[{t}]"): "derivative" for t in range(3)},
        **{("A", f"z[{t}]"): "derivative" for t in (1, 2)},
        ("z[1]", "z[2]"): "score",
    }  # z[0] has a fixed distribution
    assert picture.scene.rows == [["z[0]", "z[1]", "z[2]"]]
    assert picture.scene.marks["x[1]"].kind == "observed" and "y[1]" not in picture.scene.marks


def test_mixed_plates_change_no_colour():
    g = scg.Graph()
    p = scg.Plate("batch", length=3)
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("t", 0.1)), plates=p)
    g.cost("mixed", scg.plate_mean(b, p) ** 2)
    assert coloured(drawn(g, scg.LeaveOneOut(samples=2))) == {
        ("t", "b"): "derivative",
        ("b", "mixed"): "score",
    }


def test_data_are_coloured_only_where_they_are_learned():
    g = scg.Graph()
    x = g.data("x")
    g.cost("loss", x**2 * g.parameter("t", 1.0))
    assert coloured(drawn(g)) == {("t", "loss"): "derivative"}


def test_a_divergence_comes_from_the_sample_whose_distribution_it_is():
    g = bernoulli_vae(np.full(4, 0.5), hidden=2)
    links = g.draw().scene.links
    assert ("to_h/{W, b}", "loss") not in links and links["h", "loss"].density


def test_a_shared_argument_belongs_to_no_sample():
    g = scg.Graph()
    eta = 2.0 * g.parameter("t", 0.1)
    a = g.sample("a", scg.Bernoulli(logits=eta))
    b = g.sample("b", scg.Bernoulli(logits=eta))
    g.cost("loss", a + b + eta)
    assert ("t", "loss") in g.draw().scene.links


def test_what_a_sample_depends_on_is_not_drawn_below_it():
    g = scg.Graph()
    loc = 2.0 * g.parameter("t", 0.1)
    s = g.deterministic("s", np.exp(loc))
    z = g.sample("z", scg.Normal(loc, s))
    g.cost("loss", z**2)
    assert set(g.draw().scene.links) == {("t", "s"), ("t", "z"), ("s", "z"), ("z", "loss")}


def test_two_names_of_one_node():
    g = scg.Graph()
    t = g.parameter("t", 0.2)
    g.deterministic("alias", t)
    g.cost("loss", t**2)
    assert set(g.draw().scene.links) == {("t", "alias"), ("t", "loss")}
    assert coloured(drawn(g)) == {("t", "loss"): "derivative"}


def test_a_density_comes_from_its_sample_also_where_parameters_are_its_arguments():
    g = scg.Graph()
    mu, sigma = g.parameter("mu", 0.0), g.parameter("sigma", 1.0, constraint=scg.positive)
    z = g.sample("z", scg.Normal(mu, sigma))
    g.cost("loss", z.log_prob() - z**2)
    picture = drawn(g)
    assert coloured(picture) == dict.fromkeys(
        [("mu", "z"), ("sigma", "z"), ("z", "loss")], "derivative"
    )
    assert picture.scene.links["z", "loss"].density
    g.cost("own", mu * 2.0)  # another use of a parameter has its own arrow
    assert ("mu", "own") in drawn(g).scene.links


def test_a_named_density_is_that_of_its_sample():
    g = scg.Graph()
    z = g.sample("z", scg.Bernoulli(logits=g.parameter("t", 0.1)))
    g.cost("loss", g.deterministic("log_q", z.log_prob()) + z)
    links = g.draw().scene.links
    assert set(links) == {("t", "z"), ("z", "log_q"), ("log_q", "loss"), ("z", "loss")}
    assert links["z", "log_q"].density and not links["z", "loss"].density


def test_a_picture_in_the_middle_of_a_declaration_changes_nothing_after_it():
    def declared(draws):
        g = scg.Graph()
        z = g.sample("z", scg.Normal(g.parameter("mu", 0.0), g.parameter("sigma", 1.0)))
        half = z * 0.5
        if draws:
            g.draw()
        g.cost("loss", half + z.log_prob())
        return [
            (e.op.name, e.origin.name) for e in scg.compile(g, backend="numpy").program.operations
        ]

    assert declared(True) == declared(False)


def test_a_mean_field_pass_goes_through_means_alone():
    g = scg.Graph()
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.1)))
    z = g.sample("z", scg.Normal(0.5 * a, 1.0 + a))
    y = g.sample("y", scg.Normal(0.0, 1.0 + a))
    g.cost("loss", z**2 + y**2)
    step = scg.compile(g, {"a": scg.MuProp(), "z": scg.ScoreFunction(), "y": scg.ScoreFunction()})
    found = coloured(step.draw())
    assert found["a", "z"] == "field+score" and found["a", "y"] == "score"


@pytest.mark.parametrize("density", ["log q", "entropy"])
def test_a_density_of_a_carry_is_a_ring_and_another_use_of_it_is_not(density):
    g, t = scg.Graph(), scg.Time("t", length=3)
    theta = g.parameter("theta", 0.4)

    def cell(h):
        z = g.sample("z", scg.Bernoulli(logits=h))
        g.cost("own", z.log_prob() if density == "log q" else -z.dist.entropy())
        g.cost("other", scg.Bernoulli(logits=h).log_prob(1.0) + h**2)
        return np.tanh(theta * h + z)

    g.scan(cell, init=0.5, over=t)
    links = g.draw().scene.links
    assert links["z", "own"].density and ("theta", "own") not in links
    for tail in ("z", "theta"):
        assert links[tail, "other"].later and not links[tail, "other"].density


def test_a_later_stop_leaves_an_open_arrow_open():
    g, t = scg.Graph(), scg.Time("t", length=3)
    z0 = g.sample("z0", scg.Normal(g.parameter("m", 0.0), 1.0))
    theta = g.parameter("theta", 0.4)

    def cell(h):
        g.cost("c", (h - 0.3) ** 2)
        return scg.stop_gradient(h) * theta

    g.scan(cell, init=z0, over=t)
    link = g.draw().scene.links["z0", "c"]
    assert link.kinds and not link.blocked and not link.label


def rings(g):
    """The arrows whose heads use the distribution of their tails."""
    return {ends for ends, link in g.draw(fold=False).scene.links.items() if link.density}


def test_an_argument_that_a_cost_uses_without_the_density_has_its_own_arrow():
    g = scg.Graph()
    loc = 2.0 * g.parameter("t", 0.1)
    z = g.sample("z", scg.Normal(loc, 1.0))
    g.cost("loss", (z - loc) ** 2)
    assert ("t", "loss") in g.draw().scene.links and not rings(g)
    assert g.draw().scene.marks["z"].fill == ""


@pytest.mark.parametrize("declared", [True, False])
def test_a_divergence_is_recorded_from_a_node_and_from_its_distribution(declared):
    g = scg.Graph()
    q = scg.Normal(2.0 * g.parameter("mu", 0.1), 1.0)
    p = scg.Normal(g.parameter("nu", 0.1), 1.0)
    z = g.sample("z", q)
    g.cost("loss", (z.dist if declared else q).kl(p))
    links = set(g.draw().scene.links)
    assert rings(g) == {("z", "loss")} and links == {("mu", "z"), ("nu", "loss"), ("z", "loss")}


def test_a_divergence_from_a_bare_carry_keeps_its_ring():
    g, t = scg.Graph(), scg.Time("t", length=3)
    theta = g.parameter("theta", 0.4)

    def cell(h):
        z = g.sample("z", scg.Normal(h, 1.0))
        g.cost("kl", z.dist.kl(scg.Normal(0.0, 1.0)))
        return np.tanh(theta * h + z)

    g.scan(cell, init=0.5, over=t)
    assert rings(g) == {("z", "kl")} and ("theta", "kl") not in g.draw().scene.links
    assert rings(g.unroll(t=3)) == {(f"z[{i}]", f"kl[{i}]") for i in (1, 2)}  # 0.5 is a constant


def test_equal_distributions_are_told_apart_by_the_value():
    g = scg.Graph()
    law = scg.Normal(2.0 * g.parameter("mu", 0.1), 1.0)
    a, b = g.sample("a", law), g.sample("b", law)
    g.observe("x", law, g.data("y"))
    g.cost("of a", a.log_prob() + b)
    g.cost("of none", law.log_prob(b * 0.5) + law.entropy())
    assert rings(g) == {("a", "of a")}
    links = set(g.draw().scene.links)
    assert {("mu", "of none"), ("mu", "x"), ("b", "of none")} <= links


def test_a_density_records_the_plates_that_its_carry_gets():
    g, t = scg.Graph(), scg.Time("t", length=2)
    batch = scg.Plate("batch", length=2)
    x = g.data("x", plates=batch)

    def cell(h):
        z = g.sample("z", scg.Normal(h, 1.0))
        g.cost("own", z.log_prob() + (z - x) ** 2)
        return z * 0.5 + x

    g.scan(cell, init=g.parameter("start", 0.5), over=t)
    assert rings(g) == {("z", "own")}


def test_a_mean_that_is_an_argument_is_not_searched(monkeypatch):
    """Each mean of a chain depends on all nodes before it."""
    visits = []

    def counted(goal, names):
        return named_below(goal, names, lambda expr: visits.append(expr) or expr.args)

    monkeypatch.setattr(flow, "named_below", counted)

    def visited(length):
        g = scg.Graph()
        h = g.parameter("theta", 0.1)
        for i in range(length):
            h = g.sample(f"h[{i}]", scg.Normal(h, 1.0) if i % 2 else scg.Bernoulli(logits=h))
        g.cost("loss", h)
        visits.clear()
        assert len(flow.edges(g)) == length + 1
        return len(visits)

    assert visited(40) == 2 * visited(20) > 0
