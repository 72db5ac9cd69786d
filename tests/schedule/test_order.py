"""The order of entries: dependences, memory, and the bits of the order of levels."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scg
from scg.schedule.entries import Uses
from scg.schedule.order import elements, order

pytest.importorskip("numba")


def arrays(sizes):
    """Return expressions of some sizes, of which half lie on a plate."""
    graph, plate = scg.Graph("arrays"), scg.Plate("batch")
    leaves = [
        graph.data(f"x{i}", shape=(size,), plates=plate if i % 2 else None)
        for i, size in enumerate(sizes)
    ]
    return [-leaf for leaf in leaves], leaves


@st.composite
def programs(draw):
    """Draw what entries use: new arrays, some written by two entries, and any that are there."""
    used: list[Uses] = []
    count = draw(st.integers(1, 25))
    results, leaves = arrays(draw(st.lists(st.integers(1, 50), min_size=count, max_size=count)))
    there = leaves[:3]
    for result in results:
        read = draw(st.lists(st.sampled_from(there), max_size=4, unique_by=id))
        used += [Uses(tuple(read), (result,))] * draw(st.integers(1, 2))
        there.append(result)
    kept = draw(st.lists(st.sampled_from(results), max_size=3, unique_by=id))
    return used, set(kept)


def held(used, kept):
    """Return the most elements that lie in the arena after an entry, for somebody to read."""
    left = Counter(base for use in used for base in use.read)
    live, most = {}, 0
    for read, written in used:
        live |= {base: elements(base) for base in written if base not in kept}
        left.subtract(read)
        for base in (*read, *written):
            if not left[base]:
                live.pop(base, None)
        most = max(most, sum(live.values()))
    return most


@given(programs())
def test_entries_run_once_after_all_that_write_what_they_use(program):
    used, kept = program
    turns = order(used, kept)
    assert sorted(turns) == list(range(len(used)))
    at = {number: turn for turn, number in enumerate(turns)}
    for number, use in enumerate(used):
        for earlier in range(number):
            if {*use.read, *use.written} & {*used[earlier].written}:
                assert at[earlier] < at[number]


@given(programs())
def test_no_more_is_held_than_in_the_order_of_levels(program):
    used, kept = program
    assert held([used[turn] for turn in order(used, kept)], kept) <= held(used, kept)


def test_what_frees_most_follows_at_once_and_the_last_of_them_first():
    (a, b, c, small, total), (x, *_) = arrays([8, 8, 8, 1, 1])
    made = [Uses((x,), (a,)), Uses((x,), (b,)), Uses((x,), (c,))]
    used = [*made, Uses((a,), (small,)), Uses((a, b), (total,))]
    assert order(used, {total}) == [0, 1, 4, 2, 3]  # 4 frees b; a waits for 3, which frees it
    assert order(used, {a, b, total}) == [0, 1, 2, 3, 4]


def chain(length):
    g = scg.Graph("chain")
    h = g.data("x", shape=(3,), plates=scg.Plate("batch"))
    w, c = g.parameter("W", shape=(3, 3)), g.parameter("c", shape=(3,))
    for t in range(length):
        h = g.sample(f"h{t}", scg.Bernoulli(logits=h @ w + c))
    g.cost("loss", np.sum((h - 0.3) ** 2))
    return g


@pytest.mark.parametrize("estimator", [scg.ScoreFunction(), scg.MuProp(), scg.LeaveOneOut()])
def test_results_have_the_bits_of_the_order_of_levels(estimator, monkeypatch):
    g, x = chain(20), np.random.default_rng(0).normal(size=(5, 3))
    params = {n: v + 0.1 for n, v in g.init(seed=0).items()}
    ours = scg.compile(g, estimator, backend="numba")(params, seed=1, x=x)
    monkeypatch.setattr("scg.schedule.schedule.order", lambda used, kept: range(len(used)))
    theirs = scg.compile(g, estimator, backend="numba")(params, seed=1, x=x)
    assert ours.cost == theirs.cost
    for name, grad in theirs.grads.items():
        np.testing.assert_array_equal(ours.grads[name], grad)


def test_the_gradients_of_a_chain_are_added_up_on_the_way():
    step = scg.compile(chain(200), scg.ScoreFunction(), backend="numba")
    used = step.program.engine().schedule.order
    writer = {base: i for i, use in enumerate(used) for base in use.written}
    waited = [
        max(i - writer[base] for base in use.read if base in writer)
        for i, use in enumerate(used)
        if len(use.read) > 40
    ]
    assert len(waited) >= 8
    assert max(waited) < 3 * 50  # entries; of 50 nodes one sum is made
