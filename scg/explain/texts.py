"""Texts: derivations and credit as text, as Markdown and as LaTeX."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence

from scg.explain.lines import DerivationLine
from scg.explain.matrix import CreditMatrix
from scg.explain.notation import KNOWN, escaped, latex, plain, wrapped

_TITLES = {
    "objective": "objective",
    "interchange": "derivative",
    "drop": "credit",
    "gradient": "gradient",
    "estimate": "estimator",
    "term": "term",
    "alike": "repetition",
    "surrogate": "surrogate",
    "second": "second order",
}
_LINE = 64  #: Letters of a line of a displayed formula.
_MATHEMATICS = re.compile(f"[{re.escape(KNOWN)}]+")


def derivation_text(lines: Sequence[DerivationLine]) -> str:
    """Numbered lines of text, each formula above its reason."""
    width = len(str(len(lines)))
    parts = []
    for number, line in enumerate(lines, start=1):
        head = f"  {number:>{width}}  "
        texts = [text for text in (plain(line.formula), plain(line.words)) if text]
        indents = [head, " " * (len(head) + 4)]
        parts += [
            textwrap.fill(text, 100, initial_indent=indent, subsequent_indent=" " * (len(head) + 4))
            for text, indent in zip(texts, indents if line.formula else [head], strict=True)
        ]
    return "\n".join(parts)


def markdown(title: str, head: str, lines: Sequence[DerivationLine], matrix: CreditMatrix) -> str:
    """A page in Markdown, with LaTeX between dollars and the credit as a table."""
    parts = [f"# {_escaped(title)}", _escaped(head) + ".", "## Derivation"]
    for number, line in enumerate(lines, start=1):
        formula = f" ${latex(line.formula)}$\n\n  " if line.formula else " "
        parts.append(f"{number}. *{_TITLES[line.kind]}*{formula}{_quoted(line.words)}.")
    first, *rest = [" | ".join(map(_escaped, row)) for row in matrix.table()]
    rule = " | ".join(["---"] * len(matrix.table()[0]))
    parts += ["## Credit", "\n".join(f"| {row} |" for row in [first, rule, *rest])]
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]<>|#$~])", r"\\\1", text)


def _quoted(words: str) -> str:
    """Words in which users' names are emphasised, and formulas stand between dollars."""
    return _pieces(words, _escaped, lambda name: f"**{_escaped(name)}**")


def _pieces(words: str, text: Callable[[str], str], name: Callable[[str], str]) -> str:
    """Words piece by piece: text, users' names, and formulas as LaTeX between dollars."""
    found, place = [], 0
    for part in re.finditer(r"⟦(?P<formula>[^⟧]*)⟧|‹(?P<name>[^›]*)›", words):
        found.append(text(words[place : part.start()]))
        formula = part["formula"]
        found.append(name(part["name"]) if formula is None else f"${latex(formula)}$")
        place = part.end()
    return "".join([*found, text(words[place:])])


def document(title: str, head: str, lines: Sequence[DerivationLine], matrix: CreditMatrix) -> str:
    """A fragment in LaTeX for a document with the packages amsmath and amssymb."""
    parts = [rf"\section*{{{_words(title)}}}", f"{_words(head)}.", r"\begin{enumerate}"]
    for line in lines:
        formula = f"\n  \\[ {_display(line.formula)} \\]" if line.formula else ""
        head = _TITLES[line.kind] + ("" if formula else ":")
        parts.append(f"  \\item \\textbf{{{head}}}{formula}\n  {_words(line.words)}.")
    parts.append(r"\end{enumerate}")
    rows = [" & ".join(map(_words, row)) + r" \\" for row in matrix.table()]
    columns = "l" * len(matrix.table()[0])
    parts += [rf"\begin{{tabular}}{{{columns}}}", *rows, r"\end{tabular}"]
    return "\n".join(parts) + "\n"


def _display(formula: str) -> str:
    """LaTeX of a formula, cut into lines that fit a page."""
    rows = wrapped(formula, _LINE)
    if len(rows) < 2:
        return latex(formula)
    inside = r" \\ & \quad ".join(map(latex, rows))
    return rf"\begin{{aligned}} & {inside} \end{{aligned}}"


def _words(text: str) -> str:
    """Words with their signs as formulas, and users' names upright."""
    return _pieces(text, _signs, _plain)


def _plain(name: str) -> str:
    return rf"\texttt{{{_signs(name)}}}"


def _signs(text: str) -> str:
    found, place = [], 0
    for sign in _MATHEMATICS.finditer(text):
        found += [escaped(text[place : sign.start()]), f"${latex(sign[0])}$"]
        place = sign.end()
    tail = "".join([*found, escaped(text[place:])]).replace(r"\ ", " ")
    return tail.replace("“", "``").replace("”", "''")
