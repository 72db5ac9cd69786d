"""Prefetching: which arrays, when, and that it changes no bit."""

import numpy as np
import pytest

import scg

pytest.importorskip("numba")

from scg.engine.codegen import native
from scg.engine.table import prefetch
from scg.schedule.entries import Uses


def program(count):
    """Return a program that writes arrays one by one, and reads them from the last to the first."""
    g = scg.Graph("arrays")
    made = [-g.data(f"x{i}", shape=(512,)) for i in range(count)]
    used = [Uses((), (base,)) for base in made] + [Uses((base,), ()) for base in reversed(made)]
    return made, used


def foreseen(made, used, length):
    offsets = {base: length * i for i, base in enumerate(made)}
    return prefetch.foresee(used, dict.fromkeys(made, length), offsets)


def test_what_was_in_use_long_ago_is_asked_for_two_entries_before_it_is_read():
    length, count = prefetch.SHORT, 2 * prefetch.FAR // prefetch.SHORT
    made, used = program(count)
    found = foreseen(made, used, length)
    near = prefetch.FAR // length + 1
    expected = {2 * count - 1 - i - prefetch.AHEAD: [made[i]] for i in range(count - near)}
    assert {number: asked for number, asked in found.items() if asked} == expected
    assert expected


def test_long_entries_and_arrays_from_outside_are_left_alone():
    count = 2 * prefetch.FAR // prefetch.SHORT
    made, used = program(count)
    assert not any(foreseen(made, used, prefetch.SHORT + 1).values())
    lengths = dict.fromkeys(made, prefetch.SHORT)
    assert not any(prefetch.foresee(used, lengths, {}).values())
    assert not foreseen(made[:4], used[:4], prefetch.FAR)


def test_nothing_is_asked_for_where_nothing_was():
    made, used = program(2 * prefetch.FAR // prefetch.SHORT)
    assert not foreseen(made, used[len(made) :], prefetch.SHORT)


def test_a_place_that_another_array_has_now_is_near():
    made, used = program(4 * prefetch.FAR // prefetch.SHORT)
    used = [Uses((), (made[0],)), *used[1 : len(made)], Uses((made[0],), ())]
    shared = {base: prefetch.SHORT * (i % 3) for i, base in enumerate(made)}
    lengths = dict.fromkeys(made, prefetch.SHORT)
    assert not any(prefetch.foresee(used, lengths, shared).values())


@pytest.fixture
def everything_is_far(monkeypatch):
    monkeypatch.setattr(prefetch, "FAR", 256)
    monkeypatch.setattr(prefetch, "FEWEST", 0)


def compiled():
    g = scg.Graph("chain")
    h = g.data("x", shape=(3,), plates=scg.Plate("batch"))
    w = g.parameter("W", shape=(3, 3))
    for t in range(12):
        h = g.sample(f"h{t}", scg.Bernoulli(logits=h @ w))
    g.cost("loss", np.sum((h - 0.3) ** 2))
    return scg.compile(g, scg.ScoreFunction(), backend="numba"), g.init(seed=0)


@pytest.mark.usefixtures("everything_is_far")
def test_prefetching_changes_no_bit(monkeypatch):
    x = np.ones((7, 3))
    step, params = compiled()
    found = step(params, seed=0, x=x)
    (plan,) = step.program.engine()._plans.values()
    function = native.address(prefetch.SOURCE)
    assert sum(row.function == function for row in plan._rows) >= 12
    monkeypatch.setattr(prefetch, "FAR", 1 << 30)
    step, params = compiled()
    expected = step(params, seed=0, x=x)
    (plan,) = step.program.engine()._plans.values()
    assert not any(row.function == function for row in plan._rows)
    np.testing.assert_array_equal(found.grads["W"], expected.grads["W"])


@pytest.mark.usefixtures("everything_is_far")
def test_sizes_compile_nothing_later(monkeypatch):
    step, params = compiled()
    step(params, seed=0, x=np.ones((1, 3)))
    loaded, load = [], native._load
    monkeypatch.setattr(native, "_load", lambda payload: loaded.append(payload) or load(payload))
    step(params, seed=0, x=np.ones((90, 3)))
    assert not loaded
