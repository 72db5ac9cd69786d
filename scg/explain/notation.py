"""Notation: one text of a formula, and the same as LaTeX and as MathML.

Formulas are written as estimators state theirs: ``(f(xᵢ) − b) ∇θ log p(xᵢ; θ)``. Users' names
stand in angle quotes, ``‹loss›``, so that no name can be taken for a symbol.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from scg.compiler.members import LONGEST

#: A formula among words.
FORMULA = re.compile("⟦([^⟧]*)⟧")

_INSIDE = str.maketrans("‹›⟦⟧", "<>[]")
_SUBSCRIPTS = dict(zip("ᵢⱼₖₘₙₛᵥₓ₀₁₂₋₍₌₎", "ijkmnsvx012−(=)", strict=True))
_SUPERSCRIPTS = dict(zip("′ᵀ⁺⁻¹²", ["′", "⊤", "+", "−", "1", "2"], strict=True))
_ACCENTS = {"\u0302": ("hat", "^"), "\u0303": ("tilde", "~"), "\u0304": ("bar", "¯")}
_LOW = "".join(_SUBSCRIPTS)
_TOKENS = re.compile(
    r"‹(?P<node>[^›]*)›(?P<bar>[\u0302-\u0304]?)|(?P<number>\d+(?:\.\d+)?)|(?P<space>\s+)"
    r"|(?P<word>[A-Za-zℓα-ω]+)(?P<accent>[\u0302-\u0304]?)|(?P<sign>\S)"
)
_HIGH = rf"[{''.join(_SUPERSCRIPTS)}]*"
_AFTER = re.compile(
    rf"(?P<high>{_HIGH})(?:_\{{(?P<braced>(?:‹[^›]*›|[^}}])*)\}}|_(?P<one>\w)"
    rf"|(?P<low>[{_LOW}]+(?:[<≠][{_LOW}]+)?))?(?P<higher>{_HIGH})"
    rf"(?:\^(?P<power>\w[\u0302-\u0304]?[{_LOW}]*))?"
)
_GREEK = dict(
    zip(
        "αβγδεζηθκλμνξπρστφχψωℓ",
        "alpha beta gamma delta varepsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau "
        "varphi chi psi omega ell".split(),
        strict=True,
    )
)
_VARIABLES = _GREEK.keys() - {"ℓ"}  #: What ∇ names as its variable; ℓ is a function.
_SIGNS = {
    "Σ": r"\sum", "Π": r"\prod", "∫": r"\int", "∇": r"\nabla", "−": "-", "<": "< ", ">": "> ",
    "·": r"\cdot ", "≠": r"\ne ",
    "≥": r"\ge ", "≤": r"\le ",
    "≈": r"\approx ", "∈": r"\in ", "→": r"\to ", "⊠": r"\boxtimes ", "∂": r"\partial ",
    "…": r"\dots ", "{": r"\{", "}": r"\}", "%": r"\%", "&": r"\&", "#": r"\#",
    "~": r"\sim ", "_": r"\_", "$": r"\$", "^": r"\,\hat{}\,", "\\": r"\backslash ", "¬": r"\neg ",
    "⊤": r"\top", "′": r"\prime",
}  # fmt: skip

#: Signs beyond ASCII that have a formula; other letters are text.
KNOWN = "".join(c for c in {**_SIGNS, **_GREEK, **_SUBSCRIPTS, **_SUPERSCRIPTS} if not c.isascii())


class Token(NamedTuple):
    """A part of a formula with its indices."""

    kind: str  #: "node", "number", "space", "word" or "sign".
    text: str
    accent: str
    above: str
    below: str


def tokens(formula: str) -> Iterator[Token]:
    """The parts of a formula, in order."""
    text, place = unicodedata.normalize("NFD", formula).replace("=\u0338", "≠"), 0
    while place < len(text):
        found = _TOKENS.match(text, place)
        assert found is not None
        kind = next(k for k in ("node", "word", "number", "space", "sign") if found[k] is not None)
        place = found.end()
        above = below = ""
        if found[kind] == "∇" and text[place : place + 1] in _VARIABLES:
            below, place = text[place], place + 1
        elif kind != "space":
            after = _AFTER.match(text, place)
            assert after is not None
            place = after.end()
            above = "".join(_SUPERSCRIPTS[c] for c in after["high"] + after["higher"])
            above += after["power"] or ""
            low = "".join(_SUBSCRIPTS.get(c, c) for c in after["low"] or "")
            below = after["braced"] or after["one"] or low
        yield Token(kind, found[kind], found["accent"] or found["bar"] or "", above, below)


def plain(formula: str) -> str:
    """Formulas or words as text: names lose their quotes where they read like one symbol."""
    text = FORMULA.sub(r"\1", formula)
    return re.sub(r"‹([^›]*)›", lambda name: _bare(name[1]), text)


def _bare(name: str) -> str:
    return name if re.fullmatch(r"[\w/.'-]+(\[\d+\])*", name) else f"“{name}”"


def quoted(name: str) -> str:
    """A user's name as formulas have it."""
    return f"‹{name.translate(_INSIDE)}›"


def latex(formula: str) -> str:
    r"""LaTeX of a formula, for mathematical mode.

    Examples
    --------
    >>> print(latex("(‹loss› − b̄ᵢ) ∇θ log p(xᵢ; θ)"))
    (\mathrm{loss} - \bar{b}_{i})\, \nabla_{\theta}\, \log p(x_{i}; \theta)
    """
    parts = []
    for token in tokens(formula):
        if token.kind == "space":
            parts.append(" ")
            continue
        base = _tex(token)
        if base[0].isalpha() and parts and re.search(r"\\[A-Za-z]+$", parts[-1]):
            parts.append(" ")
        if token.accent:
            base = rf"\{_ACCENTS[token.accent][0]}{{{base}}}"
        if token.above:
            base += f"^{{{latex(token.above)}}}"
        if token.below:
            base += f"_{{{latex(token.below)}}}"
        parts.append(base)
    text = "".join(parts)
    return re.sub(
        r"([)}\]]) (?=[A-Za-z\\(])(?!\\(?:cdot|approx|in|to|mid|sim|ne)\b)", r"\1\\, ", text
    )


def _tex(token: Token) -> str:
    if token.kind == "node":
        return _name(unicodedata.normalize("NFC", token.text))
    if token.kind == "word":
        word = token.text
        if word in _GREEK:
            return rf"\{_GREEK[word]}"
        if word == "log":
            return r"\log"
        return word if len(word) == 1 else rf"\operatorname{{{''.join(map(_letter, word))}}}"
    return token.text if token.kind == "number" else _SIGNS.get(token.text, token.text)


def _name(text: str) -> str:
    """A user's name, upright; letters that mathematics does not have are text."""
    parts = []
    for c in text:
        sign = _SIGNS.get(c, "") if not c.isascii() or c in "<>^~\\" else ""
        other = rf"\text{{{c}}}" if not c.isascii() and c.isprintable() else escaped(c)
        parts.append(rf"\{_GREEK[c]} " if c in _GREEK else sign or other)
    return rf"\mathrm{{{''.join(parts).strip()}}}"


def _letter(character: str) -> str:
    return rf"\{_GREEK[character]} " if character in _GREEK else character


def escaped(text: str) -> str:
    """Text that LaTeX sets as it is."""
    special = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}"}
    marked = "".join(special.get(c, rf"\{c}" if c in "#$%&_{}" else c) for c in text)
    return marked.replace(" ", r"\ ")


def mathml(formula: str, look: Callable[[str], str] = lambda name: "") -> str:
    """MathML of a formula; `look` gives the attributes of a user's name."""
    body = "".join(map(lambda token: _element(token, look), tokens(formula)))
    return f"<math>{body}</math>"


def _element(token: Token, look: Callable[[str], str]) -> str:
    if token.kind == "space":
        return '<mspace width="0.22em"></mspace>'
    tag = {"node": "mi", "word": "mi", "number": "mn", "sign": "mo"}[token.kind]
    attributes = look(token.text) if token.kind == "node" else ""
    if tag == "mi":
        attributes += (
            ' mathvariant="normal"' if len(token.text) == 1 and token.kind == "node" else ""
        )
    if tag == "mo":
        attributes += ' stretchy="false"'
    base = f"<{tag}{attributes}>{html.escape(token.text)}</{tag}>"
    if token.accent:
        base = f"<mover>{base}<mo>{_ACCENTS[token.accent][1]}</mo></mover>"
    below = f"<mrow>{_row(token.below)}</mrow>"
    above = f"<mrow>{_row(token.above)}</mrow>"
    if token.above and token.below:
        return f"<msubsup>{base}{below}{above}</msubsup>"
    if token.above:
        return f"<msup>{base}{above}</msup>"
    return f"<msub>{base}{below}</msub>" if token.below else base


def _row(formula: str) -> str:
    return "".join(_element(token, lambda name: "") for token in tokens(formula))


def wrapped(formula: str, width: int) -> list[str]:
    """Lines of a formula: they end before signs that stand in few brackets, if they can."""
    breaks, depth, name, indices = {}, 0, False, 0
    for place, sign in enumerate(formula):
        name = sign == "‹" or (name and sign != "›")
        if not name:
            indices += (sign == "{") - (sign == "}")
            depth += (sign in "([") - (sign in ")]")
            if sign == " " and not indices:
                breaks[place] = 5 * depth + _cost(formula[:place], formula[place + 1 :])
    lines, start = [], 0
    while len(plain(formula[start:])) > width:
        fit = [b for b in breaks if b > start and len(plain(formula[start:b])) <= width]
        fit = [b for b in fit if len(plain(formula[start:b])) > width // 3] or fit
        if not fit:
            fit = [b for b in breaks if b > start][:1]
        if not fit:
            break
        end = min(reversed(fit), key=breaks.__getitem__)
        lines.append(formula[start:end])
        start = end + 1
    return [*lines, formula[start:]]


def _cost(before: str, after: str) -> int:
    """What a line's end costs between two parts of a formula."""
    if before[-1] == ",":
        return 0
    if after[0] in "=≈+−":
        return 1
    return 9 if before.endswith(("=", "≈", "+", "−", "θ", "log", "}", ";")) else 4


# --- names ---------------------------------------------------------------------------------------
def added(names: Iterable[str]) -> str:
    """Names as a sum; of a long one only the ends."""
    return " + ".join(_ends(list(names)))


def bracketed(names: Iterable[str]) -> str:
    """Names as a sum, in brackets unless it is one name."""
    every = list(names)
    return f"({added(every)})" if len(every) > 1 else added(every)


def listed(names: Iterable[str]) -> str:
    """Names in a list; of a long one only the ends."""
    return ", ".join(_ends(list(names)))


def few(names: Iterable[str]) -> tuple[str, ...]:
    """The first names."""
    return tuple(islice(names, LONGEST))


def _ends(every: list[str]) -> list[str]:
    if len(every) > LONGEST:
        return [quoted(every[0]), quoted(every[1]), "…", quoted(every[-1])]
    return list(map(quoted, every))
