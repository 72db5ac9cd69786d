"""Print the worst relative error of each op and each distribution over a grid with extremes.

python benchmarks/accuracy
python benchmarks/accuracy --write docs/reference/accuracy.md
python benchmarks/accuracy sqrt Laplace      the lines of these alone, to add them to the page
"""

import argparse
import inspect
import textwrap
import warnings
from pathlib import Path

import laws
import ops
from measure import errors

from scg.graph.declaration.notation import functions

HEAD = """# Accuracy

Worst relative errors of values and of derivatives over grids with extreme points, compared with
mpmath with 400 digits. `python benchmarks/accuracy` prints this page. Each point is rounded to the
dtype first, so the table shows the errors of the computation alone. Results beyond the range of the
dtype are left out. Below the smallest normal number an error is relative to that number.

The absolute error of log p is the relative error of p. Errors of log p are therefore relative to
max(|log p|, 1), and those of its derivative with respect to a parameter θ to at least 1 / max(|θ|,
1). Entropies and divergences are treated alike.

{exact}

{alike}
"""
COLUMNS = [(what, name) for name in ("float64", "float32") for what in ("value", "derivative")]


def table(what, rows):
    """Yield the lines of a Markdown table."""
    names = " | ".join(f"{kind}, {name}" for kind, name in COLUMNS)
    yield f"| {what} | {names} | worst value of float64 at |"
    yield "|---|" + "---:|" * len(COLUMNS) + "---|"
    for name, found in rows:
        numbers = " | ".join(number(found[column].error) for column in COLUMNS)
        where = " ".join(found["value", "float64"].where.split())
        yield f"| {name} | {numbers} | {where} |"


def number(error):
    """An error with two digits; a dash if there is nothing to compare."""
    return "–" if error < 0 else "exact" if error == 0 else f"{error:.1e}"


def op_rows(wanted):
    """Measure the ops."""
    for name, (ours, reference, points, arguments) in wanted(ops.ROWS):
        yield name, errors(ours, reference, points, range(arguments))


def law_rows(wanted):
    """Measure the distributions: log p, and its derivatives with respect to the parameters."""
    for name, (make, reference, points, kind) in wanted(laws.ROWS):

        def log_prob(x, *parameters, make=make):
            return make(*parameters).log_prob(x)

        arguments = range(1, len(points[0]))
        yield name, errors(log_prob, reference, points, arguments, kind, logarithm=True)


def head():
    """The text above the tables; exits if an op has no row."""
    named = {*ops.ROWS, *ops.EXACT, *ops.ALIKE}
    missing = [n for n, f in functions().items() if n not in named and not inspect.isclass(f)]
    if missing:
        raise SystemExit(f"no row for {', '.join(missing)}: add it to benchmarks/accuracy/ops.py")
    exact = f"{', '.join(ops.EXACT)} and indexing copy, compare or round elements without error."
    alike = ", ".join(f"{name} as {row}" for name, row in ops.ALIKE.items())
    exact, alike = (
        textwrap.fill(text, 100) for text in (exact, f"Computed like another row: {alike}.")
    )
    return HEAD.format(exact=exact, alike=alike)


def summary_rows(wanted):
    """Measure entropies and divergences, and their derivatives with respect to the parameters."""
    for name, (quantity, reference, points) in wanted(laws.SUMMARIES):
        arguments = range(len(points[0]))
        yield name, errors(quantity, reference, points, arguments, logarithm=True)


def main():
    """Measure, print, and write the page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="rows to measure; all by default")
    parser.add_argument("--write", type=Path, help="the page to write, with all rows")
    options = parser.parse_args()
    target = options.write

    def wanted(rows):
        return [row for row in rows.items() if target or row[0] in (options.names or rows)]

    warnings.simplefilter("ignore", RuntimeWarning)
    lines = [head()]
    print(lines[0])
    tables = {
        "op": op_rows(wanted),
        "distribution: log p": law_rows(wanted),
        "entropy, divergence": summary_rows(wanted),
    }
    for title, rows in tables.items():
        for line in [*table(title, rows), ""]:
            lines.append(line)
            print(line)
    if target:
        target.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
