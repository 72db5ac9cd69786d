"""Names with accents and indices as LaTeX."""

from __future__ import annotations

import re

_GREEK = {
    "α": "alpha", "β": "beta", "ε": "varepsilon", "η": "eta", "θ": "theta", "λ": "lambda",
    "μ": "mu", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "varphi",
}  # fmt: skip
_ACCENTS = {"\u0302": "hat", "\u0303": "tilde", "\u0304": "bar"}
_ABOVE = {"⁺": "+", "⁻": "-", "¹": "1"}


def typeset(name: str, indices: tuple[str, ...] = ()) -> str:
    r"""LaTeX for a name whose accents are separate characters.

    Examples
    --------
    >>> typeset("z\u0303", ("i",)), typeset("F⁻¹"), typeset("θ"), typeset("f′")
    ('\\tilde{z}_{i}', 'F^{-1}', '\\theta', "f'")
    """
    base = re.match(r"[A-Za-zα-ω]+", name)
    assert base
    word, marks = base[0], name[base.end() :]
    text = rf"\{_GREEK[word]}" if word in _GREEK else word
    text = rf"\operatorname{{{word}}}" if len(word) > 1 else text
    for mark in marks:
        text = rf"\{_ACCENTS[mark]}{{{text}}}" if mark in _ACCENTS else text
    above = "".join(_ABOVE.get(mark, "") for mark in marks)
    below = ("-" if "₋" in marks else "") + " ".join(indices)
    text += "'" * marks.count("′") + (f"^{{{above}}}" if above else "")
    return text + (f"_{{{below}}}" if below else "")
