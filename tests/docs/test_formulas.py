"""The notation of formulas: what is read, and what is not."""

import re

import numpy as np
import pytest
from formulas.notation import read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("f(x", "expected ')' before ''"),
        ("f(x) +", "expected a factor before ''"),
        ("f(x) ? 2", "cannot read ' ? 2'"),
        ("Σ f(x)", "expected an index before ' f(x)'"),
        ("f(x) g)", "expected 'the end' before ')'"),
    ],
)
def test_a_formula_that_cannot_be_read_says_where(text, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        read(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a/b c − 1", 2 / 4 * 3 - 1),
        ("−a^2 + |b (a − c)|", -4 + 4),
        ("1[a < b] + 1[a ≠ a] + 1[c > b]", 1),
        ("Σᵢ<ⱼ vᵢ vⱼ", 1 * 2 + 1 * 5 + 2 * 5),
        ("Σᵢ vᵢ Σⱼ≠ᵢ vⱼ/a", 17),
        ("vᵀ(v − w) c, w = 2 v", -90),
        ("g(a), g(c) = c^2 + b, b = 7", 11),
        ("∇θ (θ^2 s), s = θ", 2 * 5 * 5),
    ],
)
def test_formulas_mean_what_they_look_like(text, value):
    symbols = {"a": 2.0, "b": 4.0, "c": 3.0, "v": np.array([1.0, 2.0, 5.0]), "θ": np.array(5.0)}
    over = {"i": range(3), "j": range(3)}
    assert read(text).value(symbols, over) == pytest.approx(value, abs=1e-12)
