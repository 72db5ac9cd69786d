"""What `benchmarks/cluster.py` measured, as lines of the page on many workers."""

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median

FILE = Path(__file__).parent / "results" / "cluster.json"
EQUAL = {True: "the same bits as one worker", False: "OTHER BITS than one worker"}


def lines() -> Iterator[str]:
    """Yield a table of losses and one of times, each with what it was measured on."""
    found = json.loads(FILE.read_text(encoding="utf-8"))
    losses = {part: found[part] for part in ("study", "fit", "compare") if part in found}
    if losses:
        yield from ("", f"Losses ({_where(list(losses.values()))}):", "")
        yield from ("| work | workers killed | what was found |", "|---|---|---|")
        for part, row in losses.items():
            yield f"| {_WORK[part](row)} | {row['killed']} | {_FOUND[part](row)} |"
    if "latency" in found:
        row = found["latency"]
        times = ", ".join(f"{ms:.2f} ms ({who})" for who, ms in row["ms"].items())
        there, back = (round(n / 1e3) for n in row["bytes"])
        yield ""
        yield f"A chunk that does nothing takes {times}; a shard of this training sends {there} kB"
        yield f"and gets {back} kB ({_where([row])})."
    if "scaling" in found:
        row = found["scaling"]
        yield from ("", f"Medians of seconds, and the median of the ratios ({_where([row])}):", "")
        counts = list(next(iter(row["seconds"].values())))
        heads = [f"{n} process{'es' if n != '1' else ''}" for n in counts]
        yield f"| work | {' | '.join(heads)} | speed-up |"
        yield f"|---|{'---|' * len(counts)}---|"
        for work, by_count in row["seconds"].items():
            ratio = median(a / b for a, b in zip(by_count["1"], by_count[counts[-1]], strict=True))
            times = " | ".join(f"{median(by_count[n]):.2f}" for n in counts)
            yield f"| {work} | {times} | {ratio:.2f} |"


_WORK = {
    "study": lambda row: f"study of {row['cells']} short trainings",
    "fit": lambda row: f"training of {row['updates']} updates of {row['shards']} shards",
    "compare": lambda row: f"comparison of {row['runs']:,} runs",
}
_FOUND = {
    "study": lambda row: (
        f"{row['cells']} rows, {row['files']} files, {row['failed']} failed; {EQUAL[row['equal']]}"
    ),
    "fit": lambda row: EQUAL[row["equal"]],
    "compare": lambda row: EQUAL[row["equal"]],
}


def _where(rows: list[dict]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in rows[-1]["versions"].items())
    load = max(row["load"] for row in rows)
    return f"{rows[-1]['date']}, {rows[-1]['cores']} cores under a load of {load:.1f}, {versions}"
