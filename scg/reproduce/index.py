"""The index of reproductions: what reproduced, what did not, and why, in one screen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

from scg.common.files import write_atomically
from scg.reproduce.budget import HOURS, Budget
from scg.reproduce.ledger import Ledger
from scg.reproduce.page import table
from scg.reproduce.paper import Paper

HEAD = """
# Published results, measured again

Each page repeats a published experiment with the estimators of scg. It has a figure, a table beside
the published one where we found it, and expectations that were written before the runs.
Of {measured} expectations on {pages} pages {met} are met.

- **What reproduces.** Unbiased estimators have the exact mean wherever it is known. Variances have
  the published order, except for the local expectation (Tokui and Sato) and for CARMS with ten
  classes. The level of MuProp's Table 2 and the figures of RSVI and influence balancing reproduce,
  and so does the order of most estimators that use the slope of the cost. UORO learns distant
  brackets.
- **What does not.** VIMCO does not end below Concrete, nor CARMS below independent samples. NVIL
  does not fail with three layers, and does with classes. Classifiers with stochastic gates make
  more errors than published.
- **Why.** Published runs that state their length are longer than ours, mostly by a factor of 30 to
  500; where we trained longer, most results moved towards the published order. The level of Table 2
  depends on how images become binary, NVIL's failures on the values that units feed forward and on
  how the divergence is taken, and the errors of classifiers on the number of gates.
"""
HOW = """
## How to measure again

    scg reproduce NAME --data mnist:DIR --out FOLDER --minutes 60

NAME is the last part of the page's address, and DIR holds the four files of MNIST; some pages need
other data. A run takes the largest number of updates that fits the minutes, or that of `--updates`,
and continues where it was interrupted. The seeds (1, 2, 3) were fixed before the runs; whether an
expectation holds is computed from the results. Each result records its commit. Results of older
commits count if the gradients, given the same noise, have not changed since;
`benchmarks/unchanged.py` compares those of networks, autoencoders, gates and relaxations. A sample
of pieces of 16 pages, computed again, gave the same figures, ends of training to 0.06 nats.
"""

#: What no page repeats.
LEFT = """
Not repeated: Table 2 of MuProp on faces; ARMS on clothes; annealed straight-through of Jang et al.
(2017); nonlinear networks, densities with 50 samples, and two layers on letters, of Maddison et al.
(2017); Penn Treebank (Tallec and Ollivier 2017); 10⁷ symbols of longer lines, RTRL and the brackets
(10; 0; 8) (Tallec and Ollivier 2018); faces and documents (Naesseth et al. 2017); images of nature
(Hu and Salakhutdinov 2018).
"""
BUDGET = f"""
## What was left out for want of time

A page may take {HOURS} hours of one core; its last table has the measured seconds of each kind of
work. The pages below lack these pieces, which their commands compute:
"""


def index(papers: Iterable[Paper], folder: Path) -> Path:
    """Write the index: a row for each paper with results, its expectations counted."""
    rows, names, left, waiting, met, total = [], [], [], [], 0, 0
    for paper in papers:
        ledger = Ledger(folder / f"{paper.name}.jsonl")
        records = ledger.by_seed
        if not records:
            waiting.append(f"`{paper.name}`")
            continue
        budget = Budget(paper, ledger)
        if lines := budget.left_out():
            left.append(f"- [{paper.name}]({paper.name}.md)\n{textwrap.indent(lines, '  ')}")
        measured = [f.holds for f in paper.findings(records) if f.holds is not None]
        rows.append(
            [f"[{paper.short}]({paper.name}.md)", paper.verdict, f"{sum(measured)}/{len(measured)}"]
        )
        names.append(paper.name)
        met, total = met + sum(measured), total + len(measured)
    tree = "\n".join(["```{toctree}", ":hidden:", "", *names, "```"])
    head = ["experiment", "what reproduced, what did not, and why", "met"]
    told = HEAD.format(pages=len(rows), met=met, measured=total)
    place = folder / "index.md"
    parts = [told.strip(), table(head, rows).strip(), LEFT.strip(), HOW.strip(), tree]
    if waiting:
        parts.insert(3, f"Planned, but not begun: {', '.join(waiting)}.")
    if left:
        parts[-1:-1] = [BUDGET.strip(), "\n".join(left)]
    write_atomically(place, ("\n\n".join(parts) + "\n").encode())
    return place
