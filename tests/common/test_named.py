"""Results by name: an unknown name is an error that lists the names."""

import copy
import pickle

import pytest

import scg
from scg.common.named import Named


@pytest.fixture(scope="module")
def results():
    g = scg.Graph("toy")
    b = g.sample("bit", scg.Bernoulli(logits=g.parameter("theta", 0.4)))
    g.cost("loss", b)
    step, params = scg.compile(g, scg.ScoreFunction(), backend="numpy"), {"theta": 0.4}
    found = scg.attribute(step, params)
    return {
        "stages": step.stages,
        "costs": step(params, seed=0).costs,
        "exact": scg.exact(g, params).costs,
        "moments": scg.moments(step, params).by_node(),
        "node": found.by_node,
        "term": found.by_term,
        "advice": scg.advise(g, params, runs=2),
        "noise": step.noise(seed=0),
        "samples": g.simulate(params, nodes=["bit"], seed=0),
    }


@pytest.mark.parametrize(
    ("what", "typo", "message"),
    [
        ("stages", "surogate", "no 'surogate'; did you mean 'surrogate'?; there are: 'graph', "),
        ("costs", "los", "no 'los'; did you mean 'loss'?; there are: 'loss'"),
        ("exact", "x", "no 'x'; there are: 'loss'"),
        ("moments", 0, "no 0; there are: 'bit'"),
        ("node", "x", "no 'x'; there are: 'bit'"),
        ("term", "x", "no 'x'; there are: 'loss · "),
        ("advice", "x", "no 'x'; there are: 'bit'"),
        ("noise", "bit", "no 'bit'; did you mean 'bit/u'?; there are: 'bit/u'"),
        ("samples", "bat", "no 'bat'; did you mean 'bit'?; there are: 'bit'"),
    ],
)
def test_an_unknown_name_lists_the_names(results, what, typo, message):
    found = results[what]
    with pytest.raises(scg.CallError) as error:
        found[typo]
    assert str(error.value).startswith(message) and isinstance(error.value, KeyError)
    assert typo not in found and found.get(typo, 7) == 7


def test_it_is_a_dict():
    found = Named(a=1.0)
    assert found == {"a": 1.0} and repr(found) == "{'a': 1.0}"
    for again in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
        assert type(again) is Named and again == found
    with pytest.raises(scg.CallError, match="no 'b'; there are: none"):
        Named()["b"]


def test_gradients_are_plain_dicts_of_which_jax_makes_trees():
    g = scg.Graph("toy")
    g.cost("loss", g.parameter("theta", 0.4) ** 2)
    out = scg.compile(g, backend="numpy")({"theta": 0.4}, seed=0)
    assert type(out.grads) is type(out.stderr) is type(g.init(seed=0)) is dict
