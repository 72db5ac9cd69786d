"""Pages of reproductions: expectations, figure, tables beside the published ones, and budget."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scg.common.files import write_atomically
from scg.errors import ScgError
from scg.reproduce.budget import HOURS, Budget
from scg.reproduce.ledger import Ledger, Record
from scg.reproduce.paper import Finding, Paper

#: 97.5 % points of Student's t by degrees of freedom.
_T = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26}
_WORDS = {True: "holds", False: "does not hold", None: "not measured"}


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def interval(values: Sequence[float], digits: int | None = 1) -> str:
    """Mean and half width of the 95 % interval over seeds (Student's t).

    `digits` follow the point; None shows three and two significant ones.
    """
    if not values:
        return "–"
    half = half_width(values)
    centre, width = (".3g", ".2g") if digits is None else 2 * (f".{digits}f",)
    around = f" ± {half:{width}}" if values[1:] else ""
    return f"{mean(values):{centre}}{around}"


def half_width(values: Sequence[float]) -> float:
    """Half width of the 95 % interval over seeds, 0 for one seed."""
    if not values[1:]:
        return 0.0
    return _T.get(len(values) - 1, 1.96) * stdev(values) / float(len(values)) ** 0.5


def band(axes: Any, x: Any, values: Any, **how: Any) -> None:
    """Draw the mean of curves over the seeds, each a row of `values`, and their range."""
    (line,) = axes.plot(x, values.mean(axis=0), **how)
    low, high = values.min(axis=0), values.max(axis=0)
    axes.fill_between(x, low, high, color=line.get_color(), alpha=0.15, linewidth=0)


def framed(axes: Any, which: str = "major") -> None:
    """Give axes a grid, and no frame at the top and on the right."""
    axes.grid(alpha=0.3, which=which)
    axes.spines[["top", "right"]].set_visible(False)


def labelled(axes: Any, **how: Any) -> None:
    """Give axes a legend, if anything on them has a label."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**{"fontsize": "small", "loc": "upper right", **how})


def shared_legend(figure: Any, axes: Iterable[Any], **how: Any) -> None:
    """Give a figure one legend beside its axes, of what has a label on some of them."""
    ends = [each.get_legend_handles_labels() for each in axes]
    lines = {name: line for found in ends for line, name in zip(*found, strict=True)}
    if lines:
        how = {"loc": "outside right center", "fontsize": "small", **how}
        figure.legend(list(lines.values()), list(lines), **how)


def write(paper: Paper, folder: Path) -> Path:
    """Write the page of a paper and its figure beside its results."""
    ledger = Ledger(folder / f"{paper.name}.jsonl")
    records = ledger.by_seed
    parts = [f"# {paper.title}", paper.about.strip()]
    if records:
        parts.insert(1, f"**Result.** {paper.why.strip()}")
        picture, content = folder / f"{paper.name}.svg", io.BytesIO()
        _styled(paper, records, content)
        write_atomically(picture, content.getvalue())
        parts.append(f"![{paper.title}]({picture.name})")
        parts += [paper.tables(records).strip(), "## Expectations", _EXPECTED]
        parts.append("\n".join(map(_sentence, paper.findings(records))))
    parts += ["## Command, hours and machine", _work(paper, ledger)]
    place = folder / f"{paper.name}.md"
    write_atomically(place, ("\n\n".join(parts) + "\n").encode())
    return place


_EXPECTED = (
    "The expectations were written before the runs that they judge; those of runs that test a "
    "suspected cause followed the first results. Whether they hold is computed from the results."
)


def _sentence(finding: Finding) -> str:
    found = f" {finding.found}" if finding.found else ""
    return f"- {finding.expectation}: **{_WORDS[finding.holds]}**.{found}"


def _styled(paper: Paper, records: list[Record], content: io.BytesIO) -> None:
    """Draw the figure; the same records give the same bytes."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise ScgError("the page's figure needs matplotlib: pip install 'scgrad[draw]'") from None
    with mpl.rc_context({"svg.hashsalt": "scg", "font.size": 9}):
        paper.draw(records).savefig(content, format="svg", metadata={"Date": None})


_WORK = ("work", "updates", "done", "seconds each", "hours spent", "hours left")
_NEEDS = f"The page needs {{:.2f}} hours of one core in all, of the {HOURS} that a page may take."


def _spent(row: tuple[str, int, int, int, float, float, float]) -> list[Any]:
    kind, updates, done, planned, each, spent, left = row
    times = [f"{each:.3g}", f"{spent:.2f}", f"{left:.2f}"] if each == each else ["–"] * 3
    return [kind, updates or "–", f"{done} of {planned}", *times]


def _work(paper: Paper, ledger: Ledger) -> str:
    """The command, the budget, what was left out, the machine and the commits."""
    budget = Budget(paper, ledger)
    how = f" --data {paper.data}" if paper.data else ""
    how += "".join(f" --updates {longest}" for longest in budget.lengths[-1:] if longest)
    lines = [f"    scg reproduce {paper.name}{how} --out docs/results --minutes 60", ""]
    lines += ["The same command resumes, and writes this page again.", ""]
    if rows := list(budget.rows()):
        lines += [table(_WORK, map(_spent, rows)), _NEEDS.format(sum(r[-2] + r[-1] for r in rows))]
        lines.append("")
    if left := budget.left_out():
        lines += ["Left out so far, for want of time:", "", left, ""]
    machine = " and ".join(sorted({r["machine"] for r in ledger.find(kind="machine")}))
    commits = ", ".join(sorted({r["commit"] for r in ledger.records}))
    if machine:
        lines.append(
            f"Machine: {machine}; one process, one thread; seconds of the processor, in older "
            "records of the clock, which other work slowed down."
        )
    if commits:
        lines.append(f"Commits: {commits}.")
    return "\n".join(lines)
