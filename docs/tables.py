"""Write the tables of the reference from the code, and the formulas of the estimators' pages.

python docs/tables.py            write docs/reference/*.md
python docs/tables.py --check    exit with 1 if a page is not what the code says
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from formulas import notation

import scg
from scg import errors
from scg.distributions import DISTRIBUTIONS, Distribution
from scg.estimators import ESTIMATORS
from scg.graph.declaration.notation import functions
from scg.ir.dispatch import FUNCTIONS, UFUNCS, numpy_name
from scg.ir.op import OPS

REFERENCE = Path(__file__).resolve().parent / "reference"
MADE = "<!-- made by docs/tables.py; do not edit -->"
LEAVES = {"const", "parameter", "data", "noise", "state", "plate_size", "sample"}
#: Columns of the distributions: what a family can do, and the method that says so.
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
}


def table(*columns: str) -> Iterator[str]:
    """Yield the head of a Markdown table."""
    yield "| " + " | ".join(columns) + " |"
    yield "|---" * len(columns) + "|"


def row(*cells: object) -> str:
    """Return one line of a Markdown table; bars are written in another way."""
    return "| " + " | ".join(str(cell).replace("|", "∣") for cell in cells) + " |"


def tick(holds: object) -> str:
    """Return a tick where something holds."""
    return "✓" if holds else ""


def line(documented: object) -> str:
    """Return the first line of a docstring."""
    return (inspect.getdoc(documented) or "").partition("\n")[0]


def ops() -> Iterator[str]:
    """Yield the page of the ops."""
    yield "# Ops\n"
    yield "What takes nodes: NumPy functions, operators, and the functions of scg.\n"
    known = {f"np.{numpy_name(f)}" for f in (*UFUNCS, *FUNCTIONS) if callable(f)}
    yield "**NumPy**: " + ", ".join(f"`{name}`" for name in sorted(known)) + ".\n"
    own = {
        name: value
        for name, value in functions().items()
        if getattr(scg, name, None) is value and not inspect.isclass(value)
    }
    yield from table("scg", "what it returns")
    for name, function in sorted(own.items()):
        what = line(function) if inspect.isfunction(function) else "elementwise, a primitive"
        yield row(f"`scg.{name}`", what)
    yield "\n## Primitives\n"
    yield (
        "What the compiler sees. *Continuous* and *smooth* are meant in the differentiable "
        "arguments; an op that is not continuous carries no pathwise derivative across its jumps.\n"
    )
    yield from table("op", "arguments with a derivative", "continuous", "smooth", "elementwise")
    for name, op in sorted(OPS.items()):
        if name in LEAVES or ":" in name:
            continue
        slopes = "any" if callable(op.vjps) else f"{sum(v is not None for v in op.vjps)}"
        continuous, smooth = tick(op.continuous), tick(op.continuous and op.smooth)
        yield row(f"`{name}`", slopes, continuous, smooth, tick(op.elementwise))


def able_cell(family: type[Distribution], method: str, reasons: dict[str, int]) -> str:
    """Return a tick, the parameters of weak derivatives, or the number of the reason why not."""
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
        "*Pathwise*: a draw is differentiable in the parameters. *Mean field*: log p extends to "
        "the mean. *Enumerate*: finitely many values. *Coordinates*: independent ones with "
        "finitely many values. *Relax* and *condition*: what REBAR and RELAX need. *Weak "
        "derivative*: the parameters in which the law has a measure-valued one.\n"
    )
    yield from table("distribution", "what it is", "parameters")
    for family in DISTRIBUTIONS:
        parameters = ", ".join(f"`{name}`" for name in inspect.signature(family).parameters)
        yield row(f"`scg.{family.__name__}`", line(family), parameters)
    yield "\n## Capabilities\n"
    yield (
        "Every law has a support, constraints of its parameters that are checked, and a coupling: "
        "its draw as a function of uniforms, for univariate laws the quantile. `Mixture` has a "
        "mean, a variance and a finite support if all its components have. A number says below why "
        "a law lacks something.\n"
    )
    reasons: dict[str, int] = {}
    yield from table("distribution", "pathwise", "mean field", *CAPABILITIES)
    for family in DISTRIBUTIONS:
        able = (able_cell(family, method, reasons) for method in CAPABILITIES.values())
        pathwise, field = tick(family.reparameterized), tick(family.extends_to_mean)
        yield row(f"`{family.__name__}`", pathwise, field, *able)
    yield ""
    for reason, number in reasons.items():
        yield f"{number}. {reason}"


def estimators() -> Iterator[str]:
    """Yield the page of the estimators."""
    yield "# Estimators\n"
    yield (
        "*Evaluations* counts costs for one run. *Order* is the highest derivative that stays "
        "unbiased. An estimator is biased only if you allow it: `allow_biased=True`.\n"
    )
    yield from table("estimator", "what it is", "unbiased", "order", "evaluations", "source")
    for cls in ESTIMATORS:
        page = page_of(cls)
        name = f"`{cls.__name__}`"
        shown = f"[{name}](estimators/{page.name})" if page.exists() else name
        unbiased = "no" if cls.unbiased is False else "yes" if cls.unbiased is True else "depends"
        known = isinstance(cls.orders, int | float)
        orders = ("any" if cls.orders > 2 else cls.orders) if known else "depends"
        evaluations = cls.evaluations if isinstance(cls.evaluations, str) else "depends"
        sources = ", ".join(cls.cites) if isinstance(cls.cites, tuple) else "depends"
        yield row(shown, line(cls), unbiased, orders, evaluations, sources)

    yield "\n## Notation\n"
    yield (
        "The formula on a page is the one that `explain()` prints and that the tests evaluate on "
        "noise. $f$ is the cost, $x$ the draw and $x_i$ the $i$-th of $K$, $p$ the law, $\\mu$ its "
        "mean, $\\theta$ its parameters, $\\varepsilon$ and $u$ noise, $\\sigma$ the logistic "
        "function.\n"
    )
    yield inspect.cleandoc(notation.__doc__ or "").partition("\n\n")[2].partition("\n\n")[2]


def page_of(cls: type) -> Path:
    """Return where the page of an estimator is."""
    return REFERENCE / "estimators" / f"{cls.__module__.rpartition('.')[2]}.md"


def with_formula(cls: type) -> str:
    """Return the page of an estimator with its formula as the first one of its section."""
    before, heading, after = page_of(cls).read_text(encoding="utf-8").partition("## Formula\n\n")
    shown = f"$${notation.read(cls.formula).tex()}$$"
    after = re.sub(r"\$\$.*?\$\$", lambda _: shown, after, count=1, flags=re.DOTALL)
    return before + heading + after


def failures() -> Iterator[str]:
    """Yield the page of the errors and warnings."""
    yield "# Errors\n"
    yield (
        "What scg raises on purpose says what is wrong, at which node, and what to write instead. "
        "`if node`, `list(node)`, `np.asarray(node)` and NumPy functions that nodes lack are a "
        "`TypeError`, as Python has it.\n"
    )
    yield from table("error or warning", "also a", "when")
    for cls in vars(errors).values():
        if inspect.isclass(cls):
            also = ", ".join(f"`{base.__name__}`" for base in cls.__bases__)
            yield row(f"`scg.{cls.__name__}`", also, line(cls))


PAGES = {
    "ops": ops,
    "distributions": distributions,
    "estimators": estimators,
    "errors": failures,
}


# --- the map of imports -----------------------------------------------------------------------
def rooms() -> dict[str, set[str]]:
    """Return the rooms that each room of scg imports, function bodies included."""
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


def with_imports(text: str) -> str:
    """Return the design page with the map of imports that the code has."""
    begin, end = "<!-- imports: made by docs/tables.py -->\n", "<!-- end of imports -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    lines = [*table("room", "imports")]
    lines += [
        row(f"`{room}`", ", ".join(f"`{name}`" for name in sorted(uses)) or "nothing")
        for room, uses in sorted(rooms().items(), key=lambda item: (len(item[1]), item[0]))
    ]
    return before + begin + "\n".join(lines) + "\n" + end + after


def pages() -> Iterator[tuple[Path, str]]:
    """Yield every page that is made here, and its text."""
    for name, lines in PAGES.items():
        yield REFERENCE / f"{name}.md", f"{MADE}\n\n" + "\n".join(lines()).rstrip() + "\n"
    for cls in ESTIMATORS:
        yield page_of(cls), with_formula(cls)
    design = REFERENCE.parent / "design.md"
    yield design, with_imports(design.read_text(encoding="utf-8"))


def main() -> int:
    """Write the pages, or compare them with what is there."""
    stale = []
    for path, text in pages():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
    if stale:
        sys.stderr.write(f"{', '.join(stale)}: not what the code says; run python docs/tables.py\n")
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
