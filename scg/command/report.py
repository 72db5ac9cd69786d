"""The demo's report: one HTML file that loads no other file."""

from __future__ import annotations

import html
from typing import Any, NamedTuple

import numpy as np

from scg.command.charts import bars, curves, image_grid
from scg.draw.graph import identifiers
from scg.errors import ScgError
from scg.explain.page import STYLE, inline_svg, terms
from scg.ir.tables import grid
from scg.run.step import Step
from scg.train import Run

_STYLE = (
    STYLE
    + """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 60rem; margin: auto;
  padding: 1rem }
img { max-width: 100%; height: auto }
svg.chart { width: 100%; max-width: 40rem; height: auto }
.graph, .table { overflow-x: auto }
/* The drawing takes the whole window; where that is too narrow for its text, it is scrolled. */
.graph { width: calc(100vw - 3rem); margin-left: calc(50% - 50vw + 1.5rem); text-align: center }
.graph svg { width: 100%; height: auto }
.pixels { image-rendering: pixelated; display: block; margin: .5rem 0 }
table { border-collapse: collapse } th, td { padding: .3rem .8rem; text-align: right }
th:first-child, td:first-child { text-align: left } tr { border-bottom: 1px solid #ddd }
pre { overflow-x: auto; background: #f5f5f5; padding: 1rem; font-size: 13px }
.no { color: #a00000 }
@media (max-width: 1000px) { .graph svg { width: auto } }
@media (max-width: 600px) { th, td { padding: .3rem; font-size: .8rem } h1 { font-size: 1.6rem } }
"""
)


class Contender(NamedTuple):
    """One estimator's step, its training run, and its figures by name."""

    step: Step
    run: Run
    figures: dict[str, Any]


def report(
    contenders: dict[str, Contender],
    result: dict[str, Any],
    originals: np.ndarray,
    reconstructions: np.ndarray,
    fantasies: np.ndarray,
) -> str:
    """The page, from the runs by estimator, the demo's result, and images, one per row."""
    name, first = next(iter(contenders.items()))
    learned = {
        label: [
            (record["epoch"], record["test_elbo"])
            for record in contender.run.history
            if "test_elbo" in record and (record["epoch"] > 1 or result["epochs"] < 3)
        ]
        for label, contender in contenders.items()
    }
    variances = {n: figures["gradient_variance"] for n, figures in result["estimators"].items()}
    rows = summary(result["estimators"])
    table = grid([*rows[0]], [[*row.values()] for row in rows])
    sections = {
        "Result": f'<div class="table">{table}</div>{_verdict(result)}',
        "Held-out bound while learning": curves(learned, "epoch", "ELBO in nats an image"),
        "Gradient variance": f"<p>At the parameters with which {html.escape(name)} ended, on one "
        "batch: mean over all elements of the gradient.</p>" + bars(variances, "variance"),
        "Reconstructions": "<p>Held-out digits, and their pixel probabilities for one sample of "
        "the hidden units.</p>"
        + image_grid(originals, 8, "held-out digits")
        + image_grid(reconstructions, 8, "reconstructions"),
        "Samples": "<p>Pixel probabilities of digits that the network dreams.</p>"
        + image_grid(fantasies, 8, "samples of the network"),
        "The graph and its surrogate": f'<div class="graph">{_drawing(first.step)}</div>',
        "What was compiled, and why": _explanations(contenders),
    }
    body = "".join(f"<h2>{title}</h2>{content}" for title, content in sections.items())
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>scg demo</title><style>{_STYLE}</style></head><body>"
        "<h1>Three gradient estimators, one network</h1>"
        "<p>A sigmoid belief network with two layers of 32 binary units learns 1500 handwritten "
        f"digits for {result['epochs']} epochs; 297 others are held out.</p>{body}</body></html>\n"
    )


def summary(figures: dict[str, dict[str, Any]]) -> list[dict[str, str]]:
    """Rows of the table of results, from the figures of each estimator."""
    return [
        {
            "estimator": name,
            "unbiased": "yes" if row["unbiased"] else "no",
            "held-out bound": f"{row['held_out_bound']:.2f} ± {row['held_out_bound_stderr']:.2f}",
            "variance": f"{row['gradient_variance']:.2e}",
            "ms an update": f"{row['update_milliseconds']:.1f}",
            "s to compile": f"{row['compile_seconds']:.2f}",
        }
        for name, row in figures.items()
    ]


def _verdict(result: dict[str, Any]) -> str:
    goal = f"{result['calibrated_bound']:.1f} nats"
    if result["reached"]:
        return f"<p>The best unbiased estimator reached the calibrated bound of {goal}.</p>"
    return (
        f'<p class="no">No unbiased estimator reached the calibrated bound of {goal} in '
        f"{result['epochs']} epochs.</p>"
    )


def _drawing(step: Any) -> str:
    picture = step.draw()
    try:
        return inline_svg(picture)[0]
    except ScgError as error:
        return f"<p>{html.escape(str(error))}</p><pre>{html.escape(picture.source)}</pre>"


def _explanations(contenders: dict[str, Contender]) -> str:
    parts = []
    for name, contender in contenders.items():
        explanation = contender.step.explain()
        shown = terms(
            explanation.nodes,
            explanation.surrogate,
            explanation.note,
            identifiers(contender.step.graph),
        )
        head = html.escape(explanation.head)
        parts.append(f"<h3>{html.escape(name)}</h3><p>{head}.</p>{shown}")
    return "".join(parts)
