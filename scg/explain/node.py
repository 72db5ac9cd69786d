"""What is explained about one stochastic node."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from scg.compiler.members import Members, names

_CREDIT = {
    "score": "by its score: ℓ({name}) = log p({name})",
    "pathwise": "through its value (pathwise): ℓ({name}) = 0",
    "weight": "through the weights of its sample plate: ℓ({name}) = 0",
    "along": "by an estimate that its term injects: ℓ({name}) = 0",
}


@dataclass(frozen=True)
class Credit:
    """Costs with which a stochastic node is credited in the same way.

    Attributes
    ----------
    costs : sequence of str
        The costs.
    kept : tuple of str
        Plates of the node on which each element is credited with its own costs alone.
    summed : dict
        Plates of the node over which its score is summed, and the op that mixes their elements.
    """

    costs: Members
    kept: tuple[str, ...]
    summed: dict[str, str]


@dataclass(frozen=True)
class NodeExplanation:
    """What was decided for one stochastic node.

    Attributes
    ----------
    name, distribution : str
        The node, and the distribution with the names of its parameters.
    shape, plates : tuple
        Event shape and names of the user's plates.
    estimator, reason, formula : str
        The estimator, why it was chosen, and the gradient estimate.
    where : dict
        Symbols of the formula and what they are here: f the costs, and what options decide.
    unbiased : bool
        Whether the expected gradient is the true one.
    credit : {"score", "pathwise", "weight", "along"}
        How credit reaches the node's parameters.
    credited : tuple of Credit
        The costs with which the node is credited.
    stopped : sequence of str
        The costs that it reaches only through ``stop_gradient``.
    draws : int
        Draws on the sample plate of its estimator; 1 where there is none.
    shared : sequence of str
        The other nodes on that plate.
    state, parameters : tuple of str
        What the estimator keeps from call to call, and its own parameters.
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
    where: dict[str, str]
    unbiased: bool
    credit: str
    credited: tuple[Credit, ...]
    stopped: Members
    draws: int
    shared: Members
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
        """Return what is said about the node, each with its label."""
        bias = "unbiased" if self.unbiased else "BIASED"
        rows = [
            ("estimator", f"{self.estimator}: {bias}; {self.reason}"),
            ("estimate", self.formula),
            ("where", ", ".join(f"{symbol} = {what}" for symbol, what in self.where.items())),
            ("credit", _CREDIT[self.credit].format(name=self.name)),
            *(("cost", text) for text in self._costs()),
        ]
        if self.stopped:
            rows.append(("no credit", f"{names(self.stopped)}: only through stop_gradient"))
        if self.draws > 1:
            joint = f", one sample plate with {names(self.shared)}" if self.shared else ""
            rows.append(("draws", f"{self.draws}{joint}"))
        if self.state:
            rows.append(("state", names(self.state)))
        if self.parameters:
            rows.append(("learns", f"its own parameters {names(self.parameters)}"))
        return rows

    def __str__(self) -> str:
        return "\n".join([self.head, *(_row(*row) for row in self.rows())])

    def _costs(self) -> list[str]:
        """The credited costs in words, those with the same plates together."""
        groups: dict[str, Members] = {}
        for credit in self.credited:
            words = [f"each element of {names(credit.kept)} with its own"] if credit.kept else []
            words += [
                f"score summed over {plate}, whose elements {op} mixes"
                for plate, op in credit.summed.items()
            ]
            text = "; ".join(words) if self.credit == "score" else ""
            groups[text] = groups[text] | credit.costs if text in groups else credit.costs
        costs = [f"{names(group)}{': ' if text else ''}{text}" for text, group in groups.items()]
        return costs or ["none: no gradient reaches its parameters through it"]


def _row(label: str, text: str) -> str:
    head = f"  {label:<9}  "
    return textwrap.fill(text, 100, initial_indent=head, subsequent_indent=" " * len(head))
