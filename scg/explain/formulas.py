"""Formulas: an estimator's formula for one node, the part that is its term, its symbols."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from scg.draw.formula import stated
from scg.estimators import ESTIMATORS, Estimator
from scg.explain.notation import FORMULA, quoted, tokens

#: Letters of derivations that estimators' formulas may not have.
OWN = "JTfpθε"

#: What symbols mean in the formulas of all estimators that do not say something else.
COMMON = {
    "x": "the sample",
    "p": "the probability or density given parents",
    "θ": "the parameters",
    "μ": "the mean given the sampled parents",
    "σ": "the logistic function",
    "α": "the logits",
    "τ": "the temperature",
    "ε": "the noise, whose distribution does not depend on θ",
    "u": "uniform noise",
    "T": "the sample as a function of θ and the noise",
    "K": "the number of samples",
}
_KNOWN = {"softmax", "log", "min", "max", "d"}
_SPARE = "γκλνξψωδζχ"  # letters that no formula has, for those that are names of the user


def specialised(estimator: Estimator, name: str) -> str:
    """The formula of an estimator for the node of this name, which is the sample x.

    It has no baseline that the estimator does not have, and no scale of 1.
    """
    formula, own, letter = stated(estimator), quoted(name), sample_letter(estimator)
    formula = unicodedata.normalize("NFD", formula.replace("Σₓ", f"Σ_{{{own}}}"))
    word = rf"(?<![A-Za-zα-ω‹]){letter}(?![A-Za-zα-ω])(?![^‹]*›)"
    return re.sub(word, lambda _: own, formula) if letter else formula


def sample_letter(estimator: Estimator) -> str:
    """The letter of the sample in a formula; empty if no letter is one sample of the node."""
    own = [letter for letter, text in estimator.symbols.items() if text == COMMON["x"]]
    return own[0] if own else "" if "x" in estimator.symbols else "x"


def of_term(estimator: Estimator, formula: str) -> str:
    """The derivative of the node's term: what a formula has besides f ∇ log p, or f ∇p.

    An estimator without a score injects the whole of its formula.
    """
    if estimator.credit == "along":
        return formula
    for sample in ["x", *re.findall(r"(?<![\wα-ω])p̃?\(([^();]+); θ\)", formula)]:
        formula = formula.replace(f"(f({sample}) − ", "(−").replace(f"(f({sample}) + ", "(")
    return formula


def replacements(taken: Iterable[str]) -> dict[str, str]:
    """Other letters for those of formulas that are names of the user."""
    names = {*taken}
    spare = (c + "₀₁₂"[k : k + 1] for k in (3, 0, 1, 2) for c in _SPARE if c not in names)
    known = {letter for e in ESTIMATORS for letter in letters(e.formula)} | {*OWN}
    return {letter: next(spare) for letter in sorted(known & names)}


def renamed(formula: str, new: Mapping[str, str]) -> str:
    """A formula with some of its letters replaced, names of the user left as they are."""
    formula = unicodedata.normalize("NFD", formula)
    for old, letter in sorted(new.items(), key=lambda pair: -len(pair[0])):
        old = unicodedata.normalize("NFD", old)
        word = rf"(?<![A-Za-zα-ω‹]){re.escape(old)}(?![A-Za-zα-ω])(?![^‹]*›)"
        formula = re.sub(word, letter, formula)
    return unicodedata.normalize("NFC", formula)


def within(words: str, new: Mapping[str, str]) -> str:
    """Words with letters replaced in the formulas among them."""
    return FORMULA.sub(lambda part: f"⟦{renamed(part[1], new)}⟧", words)


def letters(formula: str) -> Iterator[str]:
    """The symbols of a formula other than indices and well-known functions."""
    for token in tokens(formula):
        if token.kind == "word" and token.text not in _KNOWN:
            sign = {"+": "⁺", "−": "⁻"}.get(token.above, "")
            yield unicodedata.normalize("NFC", token.text + token.accent) + sign


def meanings(estimator: Estimator, formula: str, where: Mapping[str, str]) -> dict[str, str]:
    """The meaning of each symbol of a formula that it does not define itself."""
    _, *defined = re.split(r", (?=[^\s()]+(?:\([^)]*\))? [=~] )", formula)
    own = {next(letters(part), "") for part in defined}
    given = {re.sub(r"\(.*", "", symbol): text for symbol, text in where.items()}
    known = {**COMMON, **estimator.symbols, **given}
    found = {name: known.get(name, "") for name in letters(formula) if name not in own}
    for token in tokens(formula):  # x̄ and x⁺ beside the sample x
        sign = token.accent + {"+": "⁺", "−": "⁻"}.get(token.above, "")
        if token.kind == "node" and sign:
            symbol = unicodedata.normalize("NFC", sample_letter(estimator) + sign)
            found[quoted(token.text) + sign] = known.get(symbol, "")
    return found
