"""Write docs/howto/choose_an_estimator.md from the estimators' traits and the measured variances.

python benchmarks/estimators/page.py            write the page
python benchmarks/estimators/page.py --check    exit with 1 if the page is out of date
"""

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from claims import CLAIMS, Claim
from rivals import RIVALS

import scg
from scg.estimators import ESTIMATORS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "howto" / "choose_an_estimator.md"
FILE = DOCS / "results" / "estimators.jsonl"
MADE = "<!-- made by benchmarks/estimators/page.py; do not edit -->"
TASKS = {
    "toy": ("f(b) = (b − t)²", "t", "leave-one-out, K=2", (
        "One Bernoulli variable b with logit 1. Estimators with parameters of their own learned "
        "them for 5000 updates."
    )),
    "classes": ("The toy of CARMS", "a", "leave-one-out, K=3", (
        "Three categorical variables of three classes each and a cost that is linear in them. The "
        "probabilities were sampled 30 times from Dirichlet(a, a, a); the table has medians. "
        "Estimators with parameters of their own learned them for 300 updates."
    )),
    "bernoulli": ("Linear autoencoder, 200 Bernoulli units", "data", "leave-one-out, K=2", (
        "The model was trained for 3000 updates of Adam at 10⁻³ with DisARM, then frozen. The "
        "variance is that of the encoder's gradient on one batch of 50 validation images. "
        "Baselines and the estimators' own parameters learned for 300 updates on other batches."
    )),
    "categorical": ("Linear autoencoder, 20 × 10 classes", "data", "leave-one-out, K=3", (
        "Measured likewise, after training with leave-one-out and four samples."
    )),
}  # fmt: skip
#: What the estimators require, in the words of a user.
NEEDS = {
    "reparameterized distribution": "samples are differentiable in the parameters.",
    "acceptance": "a rejection sampler with a smooth proposal exists (gamma, beta and others).",
    "standardization": "samples can be standardized smoothly (gamma, beta and others).",
    "continuous paths": "the costs are continuous in the sample, on each path to them.",
    "finite support": "the node has at most 1024 values, all its elements taken together.",
    "listable values": "as *coordinates*, or the support is finite.",
    "enough values": "the node has at least K of them.",
    "surviving plates": "no operation between the node and a cost mixes the elements of a plate.",
    "coordinates": "the elements are independent and each has finitely many values.",
    "binary values": "the distribution is `Bernoulli`.",
    "classes": "the distribution is `Categorical` or `OneHotCategorical`.",
    "mean": "the distribution has a mean.",
    "mean field": "so do all nodes that are set to their means, and log p is defined there.",
    "differentiable costs": "the costs have a derivative in the value of the node.",
    "densities below": "the nodes below are single samples from their own distributions.",
    "weak derivatives": "the parameters have a measure-valued derivative.",
    "next value": "the values are ordered, and the parameters move a sample to the next one.",
    "fixed support": "the set of possible values does not move with learned parameters.",
    "relaxation": "the distribution has a relaxation (`Bernoulli` and `OneHotCategorical`).",
    "smooth relaxations": "so do the nodes below, unless they are reparameterized.",
    "Gibbs sampler": "the distribution is an `RBM`.",
    "normal values": "the distribution is `Normal`.",
    "point mass": "the distribution is `Delta`.",
    "no plates": "the node lives on no plate.",
    "latent density": "the sample is reparameterized, or a function of a continuous latent.",
}
Records = dict[tuple[str, str, str], dict[str, Any]]


def page(records: Records) -> Iterator[str]:
    """Yield the page."""
    yield f"{MADE}\n\n# Choose an estimator\n"
    yield (
        "`scg.compile(g)` chooses an unbiased estimator for each node, and `step.explain()` gives "
        "the reasons. To choose yourself, proceed in three steps:\n\n"
        "1. Find the estimators that fit the node in the first table below. If you choose one that "
        "does not fit, the error lists those that do.\n"
        "2. Narrow them down with the measurements below. As a rule, take `Reparameterization` for "
        "continuous variables; `Enumeration` or `RAM` if a node has few values, or if replays are "
        "cheap; `REBAR` or `RELAX` for discrete variables and a differentiable cost; "
        "`LeaveOneOut`, `DisARM` or `ARMS` if the cost is a black box.\n"
        "3. Measure them on *your* graph, at your parameters:\n"
    )
    yield from ("```python", *_EXAMPLE, "```\n")
    yield "## What fits\n"
    yield (
        "*Needs*: what the estimator requires of the node's distribution and of the paths from the "
        "node to the costs. *Order*: the highest derivative that stays unbiased. *Evaluations*: "
        "how often one run evaluates the costs; K is the number of samples, C the number of "
        "classes, n the number of coordinates.\n"
    )
    yield from _table(
        ("estimator", "needs", "unbiased", "order", "evaluations"), map(_traits, ESTIMATORS)
    )
    yield "\nThe conditions in the second column:\n"
    yield from (f"- *{name}*: {meaning}" for name, meaning in NEEDS.items())
    yield "\n## What was measured\n"
    yield (
        "All variances are per run, on one batch, summed over gradient components. Each cell has "
        "two ratios to leave-one-out, whose own cells are therefore 1 · 1: variance × evaluations "
        "(hence the variance at equal evaluations of the cost), and variance × time. Lower is "
        "better. Replays count as evaluations. Times are processor seconds of compiled programs. "
        "Biased estimators are in italics: a low variance does not make their error low. The "
        "figures are in `docs/results/estimators.jsonl`; `python benchmarks/estimators/measure.py` "
        "measures them.\n"
    )
    for task in TASKS:
        yield from _measured(task, records)
    yield "## Claims of the papers\n"
    yield (
        "Each row states that one estimator has a lower variance than another. *Ratios*: its "
        "variance divided by the other's, for one run of each or, where the row says so, at equal "
        "evaluations. *Seen*: yes if the ratio is below 1 by more than two standard errors, no if "
        "it is above 1 by as much, and undecided otherwise.\n"
    )
    rows = [row for claim in CLAIMS for row in _claim(claim, records)]
    yield from _table(("source", "lower variance", "than", "model", "ratios", "seen"), rows)


_EXAMPLE = (
    ">>> import numpy as np",
    ">>> import scg",
    '>>> g = scg.Graph("toy")',
    '>>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", [0.4, -0.7])))',
    '>>> g.cost("loss", np.exp(b[0] - 0.6 * b[1]))',
    '>>> choice = {"loo": scg.LeaveOneOut(samples=2), "disarm": scg.DisARM(), "ram": scg.RAM()}',
    '>>> table = scg.compare(g, choice, g.init(seed=0), runs=20_000, seed=0, equal="evaluations")',
    ">>> rows = table.rows",
    '>>> rows["ram"].variance < rows["disarm"].variance < rows["loo"].variance',
    "True",
)


def _table(head: tuple[str, ...], rows: Any) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|---" * len(head) + "|"
    for row in rows:
        yield "| " + " | ".join(str(cell).replace("|", "∣") for cell in row) + " |"


def _traits(cls: type) -> tuple[str, ...]:
    made = cls(scg.Plate("particles", length=2)) if cls is scg.VIMCO else cls()
    name = f"[{cls.__name__}](../reference/estimators/{cls.__module__.rpartition('.')[2]}.md)"
    order = "any" if math.isinf(made.orders) else str(made.orders)
    return name, ", ".join(made.requires), "yes" if made.unbiased else "no", order, made.evaluations


def _measured(task: str, records: Records) -> Iterator[str]:
    title, case, base, about = TASKS[task]
    yield f"### {title}\n\n{about}\n"
    cases = list(dict.fromkeys(key[1] for key in records if key[0] == task))
    rows = []
    for name in RIVALS[task]:
        found = [records.get((task, c, name)) for c in cases]
        bases = [records.get((task, c, base)) for c in cases]
        cells = [_cell(r, b) for r, b in zip(found, bases, strict=True)]
        known = [r for r in found if r]
        if known:
            title = name if known[0]["unbiased"] else f"*{name}*"
            rows.append((title, known[0]["evaluations"], *cells))
    yield from _table(("estimator", "evaluations", *(f"{case} = {c}" for c in cases)), rows)
    yield ""


def _cell(record: dict[str, Any] | None, base: dict[str, Any] | None) -> str:
    if record is None or base is None:
        return "not measured"
    ratio = record["variance"] / base["variance"]
    by_cost = ratio * record["evaluations"] / base["evaluations"]
    return f"{_short(by_cost)} · {_short(ratio * record['seconds'] / base['seconds'])}"


def _short(x: float) -> str:
    return "0" if x < 1e-12 else f"{x:.2g}" if x < 100 else f"{x:.1e}"


def _claim(claim: Claim, records: Records) -> Iterator[tuple[str, ...]]:
    for task in claim.tasks:
        ratios, seen = [], []
        for (of, case, name), less in records.items():
            more = records.get((task, case, claim.more))
            if of != task or name != claim.less or more is None:
                continue
            ratio = less["variance"] / more["variance"]
            if claim.equal == "evaluations":
                ratio *= less["evaluations"] / more["evaluations"]
            doubt = 2 * ratio * math.hypot(*(_relative(side) for side in (less, more)))
            seen.append("yes" if ratio + doubt < 1 else "no" if ratio - doubt > 1 else "undecided")
            ratios.append(f"{case}: {_short(ratio)}")
        if ratios:
            rival = f"{claim.more}, at equal evaluations" * (claim.equal != "runs") or claim.more
            verdict = seen[0] if len(set(seen)) == 1 else ", ".join(seen)
            yield claim.source, claim.less, rival, TASKS[task][0], ", ".join(ratios), verdict


def _relative(record: dict[str, Any]) -> float:
    """The relative error of a variance; 0 for a median over models, which has no error."""
    if "each" in record or not record["variance"]:
        return 0.0
    return record["error"] / record["variance"]


def main() -> int:
    """Write the page, or compare it with what is there."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    records = {(r["task"], r["case"], r["estimator"]): r for r in map(json.loads, lines)}
    text = "\n".join(page(records)).rstrip() + "\n"
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in sys.argv:
        sys.stderr.write(f"{PAGE.name}: not what the files say; run {Path(__file__).name}\n")
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
