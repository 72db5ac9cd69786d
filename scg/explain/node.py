"""The explanation of one stochastic node."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

from scg.compiler.members import Members, names
from scg.explain.notation import plain

_CREDIT = {
    "score": "by its score: ℓ({name}) = log p({name})",
    "pathwise": "through its value (pathwise): ℓ({name}) = 0",
    "both": "through its value, and by the density r of its noise: ℓ({name}) = log r({name})",
    "weight": "through the weights of its sample plate: ℓ({name}) = 0",
    "along": "by an estimate that its term injects: ℓ({name}) = 0",
}


@dataclass(frozen=True)
class Credit:
    """Costs that give a stochastic node credit in the same way."""

    costs: Members[str]
    #: Plates of the node on which each element gets the credit of its own costs alone.
    kept: tuple[str, ...]
    #: Plates of the node over which its score is summed, and the op that mixes their elements.
    summed: dict[str, str]
    #: Ordered plates on which each step gets the credit of later (or earlier) ones, and the sign.
    onward: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NodeExplanation:
    """The decisions about one stochastic node; ``print`` them.

    Attributes
    ----------
    name, distribution : str
        The node, and the distribution with the names of its parameters.
    shape, plates : tuple
        Event shape and names of the user's plates.
    estimator, reason, formula : str
        The estimator, why it was chosen, and the gradient estimate, with users' names in angle
        quotes.
    part : str
        What the term adds to the gradient estimate; empty without a term.
    where : dict
        Symbols of the formula and their values: f the costs, and those that options decide.
    symbols : dict
        The meaning of each symbol of the formula.
    unbiased : bool
        Whether the expected gradient is the true one.
    credit : {"score", "pathwise", "both", "weight", "along"}
        How credit reaches the node's parameters.
    credited : tuple of Credit
        The costs that give the node credit.
    stopped : sequence of str
        The costs that the node reaches only through ``stop_gradient``.
    draws : int
        Samples on the sample plate of the estimator; 1 without such a plate.
    shared : sequence of str
        The other nodes on that plate.
    state, parameters : tuple of str
        Names of the estimator's state, and of its own parameters.
    term : bool
        Whether the estimator adds a term to the surrogate.
    """

    name: str
    distribution: str
    shape: tuple[int, ...]
    plates: tuple[str, ...]
    estimator: str
    reason: str
    formula: str
    part: str
    where: dict[str, str]
    symbols: dict[str, str]
    unbiased: bool
    credit: str
    credited: tuple[Credit, ...]
    stopped: Members[str]
    draws: int
    shared: Members[str]
    state: tuple[str, ...]
    parameters: tuple[str, ...]
    term: bool

    @property
    def head(self) -> str:
        """The declaration in one line."""
        place = f", on plate {names(self.plates)}" if self.plates else ""
        shape = f", shape {self.shape}" if self.shape else ""
        return f"{self.name} ~ {self.distribution}{shape}{place}"

    def rows(self) -> list[tuple[str, str]]:
        """Labels and texts, in the order of printing."""
        bias = "unbiased" if self.unbiased else "BIASED"
        rows = [
            ("estimator", f"{self.estimator}: {bias}; {self.reason}"),
            ("estimate", plain(self.formula)),
            *([("term", f"∇θ t({self.name}) = {self._part}")] if self.part else []),
            ("where", "; ".join(f"{plain(s)} = {what}" for s, what in self.symbols.items())),
            ("credit", _CREDIT[self.credit].format(name=self.name)),
            *(("cost", text) for text in self._costs()),
        ]
        if self.stopped:
            rows.append(("no credit", f"{names(self.stopped)}: only through stop_gradient"))
        if self.draws > 1:
            joint = f", one sample plate with {names(self.shared)}" if self.shared else ""
            rows.append(("samples", f"{self.draws}{joint}"))
        if self.state:
            rows.append(("state", names(self.state)))
        if self.parameters:
            rows.append(("learns", f"its own parameters {names(self.parameters)}"))
        return rows

    @property
    def _part(self) -> str:
        return "the estimate" if self.part == self.formula else plain(self.part)

    def __str__(self) -> str:
        return "\n".join([self.head, *(_row(*row) for row in self.rows())])

    def _costs(self) -> list[str]:
        """The credited costs in words, those with the same plates together."""
        groups: dict[str, Members[str]] = {}
        for credit in self.credited:
            words = [f"each element of {names(credit.kept)} with its own"] if credit.kept else []
            words += [
                f"each step of {plate} with the costs of steps {sign} {plate}"
                for plate, sign in credit.onward.items()
            ]
            words += [
                f"score summed over {plate}, whose elements {op} mixes"
                for plate, op in credit.summed.items()
            ]
            told = self.credit == "score" or credit.onward
            text = "; ".join(words) if told else ""
            groups[text] = groups[text] | credit.costs if text in groups else credit.costs
        costs = [f"{names(group)}{': ' if text else ''}{text}" for text, group in groups.items()]
        return costs or ["none: no gradient reaches its parameters through it"]


def _row(label: str, text: str) -> str:
    head = f"  {label:<9}  "
    return textwrap.fill(text, 100, initial_indent=head, subsequent_indent=" " * len(head))
