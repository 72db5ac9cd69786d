"""The index of reproductions: what reproduced, what did not, and why, in one screen."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scg.common.files import write_atomically
from scg.reproduce.ledger import Ledger
from scg.reproduce.page import table
from scg.reproduce.paper import Paper

HEAD = """
# Published results, measured again

Each page repeats an experiment of a paper with the estimators of scg, beside the published figures.
The seeds (1, 2, 3) were fixed and the expectations written before the runs; whether an expectation
holds is computed from the results. Each result records its commit. To measure one again, or to
continue an interrupted run:

    scg reproduce NAME --data mnist:DIR --out FOLDER --minutes 60

NAME is the last part of the page's address, and DIR holds the four files of MNIST; the chorales
need a file of their own. A run takes the largest number of updates that fits the minutes.
"""

#: What no page repeats.
LEFT = """
Not repeated yet: Table 2 of MuProp on faces; relaxations against VIMCO (Maddison et al. 2017); ARMS
and CARMS on other data than digits; deep exponential families (Naesseth et al. 2017); networks
below a Boltzmann machine (Hu and Salakhutdinov 2018). Each page counts, in its last table, the
pieces of work that are done and planned, with the measured seconds of one.
"""


def index(papers: Iterable[Paper], folder: Path) -> Path:
    """Write the index: a row for each paper with results, its expectations counted."""
    rows, names = [], []
    for paper in papers:
        records = Ledger(folder / f"{paper.name}.jsonl").records
        if not records:
            continue
        measured = [f.holds for f in paper.findings(records) if f.holds is not None]
        rows.append(
            [
                f"[{paper.title}]({paper.name}.md)",
                f"{sum(measured)} of {len(measured)}",
                " ".join(paper.why.split()),
            ]
        )
        names.append(paper.name)
    tree = "\n".join(["```{toctree}", ":hidden:", "", *names, "```"])
    head = ["experiment", "expectations met", "what reproduced, what did not, and why"]
    place = folder / "index.md"
    write_atomically(place, f"{HEAD.strip()}\n\n{table(head, rows)}{LEFT}\n{tree}\n".encode())
    return place
