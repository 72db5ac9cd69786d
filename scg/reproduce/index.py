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

Published experiments, repeated with the estimators of scg, and how many of the expectations that
were written before the runs are met.
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
(2017); Penn Treebank (Tallec and Ollivier 2017); 10⁷ symbols (Tallec and Ollivier 2018); faces and
documents (Naesseth et al. 2017); images of nature (Hu and Salakhutdinov 2018).
"""
BUDGET = f"""
## What was left out for want of time

A page may take {HOURS} hours of one core; its last table has the measured seconds of each kind of
work. The pages below lack these pieces, which their commands compute:
"""


def index(papers: Iterable[Paper], folder: Path) -> Path:
    """Write the index: a row for each paper with results, its expectations counted."""
    rows, names, left, waiting = [], [], [], []
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
    tree = "\n".join(["```{toctree}", ":hidden:", "", *names, "```"])
    head = ["experiment", "what reproduced, what did not, and why", "met"]
    place = folder / "index.md"
    parts = [HEAD.strip(), table(head, rows).strip(), LEFT.strip(), HOW.strip(), tree]
    if waiting:
        parts.insert(3, f"Planned, but not begun: {', '.join(waiting)}.")
    if left:
        parts[-1:-1] = [BUDGET.strip(), "\n".join(left)]
    write_atomically(place, ("\n\n".join(parts) + "\n").encode())
    return place
