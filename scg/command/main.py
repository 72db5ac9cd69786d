"""The ``scg`` command.

Exit codes: 0 success, 1 a check found a bias, 2 wrong input or a run that diverges (one line says
what and where), 3 an error of scg itself (with a traceback), 130 interrupted, 141 the reader of the
output left.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import click

import scg
from scg.command import demo as demonstration
from scg.command import lab as laboratory
from scg.command import lists, setup, train, verify
from scg.command.estimators import parse_estimator
from scg.command.process import INTERRUPTED, Commands, Place, fail, run
from scg.command.report import summary
from scg.common.files import json_text
from scg.draw.picture import LEVELS
from scg.reproduce import PAPERS, Conditions, compute, index, write


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit code."""
    run(commands, args, "scg")


def _together(*decorators: Callable[..., Any]) -> Callable[..., Any]:
    return lambda function: functools.reduce(
        lambda inner, decorator: decorator(inner), reversed(decorators), function
    )


def _prepared(function: Callable[..., Any]) -> Callable[..., Any]:
    """Hand a command the :class:`Setting` of its model and data in place of their addresses."""

    @functools.wraps(function)
    def prepared(model: str, data: str, binarize: str, options: Any, **given: Any) -> Any:
        return function(setup.prepare(model, data, binarize, options), **given)

    return prepared


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_estimator = click.option(
    "--estimator", default="auto", show_default=True, help="Such as MuProp or h1=MuProp,h2=ARM."
)
_declared = _together(
    click.argument("model"),
    click.option(
        "--traceback",
        is_flag=True,
        expose_value=False,
        callback=lambda ctx, _, shown: ctx.meta.update(traceback=shown),
        help="Print the lines of code that led to an error.",
    ),
    click.option("--data", default="digits", show_default=True, help="Such as mnist:DIR."),
    click.option("--set", "options", multiple=True, metavar="NAME=VALUE", help="Model option."),
)
_setting = _together(
    _declared,
    click.option(
        "--binarize",
        type=click.Choice(["dynamic", "static", "none"]),
        default="dynamic",
        show_default=True,
        help="How grey images become binary.",
    ),
    _prepared,
)
_seed = click.option("--seed", type=int, default=0, show_default=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(scg.__version__)
def commands() -> None:
    """Stochastic computation graphs: train, draw, explain and check gradient estimators.

    MODEL is a built-in name (`scg models`), path/to/file.py:function, or a JSON declaration.
    """


@commands.command()
@click.option("--epochs", type=click.IntRange(1), help="Of each run; by default a minute's worth.")
@click.option("--out", type=Place(), default="scg-demo", show_default=True)
@_seed
@_json
def demo(epochs: int | None, out: Path, seed: int, as_json: bool) -> None:
    """Train three estimators and write a report."""
    result = demonstration.demo(out, epochs or demonstration.EPOCHS, seed, progress=not as_json)
    if as_json:
        print(json_text(result))
        return
    rows = summary(result["estimators"])
    reached = "reached" if result["reached"] else "NOT reached"
    print(f"\n{lists.table(rows)}\n")
    print(f"calibrated bound {result['calibrated_bound']} {reached}; see {result['report']}")


@commands.command(name="train")
@_setting
@_estimator
@_seed
@click.option("--epochs", type=click.IntRange(1), default=20, show_default=True)
@click.option("--batch-size", type=click.IntRange(1), default=50, show_default=True)
@click.option("--rate", type=float, default=3e-3, show_default=True, help="Learning rate.")
@click.option(
    "--optimizer", type=click.Choice([*train.OPTIMIZERS]), default="adam", show_default=True
)
@click.option(
    "--backend", type=click.Choice(["numba", "numpy"]), help="The engine; by default numba."
)
@click.option(
    "--dtype",
    type=click.Choice(["float64", "float32"]),
    default="float64",
    show_default=True,
    help="Type of all floats.",
)
@click.option("--samples", type=click.IntRange(1), default=100, show_default=True, help="K.")
@click.option("--log-every", type=click.IntRange(1), help="Also log one update of so many.")
@click.option("--out", type=Place(), required=True, help="A folder.")
@click.option("--resume", is_flag=True, help="Continue from the checkpoint in the folder.")
@_json
def training(setting: setup.Setting, out: Path, as_json: bool, **given: Any) -> None:
    """Train MODEL in a folder. It gets checkpoint, metrics and result."""
    try:
        result = train.train(setting, out=out, progress=not as_json, **given)
    except (KeyboardInterrupt, SystemExit) as stop:
        code = int(stop.code or 0) if isinstance(stop, SystemExit) else INTERRUPTED
        fail(f"interrupted; the checkpoint is in {out}, go on with --resume", code)
    _print(result, as_json)


@commands.command()
@_declared
@click.option("--estimator", help="Draw the plan with this estimator.")
@click.option("--level", type=click.Choice([*LEVELS]), help="The product to draw, of a step.")
@click.option("--out", type=Place(), help="A .svg, .png, .pdf, .tex, .html or .dot file.")
def draw(model: str, data: str, options: Any, estimator: Any, level: Any, out: Any) -> None:
    """Draw MODEL, its plan or another product. Without --out print DOT text."""
    graph, _ = setup.declare(model, data, options)
    if estimator or level:
        chosen = parse_estimator(estimator) if estimator else None
        picture = scg.compile(graph, chosen).draw(out, level=level or "plan")
    else:
        picture = graph.draw(out)
    if out is None:
        print(picture.source)


@commands.command()
@_declared
@_estimator
@_json
def explain(model: str, data: str, options: Any, estimator: str, as_json: bool) -> None:
    """Say which term each node gets, and why."""
    graph, _ = setup.declare(model, data, options)
    explanation = scg.compile(graph, parse_estimator(estimator)).explain()
    _print(explanation.to_dict() if as_json else str(explanation), as_json)


_batch = _together(
    click.option("--examples", type=click.IntRange(1), default=10, show_default=True),
    click.option("--params", type=Place(), help="A checkpoint; else initial."),
    click.option("--runs", type=click.IntRange(2), default=1000, show_default=True),
)


@commands.command()
@_setting
@_estimator
@_batch
@_seed
@_json
def check(setting: setup.Setting, as_json: bool, **given: Any) -> int:
    """Check a gradient for bias. The exit code is 1 if there is."""
    found = verify.check(setting, **given)
    _print(asdict(found) if as_json else str(found), as_json)
    return 0 if found.unbiased else 1


@commands.command()
@_setting
@click.option("--estimators", required=True, help="Such as MuProp,LeaveOneOut(samples=4).")
@_batch
@_seed
@_json
def compare(setting: setup.Setting, as_json: bool, **given: Any) -> None:
    """Compare estimators: bias, variance, time."""
    table = verify.compare(setting, **given)
    _print(table.to_dict() if as_json else str(table), as_json)


@commands.command()
@click.argument("model", default="coin")
@click.option("--out", type=Place(), default="lab.html", show_default=True)
@_json
def lab(model: str, out: Path, as_json: bool) -> None:
    """Write a page to play with estimators: coin, die, normal, or file.py:function."""
    held = laboratory.lab(model, out)
    result = {"page": str(out), "estimators": [*held["estimators"]]}
    print(json_text(result) if as_json else f"open {out} in a browser")


@commands.command()
@click.argument("paper", type=click.Choice([*PAPERS]))
@click.option("--data", default="digits", help="Images, such as mnist:DIR, or a file.")
@click.option("--out", type=Place(), default="reproduced", show_default=True)
@click.option(
    "--minutes", type=click.FloatRange(0), default=60, show_default=True, help="0 writes the page."
)
@click.option("--updates", type=click.IntRange(1), help="Of a run; by default as many as fit.")
@click.option("--backend", type=click.Choice(["numba", "numpy"]), help="By default numba.")
def reproduce(
    paper: str, data: str, out: Path, minutes: float, updates: int | None, backend: str | None
) -> None:
    """Repeat a published experiment; write its page beside the published figures."""
    compute(PAPERS[paper], Conditions(data, out, updates or 0, backend), minutes)
    print(f"see {write(PAPERS[paper], out)} and {index(PAPERS.values(), out)}")


@commands.command()
@_json
def models(as_json: bool) -> None:
    """List the built-in models."""
    _print(lists.models(), as_json)


@commands.command()
@_json
def estimators(as_json: bool) -> None:
    """List the estimators and their traits."""
    _print(lists.estimators(), as_json)


@commands.command()
@click.option("--clear", is_flag=True, help="Remove all kernels.")
@_json
def cache(clear: bool, as_json: bool) -> None:
    """Show the cache of compiled kernels."""
    _print(lists.cache(clear), as_json)


def _print(result: Any, as_json: bool) -> None:
    if as_json:
        print(json_text(result))
    elif isinstance(result, dict):
        shown = {k: f"{v:.4f}" if isinstance(v, float) else v for k, v in result.items()}
        print(lists.table([{"": k, " ": v} for k, v in shown.items()], head=False))
    else:
        print(lists.table(result) if isinstance(result, list) else result)


if __name__ == "__main__":
    main()
