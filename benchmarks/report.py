"""The tables of a run of `run.py`: ratios to the floor first, ratios to the best peer second."""

from statistics import median

from options import number, table
from rows import PEERS, ROWS

#: An error of gradients that rounding in double precision does not explain.
TOLERANCE = 1e-8


def spread(values, digits=number):
    """Median, and range if there are several."""
    if not values:
        return "–"
    middle = digits(median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({digits(min(values))}–{digits(max(values))})"


class Rows:
    """The turns of a run, by row and library."""

    def __init__(self, results):
        self.results = results
        self.turns = {(t["row"], t["who"]): t["turns"] for t in results["turns"]}
        self.names = [n for n in results["names"] if (n, "scg") in self.turns]
        peers = [who for _, who in self.turns if who not in ("scg", "floor")]
        self.peers = list(dict.fromkeys(peers))

    def of(self, name, who, key="us"):
        return [t[key] for t in self.turns.get((name, who), []) if key in t]

    def machine(self, key):
        return [figures[key] for figures in self.results["machine"]]

    def floor(self, name):
        """Times of the bare products, or of reading and writing the numbers once, in µs."""
        row = ROWS[name]
        if row.numbers and self.machine("read"):
            size = 4 if row.dtype == "float32" else 8
            return [row.numbers * size / (1e3 * rate) for rate in self.machine(row.traffic)]
        return self.of(name, "floor")

    def best(self, name):
        """The fastest peer."""
        known = {who: median(t) for who in self.peers if (t := self.of(name, who))}
        return min(known, key=known.get, default=None)

    def ratios(self, name, who, key="us"):
        """Ratios of times of scg to another's, by round."""
        other = self.floor(name) if who == "floor" else self.of(name, who)
        return [a / b for a, b in zip(self.of(name, "scg", key), other, strict=False)]

    def steps(self):
        """Times of a step, and ratios."""
        rows = []
        for name in self.names:
            best, goal = self.best(name), ROWS[name].goal
            ratios = self.ratios(name, best)
            verdict = "–" if goal is None else f"≤ {goal}"
            if goal and ratios and median(ratios) > goal:
                verdict += " missed"
            bound = self.ratios(name, best, "bound")
            times = [spread(self.of(name, "scg", key)) for key in ("us", "bound")]
            peers = [spread(self.of(name, who)) for who in self.peers]
            floor = [spread(self.ratios(name, "floor")), spread(self.floor(name))]
            shown = [spread(ratios), spread(bound), best or "–", verdict]
            rows.append([name, floor[0], *shown, floor[1], *times, *peers])
        heads = ["µs a step", "scg / floor", "scg / best peer", "bound / best peer", "best peer"]
        return table([*heads, "goal", "floor", "scg", "bound", *self.peers], rows)

    def firsts(self):
        """Seconds to the first gradient, cold and later, and peak memory."""
        libraries, rows = ("scg", *self.peers), []
        for name in self.names:
            cells = []
            for who in libraries:
                seconds, memory = (self.of(name, who, k) for k in ("first", "megabytes"))
                later = number(median(seconds[1:])) if len(seconds) > 1 else "–"
                cold = number(seconds[0]) if seconds else "–"
                cells += [f"{cold} / {later}", spread(memory)]
            rows.append([name, *cells])
        heads = [f"{who}, {what}" for who in libraries for what in ("cold / later, s", "MB")]
        return table(["first gradient", *heads], rows)

    def works(self):
        """What a step computes, and how far gradients differ."""
        rows = []
        for name in self.names:
            row, errors = ROWS[name], []
            for who in ("scg", *self.peers):
                found = self.of(name, who, "error")
                wrong = " **differs**" if found and not found[0] <= TOLERANCE else ""
                errors.append(f"{found[0]:.0e}{wrong}" if found else "–")
            rows.append([name, row.work, row.dtype, *errors])
        return table(["row", "work, equal for all", "dtype", "scg", *self.peers], rows)

    def remarks(self):
        """Who did not take part, and why."""
        absent, lines = {}, []
        for name, who in self.turns:
            for reason in self.of(name, who, "missing")[:1]:
                absent.setdefault((who, reason), []).append(name)
        lines += [f"- {who}, {', '.join(names)}: {why}" for (who, why), names in absent.items()]
        lines += [f"- failed: {what}" for what in dict.fromkeys(self.results["failed"])]
        for who in ("scg", *PEERS):
            left = [name for name in self.results["names"] if (name, who) not in self.turns]
            lines += [f"- {who}: not asked for, failed, or no time left: {', '.join(left)}"] * bool(
                left
            )
        return "\n".join(lines)


def report(results):
    """All tables as Markdown."""
    rows = Rows(results)
    figures = ", ".join(
        f"{what} {spread(rows.machine(key))} {unit}"
        for key, what, unit in (
            ("sgemm", "sgemm", "Gflop/s"),
            ("dgemm", "dgemm", "Gflop/s"),
            ("read", "memory read", "GB/s"),
            ("fill", "memory written", "GB/s"),
        )
    )
    head = (
        f"{results['setting']}; {figures}; threads: {results['threads']}; up to "
        f"{len(results['machine'])} rounds, medians and ranges."
    )
    parts = [
        f"{head}\n\n{rows.steps()}",
        f"{head}\n\n{rows.firsts()}",
        "Largest difference of gradients from scg's interpreter, in float64 on the same noise, "
        f"relative to the parameter's largest.\n\n{rows.works()}",
        rows.remarks(),
    ]
    return "\n\n".join(parts)
