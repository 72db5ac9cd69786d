"""Why NVIL fails with three layers in Table 2 of Gu et al. (2016): suspects, one at a time."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

import scg
from scg.estimators.baselines import MovingAverage, Network
from scg.layers.nn import linear
from scg.reproduce import training
from scg.reproduce.ledger import Ledger, Record
from scg.reproduce.muprop import NVIL, STRUCTURED, THREE
from scg.reproduce.page import framed, interval, table
from scg.reproduce.paper import SEEDS, Conditions, Finding, Paper, Piece
from scg.verify.plot import COLOURS, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UPDATES, RATE, PUBLISHED = 3000, 0.01, 100.6
WIDTHS = (200, 200, 200)


@dataclass(frozen=True)
class Suspect:
    """A network and how it is trained; the defaults are those of Table 2's page.

    Attributes
    ----------
    rate : float
        Of SGD.
    estimator : Estimator
        Of all layers.
    centred : bool
        Whether the mean image is subtracted from the input.
    signs : bool
        Whether units feed −1 and 1 forward, and not 0 and 1.
    start : bool
        Whether output biases start at the logits of the mean image, and not at 0.
    """

    rate: float = RATE
    estimator: scg.Estimator = NVIL
    centred: bool = True
    signs: bool = True
    start: bool = True

    def graph(self, means: np.ndarray) -> scg.Graph:
        """The network 392-200-200-200-392."""
        half = means.size // 2
        p = np.clip(means[half:], 0.01, 0.99)
        g = scg.Graph("three layers")
        x = g.data("x", shape=means.shape, plates=scg.Plate("batch"))
        above: Any = x[:half] - (means[:half] if self.centred else 0.0)
        for level, width in enumerate(WIDTHS, start=1):
            h = g.sample(
                f"h{level}", scg.Bernoulli(logits=linear(g, f"layer{level}", width)(above))
            )
            above = 2.0 * h - 1.0 if self.signs else h
        bias = np.log(p / (1 - p)) if self.start else 0.0
        pixels = scg.Bernoulli(logits=linear(g, "output", half, bias=bias)(above))
        g.cost("loss", -g.deterministic("log_weight", pixels.log_prob(x[half:])))
        return g


def _signal(baseline: Any, normalized: bool = True) -> scg.Estimator:
    return scg.ScoreFunction(baseline, variance_normalization=normalized, allow_biased=True)


TABLE = "as on the page of Table 2"
#: The first is the setting that learns; each other one differs from it in one respect.
SUSPECTS: dict[str, Suspect] = {
    TABLE: Suspect(),
    "rate 0.003": Suspect(rate=3e-3),
    "rate 0.0003": Suspect(rate=3e-4),
    "rate 0.00003": Suspect(rate=3e-5),
    "rate 0.03": Suspect(rate=3e-2),
    "no network in the baseline": Suspect(estimator=_signal(MovingAverage())),
    "no baseline": Suspect(estimator=_signal(None)),
    "a network that sees both halves": Suspect(estimator=_signal(scg.Critic(("x",), (100,)))),
    "no variance normalization": Suspect(estimator=_signal(Network((100,)), False)),
    "inputs not centred": Suspect(centred=False),
    "units 0 and 1": Suspect(signs=False),
    "output biases from 0": Suspect(start=False),
}


def pieces(under: Conditions, ledger: Ledger) -> Iterator[Piece]:
    """The network that ignores its input, then each suspect, seed by seed."""
    shown = functools.cache(lambda: training.images(under.data, "thresholded"))
    yield Piece({"kind": "independent"}, lambda: {"valid": independent(shown())})
    short = replace(under, updates=UPDATES)
    for seed in SEEDS:
        for name, suspect in SUSPECTS.items():
            key = dict(kind="suspect", name=name, seed=seed, length=UPDATES)

            def work(key: Record = key, suspect: Suspect = suspect) -> Record:
                return _train(short, shown(), suspect, key["seed"])

            yield Piece(key, work)


def independent(x: training.Images) -> float:
    """NLL of lower halves whose pixels are independent of the upper half and of each other."""
    half = x.train.shape[1] // 2
    p = np.clip(x.train[:, half:].mean(axis=0, dtype=float), 1e-4, 1 - 1e-4)
    lower = x.valid[:, half:]
    return float(-np.log(np.where(lower, p, 1 - p)).sum(axis=1).mean())


def _train(under: Conditions, x: training.Images, suspect: Suspect, seed: int) -> Record:
    graph, file = suspect.graph(x.means), under.folder / "params" / "nvil.npz"
    best = training.Best(STRUCTURED.measure, x.valid)
    return training.train(graph, suspect.estimator, best, x, suspect.rate, seed, under, file)


# --- results --------------------------------------------------------------------------------------
def _found(records: list[Record]) -> dict[str, list[Record]]:
    """The runs of each setting, at the largest length."""
    runs = [r for r in records if r["kind"] == "suspect" and r["valid"] is not None]
    longest = max((r["length"] for r in runs), default=0)
    return {
        name: [r for r in runs if r["name"] == name and r["length"] == longest] for name in SUSPECTS
    }


def findings(records: list[Record]) -> list[Finding]:
    """Which suspect alone explains the published figure."""
    found, results = _found(records), []
    for name in SUSPECTS:
        values = [r["valid"] for r in found[name]]
        about = f"{interval(values)} nats." if values else ""
        if name == TABLE:
            text = f"{name}: NVIL learns, and ends below 90 nats for all seeds"
            met = max(values) < 90 if values else None
        else:
            text = f"{name}: this alone makes NVIL fail, above 95 nats for all seeds"
            met = min(values) > 95 if values else None
        results.append(Finding(text, met, about))
    return results


def tables(records: list[Record]) -> str:
    """Validation figures by setting."""
    found = _found(records)
    rows = [
        [name, interval([r["valid"] for r in runs]), len(runs)]
        for name, runs in found.items()
        if runs
    ]
    (ignorant,) = [r["valid"] for r in records if r["kind"] == "independent"] or [np.nan]
    length = max((r["length"] for runs in found.values() for r in runs), default=UPDATES)
    about = (
        f"NLL of {THREE} on thresholded validation images in nats, the best within {length} "
        f"updates, with 95 % intervals over the seeds. Published for NVIL: {PUBLISHED}. Pixels "
        f"that are independent of the upper half and of each other have {ignorant:.1f}."
    )
    return f"{about}\n\n{table(['setting', 'NLL', 'seeds'], rows)}"


def draw(records: list[Record]) -> Figure:
    """The figure of each setting, beside the published one and a network that ignores its input."""
    found = {name: runs for name, runs in _found(records).items() if runs}
    figure = canvas(7.5, 1.2 + 0.28 * len(found))
    axes = figure.subplots()
    for row, runs in enumerate(found.values()):
        values = [r["valid"] for r in runs]
        axes.plot(values, [row] * len(values), "o", color=COLOURS[0])
    axes.axvline(PUBLISHED, color=COLOURS[1], label="published")
    for r in records:
        if r["kind"] == "independent":
            axes.axvline(r["valid"], color="#888888", linestyle="--", label="independent pixels")
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.set(xlabel="NLL of validation images, nats")
    framed(axes)
    axes.legend(fontsize="small")
    return figure


FAILURE = Paper(
    name="nvil",
    title="NVIL with three layers in Table 2 of MuProp (Gu et al. 2016): why it fails there",
    about="""
The paper prints 100.6 nats for NVIL (LR-C-VN-IDB) with three layers and 63.2 with two. Here each
suspect changes one respect of the setting that learns on the page of Table 2: the rate (the
published grid is 0.003 to 0.00003), the baseline, its normalization, the centring of the input,
the values of the units, the first output biases. Runs are short, on images thresholded at 1/2.
""",
    why="""
Short runs with one respect changed at a time.
""",
    pieces=pieces,
    findings=findings,
    tables=tables,
    draw=draw,
    data="mnist:DIR",
    read=training.held_out,
)
