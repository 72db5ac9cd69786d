"""Write docs/results.md and its plots from the results of the reproductions.

    python benchmarks/papers/results.py --runs paper-runs

The script computes from the figures whether a claim holds.
"""

import argparse
import json
import shutil
from pathlib import Path
from statistics import mean
from typing import Any

import matplotlib as mpl
from claims import CLAIMS, Figures
from published import TABLES

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "scg"  # the same figures give the same file
import matplotlib.pyplot as plt  # noqa: E402 - after the choice of its backend

Records = list[dict[str, Any]]
FROZEN = "MuProp-C"  # the rival whose parameters are the frozen checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("docs/results"))
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    args = parser.parse_args()
    folder = args.docs / "results"
    folder.mkdir(exist_ok=True)
    parts = [Path(__file__).with_name("protocol.md").read_text(encoding="utf-8")]
    for task, table in TABLES.items():
        file = args.runs / f"{task}.jsonl"
        if not file.exists():
            parts.append(f"## {table.title}\n\nNot run yet.\n")
            continue
        records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        if args.runs != folder:
            shutil.copy(file, folder / file.name)
        parts.append(section(task, table, records, folder))
    (args.docs / "results.md").write_text("\n".join(parts), encoding="utf-8")


def section(task: str, table: Any, records: Records, folder: Path) -> str:
    """The section about one task: each model at each length of training."""
    text = [f"## {table.title}", "", table.about, ""]
    figures: dict[int, dict[str, Figures]] = {}
    for model in table.models:
        mine = [r for r in records if r["model"] == model]
        lengths = sorted({r["steps"] for r in mine if r["kind"] == "test"})
        if not lengths:
            text += [f"### {model}", "", "Not run yet.", ""]
        for steps in lengths:
            same = at_best_rate([r for r in mine if r["steps"] == steps])
            found = figures.setdefault(steps, {})[model] = collect(same, in_order(mine))
            text += [f"### {model}: {steps} updates", "", *rows(table, model, same, found)]
            picture = f"{task}_{model}_{steps}.svg"
            plot_curves(folder / picture, model, table.unit, same, found)
            text += ["", f"![Learning curves of {model}](results/{picture})", ""]
            if found.variance:
                text += variances(same)
    text += ["### Claims that reproduced, and claims that did not", ""]
    for steps, found in sorted(figures.items()):
        text += [f"With {steps} updates:", "", *verdicts(task, found), ""]
    return "\n".join([*text, table.remark, ""])


def verdicts(task: str, figures: dict[str, Figures]) -> list[str]:
    """A line for each claim that was measured, and the number of the others."""
    lines = []
    for claim in CLAIMS[task]:
        met, found = claim.check(figures)
        if met is not None:
            words = "**holds**" if met else "**does not hold**"
            lines.append(f"- {claim.text}: {words}. {found}")
    rest = len(CLAIMS[task]) - len(lines)
    if rest:
        lines.append(f"- {rest} further claims were not measured at this length.")
    return lines


def at_best_rate(records: Records) -> Records:
    """The records without tests and variances at rates that further runs surpassed."""
    first = records[0]["seed"]
    best: dict[str, tuple[float, float]] = {}
    for r in records:
        if r["kind"] == "run" and r["seed"] == first and r["valid"] is not None:
            found = (r["valid"], r["rate"])
            best[r["estimator"]] = min(found, best.get(r["estimator"], found))
    rates = {
        "test": lambda r: best[r["estimator"]][1],
        "variance": lambda r: best[FROZEN][1],
    }
    return [r for r in records if r["kind"] == "run" or r["rate"] == rates[r["kind"]](r)]


def in_order(records: Records) -> list[str]:
    """The estimators, in one order for all lengths of training."""
    return list(dict.fromkeys(r["estimator"] for r in records))


def collect(records: Records, names: list[str]) -> Figures:
    """The figures of one model."""
    test = {
        name: sorted(r["test"] for r in records if (r["kind"], r["estimator"]) == ("test", name))
        for name in names
    }
    variance = {r["estimator"]: r["variance"] for r in records if r["kind"] == "variance"}
    return Figures({name: values for name, values in test.items() if values}, variance)


def rows(table: Any, model: str, records: Records, figures: Figures) -> list[str]:
    """The table of test figures beside the published ones."""
    lines = [
        f"| estimator | {table.unit}, test | per seed | rate, of those tried | ms per update "
        "| published |",
        "|---|---|---|---|---|---|",
    ]
    stderr = [r["stderr"] for r in records if r["kind"] == "test"]
    for name, values in figures.test.items():
        runs = [r for r in records if r["kind"] == "run" and r["estimator"] == name]
        chosen = next(r for r in records if r["kind"] == "test" and r["estimator"] == name)["rate"]
        tried = sorted({r["rate"] for r in runs})
        diverged = [r["rate"] for r in runs if r["valid"] is None]
        speed = mean(r["ms_per_step"] for r in runs if r["valid"] is not None)
        grid = ", ".join(f"{rate:.2g}" for rate in tried)
        note = f"; diverged: {', '.join(f'{r:.2g}' for r in diverged)}" if diverged else ""
        note += " (at the edge)" if chosen in (tried[0], tried[-1]) else ""
        each = ", ".join(f"{value:.1f}" for value in values)
        published = table.models[model].get(name, "–")
        lines.append(
            f"| {name} | **{mean(values):.1f}** | {each} | {chosen:.2g} of {grid}{note} "
            f"| {speed:.1f} | {published} |"
        )
    images = next(r["images"] for r in records if r["kind"] == "test")
    return [
        *lines,
        "",
        f"The standard error over the {images} test images is {min(stderr):.2f} to "
        f"{max(stderr):.2f} nats. It is common to all rows, because they use the same images. The "
        "times were measured on a machine that did other work as well.",
    ]


def plot_curves(path: Path, model: str, unit: str, records: Records, figures: Figures) -> None:
    """Draw the validation curve of each estimator at its chosen rate, one line per seed."""
    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    for number, name in enumerate(figures.test):
        tested = [r for r in records if r["kind"] == "test" and r["estimator"] == name]
        for place, test in enumerate(tested):
            key = dict(kind="run", estimator=name, rate=test["rate"], seed=test["seed"])
            run = next(r for r in records if all(r.get(k) == v for k, v in key.items()))
            steps, values = zip(*run["curve"], strict=True)
            label = f"{name} ({test['rate']:.2g})" if place == 0 else None
            axes.plot(steps, values, color=f"C{number}", label=label, alpha=0.9)
    axes.set(title=model, xlabel="updates", ylabel=f"{unit}, validation")
    axes.grid(alpha=0.3)
    figure.legend(title="estimator (rate)", fontsize="small", loc="outside right upper")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def variances(records: Records) -> list[str]:
    """The table of variances at the frozen checkpoint."""
    found = [r for r in records if r["kind"] == "variance"]
    least = {r["estimator"]: r["variance"] for r in found}
    base = least.get(FROZEN)
    lines = [
        f"Variance of the gradient of the stochastic layers' parameters, where {FROZEN} (first "
        f"seed) ended: {found[0]['draws']} runs on one fixed batch, mean over all components, "
        "without variance normalization:",
        "",
        f"| estimator | variance | ratio to {FROZEN} |",
        "|---|---|---|",
    ]
    for r in found:
        mark = "" if r["unbiased"] else " (biased)"
        ratio = f"{r['variance'] / base:.3g}" if base else "–"
        lines.append(f"| {r['estimator']}{mark} | {r['variance']:.3g} | {ratio} |")
    return [*lines, ""]


if __name__ == "__main__":
    main()
