"""Write the tables of the reference from the code, and the formulas on the estimators' pages.

python docs/tables.py            write docs/reference/*.md
python docs/tables.py --check    exit with 1 if a page is out of date
"""

import contextlib
import inspect
import json
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bibliography
import ledger
import numpy as np
import variances
import workers
from formulas import notation

import scg
from scg.distributions import BIJECTIONS, DISTRIBUTIONS, Distribution
from scg.estimators import ESTIMATORS, Estimator
from scg.graph.declaration.notation import functions
from scg.ir.dispatch import FUNCTIONS, UFUNCS, numpy_name
from scg.ir.op import OPS

REFERENCE = Path(__file__).resolve().parent / "reference"
MADE = "<!-- made by docs/tables.py; do not edit -->"
LEAVES = {"const", "parameter", "data", "noise", "state", "plate_size", "position", "sample"}
#: Columns of the distributions: a capability, and the method that provides it.
CAPABILITIES = {
    "mean": "mean",
    "variance": "variance",
    "mode": "mode",
    "quantile": "quantile",
    "entropy": "entropy_elementwise",
    "KL": "kl_elementwise",
    "enumerate": "cardinality",
    "coordinates": "coordinate_values",
    "relax": "relax",
    "condition": "condition",
    "weak derivative": "weak_derivatives",
    "next value": "upward",
}


def table(*columns: str) -> Iterator[str]:
    """Yield the head of a Markdown table."""
    yield "| " + " | ".join(columns) + " |"
    yield "|---" * len(columns) + "|"


def row(*cells: object) -> str:
    """One line of a Markdown table, with vertical bars replaced."""
    return "| " + " | ".join(str(cell).replace("|", "∣") for cell in cells) + " |"


def tick(holds: object) -> str:
    """A tick if a condition holds."""
    return "✓" if holds else ""


def line(documented: object) -> str:
    """The first line of a docstring."""
    text = (inspect.getdoc(documented) or "").partition("\n")[0]
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text).replace("``", "`")


def ops() -> Iterator[str]:
    """Yield the page of the ops."""
    yield "# Ops\n"
    yield (
        "Nodes are accepted by Python's operators, by the NumPy functions listed here, and by the "
        "functions of scg below. They follow NumPy's conventions on event axes; plates broadcast "
        "by name. To use any other function, wrap it with `scg.op`.\n"
    )
    known = {f"np.{numpy_name(f)}" for f in (*UFUNCS, *FUNCTIONS) if callable(f)}
    yield "**NumPy**: " + ", ".join(f"`{name}`" for name in sorted(known)) + ".\n"
    own = {
        name: value
        for name, value in functions().items()
        if getattr(scg, name, None) is value and not inspect.isclass(value)
    }
    yield from table("function", "returns")
    for name, function in sorted(own.items()):
        yield row(f"`scg.{name}`", line(function))
    yield "\n## Primitives\n"
    yield (
        "The compiler works with these ops, which include internal ones. *Continuous* and *smooth* "
        "refer to the arguments with a derivative. An op that is not continuous has no pathwise "
        "derivative across its jumps, so an estimator that requires continuous paths is refused "
        "there.\n"
    )
    yield from table("op", "arguments with a derivative", "continuous", "smooth", "elementwise")
    for name, op in sorted(OPS.items()):
        if name in LEAVES or ":" in name:
            continue
        slopes = "any" if callable(op.vjps) else f"{sum(v is not None for v in op.vjps)}"
        continuous, smooth = tick(op.continuous), tick(op.continuous and op.smooth)
        if op.loop is not None:
            continuous = smooth = "as its body"
        yield row(f"`{name}`", slopes, continuous, smooth, tick(op.elementwise))


def able_cell(family: type[Distribution], method: str, reasons: dict[str, int]) -> str:
    """A tick, the parameters with a weak derivative, or the number of the reason for the lack."""
    reason = family.lacks(method)
    if reason:
        return str(reasons.setdefault(reason, len(reasons) + 1))
    if method == "weak_derivatives":
        return ", ".join(f"`{name}`" for name in family.weak_parameters)
    return tick(True)


def distributions() -> Iterator[str]:
    """Yield the page of the distributions."""
    yield "# Distributions\n"
    yield (
        "Pass a distribution to `g.sample(name, distribution)` for a stochastic node, or to "
        "`g.observe(name, distribution, value)` for an observation. Parameters may be nodes, "
        "numbers or arrays. Where `logits` and `probs` are listed, give one of them.\n"
    )
    yield from table("distribution", "what it is", "parameters")
    for family in DISTRIBUTIONS:
        _, *names = inspect.signature(family.__init__).parameters
        parameters = ", ".join(f"`{name}`" for name in names)
        yield row(f"`scg.{family.__name__}`", line(family), parameters)
    yield "\n## Capabilities\n"
    yield (
        "These capabilities decide which estimators fit a node:\n\n"
        "- *pathwise*: samples are differentiable in the parameters (`Reparameterization`);\n"
        "- *mean field*: log p is defined at the mean (`MuProp`, `DoubleCV`, `RODEO`);\n"
        "- *enumerate*: there are finitely many values (`Enumeration`, `UnorderedSet`, ...);\n"
        "- *coordinates*: the coordinates are independent and have finitely many values (`RAM`, "
        "`LocalExpectation`);\n"
        "- *relax* and *condition*: there is a continuous relaxation, and a conditional one "
        "(`REBAR`, `RELAX`);\n"
        "- *weak derivative*: the parameters for which `MeasureValued` has a decomposition;\n"
        "- *next value*: each coordinate has ordered values, perhaps given those before it (`GO`, "
        "`StochasticTriple`).\n\n"
        "All distributions also have a support, checked constraints of their parameters, and a "
        "`coupling`: samples as a function of uniforms, which for univariate distributions is the "
        "quantile. `Mixture` has a mean, a variance, a finite support and next values if all its "
        "components have them. A number refers to the reason below why a distribution lacks a "
        "capability.\n"
    )
    reasons: dict[str, int] = {}
    yield from table("distribution", "pathwise", "mean field", *CAPABILITIES)
    for family in DISTRIBUTIONS:
        able = (able_cell(family, method, reasons) for method in CAPABILITIES.values())
        pathwise, field = tick(family.reparameterized), tick(family.extends_to_mean)
        yield row(f"`{family.__name__}`", pathwise, field, *able)
    yield "\nReasons:\n"
    for reason, number in reasons.items():
        yield f"{number}. {reason}"
    yield "\n## Signatures\n"
    yield "```{eval-rst}\n.. autoclass:: scg.Distribution\n   :members:\n"
    for family in (*DISTRIBUTIONS, *BIJECTIONS):
        yield f".. autoclass:: scg.{family.__name__}\n"
    yield "```\n"
    yield "A node's distribution is that of each element. Its methods return nodes:\n"
    yield "```python"
    yield ">>> import scg"
    yield '>>> g = scg.Graph("toy")'
    yield '>>> b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.0)))'
    yield '>>> g.cost("loss", b.dist.entropy() - b.dist.mean() + 0.0 * b)'
    yield ">>> isinstance(b.dist, scg.Distribution), round(scg.exact(g, {'theta': 0.0}).cost, 4)"
    yield "(True, 0.1931)\n\n```"


def default(cls: type[Estimator]) -> Estimator:
    """An estimator with its default options."""
    needs_plate = "plate" in inspect.signature(cls).parameters
    return cls(scg.Plate("particles", length=2)) if needs_plate else cls()


def evaluations(cls: type[Estimator]) -> object:
    """Evaluations of the costs in one run, as text in K if options determine the number."""
    stated = vars(cls).get("evaluations", "")
    return stated if isinstance(stated, str) and stated else default(cls).evaluations


def sources() -> Iterator[str]:
    """Yield the page of the sources."""
    cited_by: dict[str, list[str]] = {}
    for cls in ESTIMATORS:
        for key in default(cls).cites:
            link = f"[{cls.__name__}](estimators/{page_of(cls).name})"
            cited_by.setdefault(key, []).append(link)
    for name in scg.baselines.__all__:
        for key in getattr(scg.baselines, name).cites:
            cited_by.setdefault(key, []).append(f"[{name}](baselines.md)")
    yield from bibliography.page(cited_by)


def estimators() -> Iterator[str]:
    """Yield the page of the estimators."""
    optional = [cls.__name__ for cls in ESTIMATORS if not isinstance(cls.unbiased, bool)]
    yield "# Estimators\n"
    yield (
        "[How to choose](../howto/choose_an_estimator.md) compares them. *Unbiased*: whether the "
        "mean of the estimate is the true gradient; a biased estimator raises a warning unless you "
        "pass `allow_biased=True`. *Order*: the highest derivative that stays unbiased. "
        "*Evaluations*: how often one run evaluates the costs; K is the number of samples, C that "
        "of classes, n that of coordinates. The table is about default options; "
        f"{', '.join(optional[:-1])} and {optional[-1]} have an option that makes them biased. "
        "*Source*: `scg.cite(step)` prints the entries.\n"
    )
    yield (
        "*Over time*: whether a graph with scans runs as a loop, in time proportional to the "
        "number of steps, is unrolled, or is refused there.\n"
    )
    head = ("estimator", "what it is", "unbiased", "order", "evaluations", "over time", "source")
    yield from table(*head)
    for cls in ESTIMATORS:
        shown = f"[`{cls.__name__}`](estimators/{page_of(cls).name})"
        chosen = default(cls)
        unbiased = "yes" if chosen.unbiased else "no"
        orders = "any" if chosen.orders > 2 else chosen.orders
        sources = bibliography.cited(chosen.cites)
        count = evaluations(cls)
        yield row(shown, line(cls), unbiased, orders, count, over_time(chosen), sources)
    yield "\n```{toctree}\n:hidden:\n"
    known = [page_of(cls).stem for cls in ESTIMATORS]
    others = sorted({path.stem for path in (REFERENCE / "estimators").glob("*.md")} - {*known})
    yield "\n".join(f"estimators/{name}" for name in [*known, *others]) + "\n```"

    yield (
        "\n[Tested by sampling alone](sampled.md) lists the graphs on which tests average runs of "
        "an estimator, because its mean cannot be computed, with the bias that they would find."
    )
    yield "\n## Notation\n"
    yield (
        "Each page shows the formula that `explain()` prints and that the tests evaluate on noise. "
        "$f$ is the cost, $x$ the sample, $x_i$ the $i$-th of $K$ samples, $p$ the probability or "
        "density of a sample, $\\mu$ the mean of the distribution, $\\theta$ its parameters, "
        "$\\varepsilon$ and $u$ noise, and $\\sigma$ the logistic function.\n"
    )
    yield inspect.cleandoc(notation.__doc__ or "").partition("\n\n")[2].partition("\n\n")[2]


#: Distributions of the rows of docs/results/sampled.json, which docs/sampled.py writes.
SAMPLED = {
    "subset": "`Subset`, 2 of 3",
    "order": "`PlackettLuce`, 3 items",
    "first of an order": "`PlackettLuce`, 2 of 3",
    "field": "`LinearChain`, 3 × 2",
    "matching": "`Matching`, 3 × 3",
    "chain": "`MarkovChain`, 3 × 3",
}

#: Of which of a graph's plates the estimators of some rows of tests/laws/choices.py are.
PLATES = {
    "vimco": ", the last plate",
    "vimco-arithmetic": ", the last plate",
    "vimco-outer": ", the first plate",
}


def sampled() -> Iterator[str]:
    """Yield the page of what is only tested by averages of runs."""
    laws, found = (
        json.loads((REFERENCE.parent / "results" / name).read_text(encoding="utf-8"))
        for name in ("laws.json", "sampled.json")
    )
    weakest = max(x for entry in laws.values() for x in entry["sampled"].values())
    yield "# Tested by sampling alone\n"
    yield (
        "Tests hold each estimator to the laws on each of a table of small graphs (`tests/laws`). "
        "Each pair gets one of four verdicts. *Exact*: the mean of the estimate is computed, to "
        "1e-10 or by quadrature to 1e-6, and is the true gradient. *Biased*: as the estimator "
        "declares. *Refused*: `scg.compile` raises an error with the reason. *Sampled*: the noise "
        "has more than 4096 outcomes. There tests average runs, and |z| must stay below 7. The "
        "number beside such a graph is the bias that a test finds with probability 0.99, relative "
        f"to the largest component of the gradient: at most {weakest:.1%}.\n"
    )
    yield from table("estimator", "exact", "biased", "refused", "sampled: detectable bias")
    for name, entry in laws.items():
        runs = ", ".join(f"{graph} {bias:.1%}" for graph, bias in entry["sampled"].items())
        counts = (entry[kind] for kind in ("exact", "biased", "refused"))
        shown = "the compiler's choice" if entry["shown"] == "None" else f"`{entry['shown']}`"
        yield row(shown + PLATES.get(name, ""), *counts, runs)
    never = [f"`{x['shown']}`" for x in laws.values() if x["sampled"] and not x["exact"]]
    yield (
        f"\nThe means of {', '.join(never[:-1])} and {never[-1]} are sampled on all graphs. Tests "
        "compare each estimate with its published formula on the same noise, too."
    )
    yield "\n## Relaxations of structured distributions\n"
    yield (
        "On these distributions the relaxations' noise cannot be integrated: tests average 20 000 "
        "runs. The numbers are detectable biases, as above.\n"
    )
    names = list(next(iter(found.values())))
    yield from table("distribution", *names)
    for key, rows in found.items():
        yield row(SAMPLED[key], *(f"{rows[n]:.0%}" for n in names))


#: Nodes on which :func:`over_time` tries an estimator.
KINDS = (
    lambda x: scg.Bernoulli(logits=x),
    lambda x: scg.OneHotCategorical(logits=x),
    lambda x: scg.Categorical(logits=x),
    lambda x: scg.Normal(x, 1.0),
    lambda x: scg.Gamma(np.exp(x), 1.0),
    lambda x: scg.Delta(x),
    lambda x: scg.Matching(logits=x * np.ones((3, 1))),
    lambda x: scg.RBM(x, x[:1], np.ones((3, 1))),
)


def over_time(estimator: Estimator) -> str:
    """How an estimator runs on graphs with scans: on the first kind of node that it fits."""
    plate = getattr(estimator, "plate", None)
    for make in KINDS:
        g, t = scg.Graph("probe"), scg.Time("t")
        x, w = g.data("x", shape=(3,), plates=t), g.parameter("w", np.ones(3))

        def cell(h: Any, x: Any, g: Any = g, w: Any = w, make: Any = make) -> Any:
            z = g.sample("z", make(w * h + x), plates=plate)
            g.cost("c", np.sum((z - 0.3) ** 2))
            return np.tanh(h + 0.1 * np.sum(z))

        g.scan(cell, init=0.0, xs=x, over=t)
        with warnings.catch_warnings(), contextlib.suppress(scg.EstimatorError):
            warnings.simplefilter("ignore")
            step = scg.compile(g, estimator, backend="numpy")
            return "unrolled" if step.rolled is None else "loop"
    return "refused"


def page_of(cls: type) -> Path:
    """Path of the page of an estimator."""
    return REFERENCE / "estimators" / f"{cls.__module__.rpartition('.')[2]}.md"


def with_formula(cls: type) -> str:
    """Text of an estimator's page, with its formula as the first one of the section."""
    page = page_of(cls)
    text = page.read_text(encoding="utf-8") if page.exists() else new_page(cls)
    before, heading, after = text.partition("## Formula\n\n")
    shown = f"$${notation.read(cls.formula).tex()}$$"
    after = re.sub(r"\$\$.*?\$\$", lambda _: shown, after, count=1, flags=re.DOTALL)
    return before + heading + after


def new_page(cls: type) -> str:
    """Return the headings of a page, to be filled, with what the class itself says."""
    chosen = default(cls)
    orders = {0: "0 (biased)", 1: "1"}.get(chosen.orders, "any")
    named = [bibliography.works()[key].named for key in chosen.cites]
    parts = {
        "Idea": line(cls),
        "When to use it": "…",
        "Formula": "$$$$\n\n…",
        "Assumptions": f"{'; '.join(chosen.requires) or '…'}.",
        "In the protocol": "- Taylor point: …\n- Coupling: …\n- Stopped: …\n- Noise: …\n"
        f"- Orders: {orders}.",
        "Cost and variance": f"{evaluations(cls)} evaluations.\n\n![Exact variance as a function "
        "of θ, compared with the score function and leave-one-out]"
        f"(variance/{page_of(cls).stem}.svg)",
        "Example": "…",
        "Signature": f"```{{eval-rst}}\n.. autoclass:: scg.{cls.__name__}\n```",
        "Reference": f"{', '.join(named)}.",
    }
    return f"# {cls.__name__}\n" + "".join(f"\n## {h}\n\n{text}\n" for h, text in parts.items())


PAGES = {
    "ops": ops,
    "distributions": distributions,
    "estimators": estimators,
    "sampled": sampled,
    "bibliography": sources,
}


# --- the map of imports -----------------------------------------------------------------------
def rooms() -> dict[str, set[str]]:
    """The rooms that each room of scg imports, imports in functions included."""
    package = Path(scg.__file__).parent
    found: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        own, *rest = path.relative_to(package).with_suffix("").parts
        if own.startswith("__"):
            continue
        room = f"{own}/" if rest else own
        uses = re.findall(r"from scg\.(\w+)(\.?)", path.read_text(encoding="utf-8"))
        uses = {f"{name}/" if (package / name).is_dir() else name for name, _ in uses}
        found.setdefault(room, set()).update(uses - {room})
    return found


def map_of_imports() -> Iterator[str]:
    """Yield the table of the imports of each room."""
    yield from table("room", "imports")
    for room, uses in sorted(rooms().items(), key=lambda item: (len(item[1]), item[0])):
        yield row(f"`{room}`", ", ".join(f"`{name}`" for name in sorted(uses)) or "nothing")


def summary(known: dict[str, Any]) -> Iterator[str]:
    """Yield the table of the front page: errors at one point of the three toys."""
    yield from table("estimator", *(title for _, title, *_ in variances.TOYS.values()), "unbiased")
    plain = {toy: {"score function": known[""][toy]["score function"]} for toy in variances.TOYS}
    for cls in ESTIMATORS:
        page = page_of(cls)
        curves = plain if cls is scg.ScoreFunction else known[page.stem]
        name, _ = next(item for toy in variances.toys(page.stem) for item in curves[toy].items())
        same = name.lower().replace(" ", "") == cls.__name__.lower()
        option = "" if same else f", {name.removeprefix(f'{cls.__name__}, ')}"
        cells = [variances.number(curves[toy].get(name)) for toy in variances.TOYS]
        link = f"[{cls.__name__}](reference/estimators/{page.name}){option}"
        yield row(link, *cells, "yes" if default(cls).unbiased else "no")


def between(path: Path, what: str, lines: Iterator[str]) -> str:
    """Text of a page with the current lines between two marks."""
    before, begin, _, after = marked(path, what)
    return before + begin + "\n".join(lines) + "\n" + after


def marked(path: Path, what: str) -> tuple[str, str, str, str]:
    """Text of a page before two marks, the first of them, between them, and from the second on."""
    begin, end = f"<!-- {what}: made by docs/tables.py -->\n", f"<!-- end of {what} -->"
    before, _, rest = path.read_text(encoding="utf-8").partition(begin)
    shown, _, after = rest.partition(end)
    return before, begin, shown, end + after


def pages() -> Iterator[tuple[Path, str]]:
    """Yield the path and the text of each generated page."""
    for name, lines in PAGES.items():
        yield REFERENCE / f"{name}.md", f"{MADE}\n\n" + "\n".join(lines()).rstrip() + "\n"
    known = variances.load()
    missing = [page for page in variances.PAGES if page not in known]
    if missing:
        raise SystemExit(f"first run python docs/variances.py {' '.join(missing)}")
    for cls in ESTIMATORS:
        yield page_of(cls), variances.described(with_formula(cls), page_of(cls).stem, known)
    others = REFERENCE / "estimators" / "optimal_baselines.md"
    text = others.read_text(encoding="utf-8")
    yield others, variances.described(text, others.stem, known)
    front = REFERENCE.parent / "index.md"
    yield front, between(front, "estimators", summary(known))
    scale = REFERENCE.parent / "explanation" / "scale.md"
    yield scale, between(scale, "measurements", workers.lines())
    design = REFERENCE.parent / "design.md"
    yield design, between(design, "imports", map_of_imports())
    shown = marked(design, "lines")[2]
    yield design, between(design, "lines", iter(ledger.near(shown, [*ledger.table()])))


def main() -> int:
    """Write the pages, or compare them with the files."""
    stale = []
    for path, text in pages():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
    checked = "--check" in sys.argv
    if stale:
        what = "out of date; run python docs/tables.py" if checked else "written"
        sys.stderr.write(f"{', '.join(stale)}: {what}\n")
    return int(bool(stale) and checked)


if __name__ == "__main__":
    sys.exit(main())
