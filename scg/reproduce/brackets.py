"""Tallec and Ollivier (2018): a gated recurrent network learns distant brackets online."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import scg
from scg.reproduce.ledger import Ledger, Record
from scg.reproduce.online import Learner, after, bits, learn, noisier, plot, predictor, runs_of
from scg.reproduce.page import interval, shared_legend, table
from scg.reproduce.paper import SEEDS, Conditions, Finding, Paper, Piece
from scg.verify.plot import canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNITS, RATE, POINTS, TESTED = 64, 1e-3, 12, 36_000
WAYS = {
    "UORO, windows of 1": Learner(scg.UORO(), 1),
    "truncated, windows of 1": Learner(scg.Truncated(1, allow_biased=True), 1),
    "UORO, windows of 16": Learner(scg.UORO(), 16),
    "truncated, windows of 16": Learner(scg.Truncated(16, allow_biased=True), 16),
}
LONG_WAYS = tuple(WAYS)[2:]


class Brackets(NamedTuple):
    """Lines "[" letters "]" other letters "[" the same letters "]": numbers, and symbols of a run.

    Each line ends with a symbol of its own. The letters are uniform among `letters`, and so is
    the number of others between `least` and `most`.
    """

    saved: int
    least: int
    most: int
    letters: int
    symbols: int

    @property
    def length(self) -> float:
        """Mean number of symbols of a line."""
        return 2 * self.saved + (self.least + self.most) / 2 + 5

    def entropy(self, repeated: int) -> float:
        """Bits a symbol, if so many letters of a line cannot be foreseen after the second "["."""
        letters = self.saved + (self.least + self.most) / 2 + repeated
        random = letters * np.log2(self.letters) + np.log2(self.most - self.least + 1)
        return float(random / self.length)

    @property
    def floor(self) -> float:
        """Bits a symbol of the source."""
        return self.entropy(0)

    @property
    def forgetful(self) -> float:
        """Bits a symbol of the best predictor that knows all but which letters are repeated."""
        return self.entropy(self.saved)

    def lines(self, seed: tuple[int, ...], count: int) -> dict[str, np.ndarray]:
        """A stream as data: 0 and 1 are the brackets, 2 ends a line, and the letters follow."""
        rng, found, length = np.random.default_rng(seed), [], 0
        while length <= count:
            saved = 3 + rng.integers(self.letters, size=self.saved)
            others = 3 + rng.integers(self.letters, size=rng.integers(self.least, self.most + 1))
            found += [[0], saved, [1], others, [0], saved, [1, 2]]
            length += 2 * len(saved) + len(others) + 5
        symbols = np.concatenate(found)[: count + 1].astype(np.int64)
        return {"now": np.eye(self.letters + 3)[symbols[:-1]], "then": symbols[1:]}

    def task(self) -> scg.Graph:
        """The network that predicts the stream."""
        return predictor("brackets", self.letters + 3, UNITS)


SHORT, LONG = "(1; 5; 10)", "(3; 2–7; 10)"
#: The cause suspected where UORO does not learn: the published number of symbols is larger.
MORE = f"{SHORT}, 10⁷ symbols"
PRESETS = {
    SHORT: Brackets(1, 5, 5, 10, 150_000),
    LONG: Brackets(3, 2, 7, 10, 600_000),
    MORE: Brackets(1, 5, 5, 10, 10_000_000),
}


def pieces(under: Conditions, ledger: Ledger) -> Iterator[Piece]:
    """One run for each seed, preset and way; windows of 1 in the short runs alone."""
    for seed in SEEDS:
        for preset in PRESETS:
            for name in WAYS if preset == SHORT else LONG_WAYS:

                def work(seed: int = seed, preset: str = preset, name: str = name) -> Record:
                    return _run(under, PRESETS[preset], name, seed)

                yield Piece({"kind": "run", "preset": preset, "way": name, "seed": seed}, work)


def _run(under: Conditions, preset: Brackets, name: str, seed: int) -> Record:
    """Learn from one stream, and test on lines that the run did not read."""
    stream = preset.lines((seed, 0), preset.symbols)
    params, record = learn(
        WAYS[name], preset.task, stream, RATE, seed, under, passes=1, points=POINTS
    )
    fresh = preset.lines((0, 1), min(TESTED, preset.symbols))
    return {**record, "test": round(bits(preset.task(), fresh, under)(params), 4)}


# --- results --------------------------------------------------------------------------------------
def _runs(records: list[Record], preset: str, name: str) -> list[Record]:
    return [r for r in runs_of(records, name) if r["preset"] == preset]


def _tests(records: list[Record], preset: str) -> dict[str, list[float]]:
    return {name: [r["test"] for r in _runs(records, preset, name)] for name in WAYS}


def findings(records: list[Record]) -> list[Finding]:
    """Long windows, and UORO with short ones, learn which letters are repeated."""
    short, long, more = (_tests(records, preset) for preset in PRESETS)
    results = []
    for preset, name, below in (
        (SHORT, "truncated, windows of 16", True),
        (SHORT, "UORO, windows of 1", True),
        (SHORT, "truncated, windows of 1", False),
        (LONG, "truncated, windows of 16", True),
        (LONG, "UORO, windows of 16", True),
        (MORE, "UORO, windows of 16", True),
    ):
        found, limit = _tests(records, preset)[name], PRESETS[preset].forgetful
        text = (
            f"{preset}, {name}: {'below' if below else 'not below'} {limit:.3f} bits for all seeds"
        )
        met = (max(found) < limit if below else min(found) >= limit) if found else None
        results.append(Finding(text, met, f"{interval(found, 3)}." if found else ""))
    one, other = short["truncated, windows of 1"], short["UORO, windows of 1"]
    text = f"{SHORT}, windows of 1: truncation ends above UORO for all seeds"
    results.append(Finding(text, min(one) > max(other) if one and other else None))
    for preset, tests in ((SHORT, short), (LONG, long), (MORE, more)):
        (found,) = noisier(tests, (16,))
        results.append(found._replace(expectation=f"{preset}, {found.expectation}"))
    return results


def tables(records: list[Record]) -> str:
    """Costs at equal symbols and at equal times, by preset."""
    parts = [
        f"Bits a symbol: means over the last twelfth of the run, and on {TESTED:,} symbols that no "
        "run read; 95 % intervals over the seeds. The last column has the running mean after the "
        "CPU time of the fastest run on these lines."
    ]
    for preset, brackets in PRESETS.items():
        runs = {name: found for name in WAYS if (found := _runs(records, preset, name))}
        times = {name: min(r["cpu_seconds"] for r in found) for name, found in runs.items()}
        equal, rows = min(times.values(), default=0.0), []
        for name, found in runs.items():
            rows.append(
                [name, interval([r["curve"][-1][1] for r in found], 3),
                 interval([r["test"] for r in found], 3),
                 f"{times[name] / brackets.symbols * 1e6:.0f}", after(found, equal), len(found)]
            )  # fmt: skip
        head = ["credit", f"at {brackets.symbols:,} symbols", "test", "µs a symbol",
                f"after {equal:.1f} CPU s", "seeds"]  # fmt: skip
        known = (
            f"The source has {brackets.floor:.3f} bits a symbol; a predictor that knows all but "
            f"which letters are repeated has {brackets.forgetful:.3f} at best."
        )
        parts += [f"## {preset}", known, table(head, rows)]
    return "\n\n".join(parts)


def draw(records: list[Record]) -> Figure:
    """Running cost against symbols and against time; a row for each preset."""
    figure = canvas(9.5, 9.0)
    for pair, (preset, brackets) in zip(
        figure.subplots(3, 2, sharey="row"), PRESETS.items(), strict=True
    ):
        plot(pair, {name: _runs(records, preset, name) for name in WAYS}, 1)
        pair[0].set(xlabel="symbols", ylabel="bits a symbol", title=preset)
        pair[1].set(xlabel="CPU seconds, tests excluded")
        for axes in pair:
            axes.axhline(brackets.floor, color="0.5", lw=1, ls=":", label="the source")
            axes.axhline(brackets.forgetful, color="0.5", lw=1, ls="-.", label="letters forgotten")
            axes.set_ylim(brackets.floor - 0.05, brackets.forgetful + 0.35)
    shared_legend(figure, figure.axes[:1])
    return figure


BRACKETS = Paper(
    name="brackets",
    title="UORO (Tallec and Ollivier 2018): distant brackets, learned online",
    short="UORO, brackets",
    verdict="UORO learns the repeated letter in 10⁷ symbols; truncation in windows of 16 sooner.",
    about=f"""
A gated recurrent network of {UNITS} units reads lines such as [c]qwert[c] and predicts the next
symbol. A preset (s; k; a) has s letters that are repeated, k others between them, and an alphabet
of a letters. Published: 10⁷ symbols, the presets (1; 5; 10), (3; 2–7; 10) and (10; 0; 8), and
figures that are drawn, not printed; we have not found their numbers. Here: {SHORT} with
{PRESETS[SHORT].symbols:,} symbols, and with 10⁷ in windows of 16; {LONG} with
{PRESETS[LONG].symbols:,}, in windows of 16 alone. The parameters move after each window, by Adam
with rate 10⁻³/(1 + 0.015 √updates), as in the authors' logs.
""",
    why="""
UORO learns which letter is repeated: after 10⁷ symbols, the published number, it is at 1.68 to 1.69
bits in windows of 16 for each of three seeds, where the source has 1.661, and a predictor that
forgets the letter 1.938. It passes the latter after 1.5 to 2.5 million symbols. The runs of 150,000
symbols end before: there UORO is at 1.95 bits in windows of 1 and of 16. Truncation in windows of
16, which are longer than a line of (1; 5; 10), is at 1.77 by then, and at 1.663 after 10⁷ symbols
and a third of UORO's time; in windows of 1 it is at 1.94 to 1.95. On the longer lines, after
600,000 symbols, truncation begins to learn, 2.25 to 2.41 bits, and UORO is at 2.44, above the 2.417
of forgotten letters.

Tests begin with an empty state at the start of a line, and three of truncation in windows of 16 are
high: 12 bits (seed 3, 150,000 symbols), 2.8 and 9.6 (seeds 2 and 3, 10⁷ symbols). Lines of (1; 5;
10) have equal lengths, and the first of these networks keeps time by itself, so that it stays out
of step: where its test skipped 4 to 11 symbols its cost was 1.77 to 2.07 bits (not recorded). We
take this for the cause of the others, too, whose running means are 1.663 as that of seed 1.
""",
    pieces=pieces,
    findings=findings,
    tables=tables,
    draw=draw,
)
