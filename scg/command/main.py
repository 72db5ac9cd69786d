"""The ``scg`` command.

Exit codes: 0 success, 1 a check found a bias, 2 wrong input (one line says what and where), 3 an
error of scg itself (with a traceback), 130 interrupted, 141 the reader of the output left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import click

from scg.command.process import INTERRUPTED, Commands, fail, run
from scg.files import json_text


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command and leave with its exit code."""
    run(scg, args, "scg")


def _together(*decorators: Callable[..., Any]) -> Callable[..., Any]:
    def apply(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply


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
_model = _together(
    _declared,
    click.option(
        "--binarize",
        type=click.Choice(["dynamic", "static", "none"]),
        default="dynamic",
        show_default=True,
        help="What is done to grey images.",
    ),
)
_seed = click.option("--seed", type=int, default=0, show_default=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="scg")
def scg() -> None:
    """Stochastic computation graphs: train, draw, explain and check gradient estimators.

    MODEL is a built-in name (`scg models`), path/to/file.py:function, or a JSON declaration.
    """


@scg.command()
@click.option("--epochs", type=click.IntRange(1), help="Of each run; the default takes a minute.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("scg-demo"), show_default=True)
@_seed
@_json
def demo(epochs: int | None, out: Path, seed: int, as_json: bool) -> None:
    """Train a network on digits with three estimators and write a report."""
    from scg.command import demo

    result = demo.demo(out, epochs or demo.EPOCHS, seed, progress=not as_json)
    if as_json:
        _print(result, as_json)
        return
    print()
    _rows([{"estimator": n, **_short(row)} for n, row in result["estimators"].items()], False)
    reached = "reached" if result["reached"] else "NOT reached"
    print(f"\ncalibrated bound {result['calibrated_bound']} {reached}; see {result['report']}")


@scg.command()
@_model
@_estimator
@_seed
@click.option("--epochs", type=click.IntRange(1), default=20, show_default=True)
@click.option("--batch-size", type=click.IntRange(1), default=50, show_default=True)
@click.option("--rate", type=float, default=3e-3, show_default=True, help="Learning rate.")
@click.option(
    "--optimizer",
    type=click.Choice(["adam", "adamw", "rmsprop", "sgd", "momentum"]),
    default="adam",
    show_default=True,
)
@click.option(
    "--backend", type=click.Choice(["numba", "numpy"]), help="The engine; by default numba."
)
@click.option("--dtype", type=click.Choice(["float64", "float32"]), help="Type of all floats.")
@click.option("--samples", type=click.IntRange(1), default=100, show_default=True, help="K.")
@click.option("--log-every", type=click.IntRange(1), help="Also log one update of so many.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A folder.")
@click.option("--resume", is_flag=True, help="Continue from the checkpoint in the folder.")
@_json
def train(as_json: bool, **given: Any) -> None:
    """Train MODEL; write checkpoint, metrics and result into a folder."""
    from scg.command.train import train as run_training

    try:
        result = run_training(**given, progress=not as_json)
    except (KeyboardInterrupt, SystemExit) as stop:
        code = int(stop.code or 0) if isinstance(stop, SystemExit) else INTERRUPTED
        fail(f"interrupted; the checkpoint is in {given['out']}, go on with --resume", code)
    _print(result, as_json)


@scg.command()
@_declared
@click.option("--estimator", help="Draw the surrogate with this estimator.")
@click.option("--out", type=click.Path(path_type=Path), help="A .svg, .png, .pdf or .dot file.")
def draw(model: str, data: str, options: Any, estimator: Any, out: Any) -> None:
    """Draw MODEL, or its surrogate; without --out print DOT text."""
    from scg.command.setup import compiled, declare

    graph = declare(model, data, options)
    drawn = compiled(graph, estimator) if estimator else graph
    picture = drawn.draw(out)
    if out is None:
        print(picture.source)


@scg.command()
@_declared
@_estimator
@_json
def explain(model: str, data: str, options: Any, estimator: str, as_json: bool) -> None:
    """Say which term each stochastic node of MODEL gets, and why."""
    from scg.command.setup import compiled, declare

    explanation = compiled(declare(model, data, options), estimator).explain()
    _print(explanation.to_dict() if as_json else str(explanation), as_json)


_batch = _together(
    click.option("--examples", type=click.IntRange(1), default=10, show_default=True),
    click.option("--params", type=click.Path(path_type=Path), help="A checkpoint; else initial."),
    click.option("--runs", type=click.IntRange(2), default=1000, show_default=True),
)


@scg.command()
@_model
@_estimator
@_batch
@_seed
@_json
def check(as_json: bool, **given: Any) -> int:
    """Check whether the gradient of MODEL is unbiased; exit code 1 if it is not."""
    from scg.command import verify

    found = verify.check(**given)
    _print(asdict(found) if as_json else str(found), as_json)
    return 0 if found.unbiased else 1


@scg.command()
@_model
@click.option("--estimators", required=True, help="Such as MuProp,LeaveOneOut(samples=4).")
@_batch
@_seed
@_json
def compare(as_json: bool, **given: Any) -> None:
    """Compare estimators on MODEL: bias, variance, time."""
    from scg.command import verify

    table = verify.compare(**given)
    _print(table.to_dict() if as_json else str(table), as_json)


@scg.command()
@_json
def models(as_json: bool) -> None:
    """List the built-in models."""
    from scg.command.lists import models as rows

    _rows(rows(), as_json)


@scg.command()
@_json
def estimators(as_json: bool) -> None:
    """List the estimators and their traits."""
    from scg.command.lists import estimators as rows

    _rows(rows(), as_json)


@scg.command()
@click.option("--clear", is_flag=True, help="Remove all kernels.")
@_json
def cache(clear: bool, as_json: bool) -> None:
    """Say where compiled kernels are kept, and how many."""
    from scg.command.lists import cache as found

    _print(found(clear), as_json)


def _short(row: dict[str, Any]) -> dict[str, str]:
    return {
        "unbiased": "yes" if row["unbiased"] else "no",
        "held-out bound": f"{row['held_out_bound']:.2f} ± {row['held_out_bound_stderr']:.2f}",
        "variance": f"{row['gradient_variance']:.2e}",
        "ms an update": f"{row['update_milliseconds']:.1f}",
        "s to compile": f"{row['compile_seconds']:.2f}",
    }


def _print(result: Any, as_json: bool) -> None:
    if as_json:
        print(json_text(result))
    elif isinstance(result, dict):
        width = max(map(len, result))
        for name, value in result.items():
            text = f"{value:.4f}" if isinstance(value, float) else value
            print(f"{name:<{width}}  {text}")
    else:
        print(result)


def _rows(rows: list[dict[str, str]], as_json: bool) -> None:
    if as_json:
        print(json_text(rows))
        return
    widths = {name: max(len(str(row[name])) for row in [*rows, {name: name}]) for name in rows[0]}
    for row in [{name: name for name in rows[0]}, *rows]:
        print("  ".join(f"{row[name]!s:<{width}}" for name, width in widths.items()).rstrip())


if __name__ == "__main__":
    main()
