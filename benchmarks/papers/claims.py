"""The claims of the paper, and how each is checked against measured figures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import mean
from typing import NamedTuple


@dataclass(frozen=True)
class Figures:
    """Test figures per seed, and variances, by estimator."""

    test: Mapping[str, list[float]]
    variance: Mapping[str, float]


class Verdict(NamedTuple):
    """Whether a claim holds (None: not measured), and the figures that show it."""

    met: bool | None
    found: str = ""


class Claim(NamedTuple):
    """A claim as text, and its check."""

    text: str
    check: Callable[[Mapping[str, Figures]], Verdict]


def gap(figures: Mapping[str, Figures], model: str, worse: str, better: str) -> float | None:
    """How many nats one estimator is worse than another, on the mean over seeds."""
    test = figures[model].test if model in figures else {}
    return mean(test[worse]) - mean(test[better]) if worse in test and better in test else None


def separated(figures: Mapping[str, Figures], model: str, worse: str, better: str) -> bool:
    """Whether all seeds of the one are worse than all seeds of the other."""
    test = figures[model].test
    return min(test[worse]) > max(test[better])


def order(model: str, worse: str, better: str) -> Claim:
    """Claim that one estimator ends with a higher (worse) figure than another, for all seeds."""

    def check(figures: Mapping[str, Figures]) -> Verdict:
        found = gap(figures, model, worse, better)
        if found is None:
            return Verdict(None)
        met = separated(figures, model, worse, better)
        seeds = min(len(figures[model].test[name]) for name in (worse, better))
        alone = " One seed only." if seeds == 1 else ""
        return Verdict(met, f"The means differ by {found:.1f} nats.{alone}")

    return Claim(f"{model}: {worse} ends above {better} for all seeds", check)


def grows(small: str, large: str, worse: str, better: str) -> Claim:
    """Claim that a gap is larger in one model than in another."""

    def check(figures: Mapping[str, Figures]) -> Verdict:
        before, after = (gap(figures, model, worse, better) for model in (small, large))
        if before is None or after is None:
            return Verdict(None)
        return Verdict(
            after > before,
            f"It grows from {before:.1f} to {after:.1f} nats."
            if after > before
            else f"It falls from {before:.1f} to {after:.1f} nats.",
        )

    return Claim(f"The gap from {worse} to {better} grows from {small} to {large}", check)


def less_variance(model: str, more: str, less: str) -> Claim:
    """Claim that one estimator has a higher variance than another at the frozen checkpoint."""

    def check(figures: Mapping[str, Figures]) -> Verdict:
        found = figures[model].variance if model in figures else {}
        if more not in found or less not in found:
            return Verdict(None)
        ratio = found[more] / found[less]
        return Verdict(ratio > 1, f"The ratio of the variances is {ratio:.3g}.")

    return Claim(
        f"{model}, at the frozen checkpoint: {more} has a higher variance than {less}", check
    )


TWO, THREE = "392-200-200-392", "392-200-200-200-392"
CLAIMS = {
    "muprop_structured": [
        claim
        for model in (TWO, THREE)
        for claim in (
            order(model, "LR-C", "MuProp-C"),
            order(model, "LR-C-VN-IDB", "MuProp-C"),
            order(model, "LR-C-VN-IDB", "MuProp-C-VN"),
            order(model, "MuProp-C", "MuProp-C-VN"),
            order(model, "MuProp-C-VN", "ST"),
            order(model, "MuProp-C", "1/2"),
            order(model, "1/2", "ST"),
            less_variance(model, "LR-C", "MuProp-C"),
            less_variance(model, "LR-C-IDB", "MuProp-C"),
        )
    ]
    + [
        grows(TWO, THREE, "LR-C", "MuProp-C"),
        grows(TWO, THREE, "LR-C-VN-IDB", "MuProp-C"),
        grows(TWO, THREE, "LR-C-VN-IDB", "MuProp-C-VN"),
    ],
    "sbn_generative": [
        claim
        for model in ("200-784", "200-200-784")
        for claim in (
            order(model, "ST", "LR-C-VN-IDB"),
            order(model, "ST", "MuProp-C"),
            order(model, "ST", "1/2"),
            order(model, "MuProp-C", "LR-C-VN-IDB"),
            less_variance(model, "LR-C-IDB", "MuProp-C-IDB"),
            less_variance(model, "LR-C", "MuProp-C"),
        )
    ],
}
