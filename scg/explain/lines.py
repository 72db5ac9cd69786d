"""Lines and summands of a derivation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DerivationLine:
    """One step of a derivation.

    Attributes
    ----------
    kind : {"objective", "interchange", "drop", "gradient", "estimate", "term", "alike", \
"surrogate", "second"}
        What the step does.
    formula, words : str
        The formula, and why it holds. Users' names stand in angle quotes, formulas among the words
        in white brackets.
    nodes, costs : tuple of str
        What the step is about.
    """

    kind: str
    formula: str
    words: str
    nodes: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Summand:
    """A summand of the gradient, where parameters enter at one node or in one cost.

    Attributes
    ----------
    formula : str
        The summand; its mean over the samples is a part of the gradient.
    node : str or None
        The node at which parameters enter; None where they enter in the cost.
    costs : tuple of str
        The costs that are credited or, for a pathwise node, differentiated.
    through : tuple of str
        For a pathwise node: nodes below whose probabilities are differentiated, too.
    kept, summed : tuple of str
        Plates on which each element is credited with its own costs alone, and plates over which
        the score is summed.
    """

    formula: str
    node: str | None
    costs: tuple[str, ...]
    through: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    summed: tuple[str, ...] = ()
