"""Sets of members against Python's sets, and how they print."""

from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scg.compiler.members import Universe, added, names, shared_sum

LETTERS = Universe("abcdefghijkl")
SETS = st.sets(st.sampled_from(LETTERS))


def members(items):
    return LETTERS.union(map(LETTERS.only, items))


@given(SETS, SETS)
def test_operations_are_those_of_sets(one, other):
    a, b = members(one), members(other)
    assert list(a) == sorted(one) and len(a) == len(one) and bool(a) == bool(one)
    assert set(a | b) == one | other and set(a & b) == one & other and set(a - b) == one - other
    assert all((letter in a) == (letter in one) for letter in "az") and None not in a
    assert (a == b) == (one == other) and hash(a | b) == hash(b | a)
    assert a == tuple(sorted(one)) and a != tuple("zy")
    assert [letter for run in a.runs() for letter in run] == sorted(one)
    assert all("".join(run) in "".join(LETTERS) for run in a.runs())
    assert all(a.stretch(letter) == run for run in a.runs() for letter in run)
    if one:
        assert (a.first, a.last) == (min(one), max(one)) == (a[0], a[-1])
    assert set(LETTERS.every - a) == set(LETTERS) - one and not LETTERS.none


def test_long_sets_are_abbreviated():
    assert repr(members("cab")) == "Members(a, b, c)"
    assert names(LETTERS.every) == names(LETTERS) == "a, b, c, …, l"
    assert names([]) == names(LETTERS.none) == ""
    assert added(members("ab"), "letters") == "a + b"
    assert added(LETTERS.every, "letters", str.upper) == "A + B + … + L, 12 letters"


@given(st.lists(SETS, min_size=1))
def test_sums_are_made_from_smaller_ones(sets):
    known, counted = {}, []

    def value(letter):
        counted.append(letter)
        return None if letter == "a" else ord(letter)

    for one in sets:
        total = shared_sum(known, "key", members(one), lambda some: some.last, value)
        assert (total or 0) == sum(ord(letter) for letter in one - {"a"})
    again = len(counted)
    shared_sum(known, "key", members(sets[0]), lambda some: some.last, value)
    assert len(counted) == again


@pytest.mark.parametrize("end", ["first", "last"])
def test_sums_of_a_grid_share_its_rows(end):
    side, known = 16, {}
    grid = Universe((i, j) for i in range(side) for j in range(side))
    for i, j in grid if end == "last" else grid[::-1]:
        one = [
            (a, b) for a, b in grid if (a <= i and b <= j if end == "last" else a >= i and b >= j)
        ]
        part = grid.union(map(grid.only, one))
        assert shared_sum(known, "key", part, attrgetter(end), lambda cell: 1) == len(one)
    assert len(known) <= 3 * side**2  # not of the order of side³
