"""Letters: names as they are written in pictures."""

from __future__ import annotations

import re
import unicodedata

_GREEK = {
    name: unicodedata.lookup(f"GREEK SMALL LETTER {spelled.upper()}")
    for name, spelled in {
        **{n: n for n in "alpha beta gamma delta epsilon zeta eta theta iota kappa".split()},
        **{n: n for n in "mu nu xi omicron pi rho sigma tau upsilon phi chi psi omega".split()},
        "lambda": "lamda",
    }.items()
}
_GREEK |= {name.capitalize(): letter.upper() for name, letter in _GREEK.items()}
_WORD = re.compile(rf"(?<![A-Za-z])\\?({'|'.join(_GREEK)})(?![A-Za-z])")
_LONGEST = 48


def pretty(name: str) -> str:
    r"""A name with Greek letters for their names: θ for theta and for \theta."""
    return _WORD.sub(lambda found: _GREEK[found[1]], name)


def short(text: str, longest: int = _LONGEST) -> str:
    """A text whose middle is left out if it is long."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}…{text[-(longest // 2 - 1) :]}"


def printable(text: str) -> str:
    """A text without control characters, and without those that turn the direction of writing."""
    return "".join(c if c.isprintable() else " " for c in text)
