"""The process of a command: its streams, its exit code, and one line for everything wrong."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from scg.errors import ScgError

WRONG_INPUT, INTERNAL, INTERRUPTED, CLOSED_PIPE = 2, 3, 130, 141
_LONGEST = 1000  # characters of a line that says what is wrong


class ClosedPipe(Exception):  # not an error, hence without its name
    """The reader of the output has left."""


class Place(click.Path):
    """The path of a file or a folder, which is not empty text."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Check a path."""
        return super().convert(value, param, ctx) if value else self.fail("it is empty", param, ctx)


class Commands(click.Group):
    """A group of commands; with ``--traceback`` the lines that led to an error are printed."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Parse the arguments, and print what ``--help`` asks for."""
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError as error:  # for which click would leave with the code of a bias
            raise ClosedPipe from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise ClosedPipe from error
        except (ScgError, OSError, MemoryError):
            if ctx.meta.get("traceback"):
                traceback.print_exc()
            raise


def run(commands: Commands, args: Sequence[str] | None, name: str) -> NoReturn:
    """Run a command and leave with its exit code: the integer that it returns, or 0.

    `args` are those of the process by default; `name` is that of the program.
    """
    warnings.showwarning = _warn
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # its encoding may lack Greek letters
            stream.reconfigure(errors="backslashreplace")
    try:
        code = commands.main(args=args, prog_name=name, standalone_mode=False)
        if sys.stdout:
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        with contextlib.suppress(OSError):
            click.echo(error.format_message())
        _drop_output()
        sys.exit(WRONG_INPUT)
    except (click.Abort, KeyboardInterrupt):
        fail("interrupted", INTERRUPTED)
    except click.ClickException as error:
        fail(error.format_message())
    except ScgError as error:
        fail(str(error))
    except (ClosedPipe, BrokenPipeError):
        _drop_output()
        sys.exit(CLOSED_PIPE)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        fail(f"{where}{error.strerror or error}")
    except MemoryError as error:
        fail(f"not enough memory: {error}")
    except Exception:
        traceback.print_exc()
        fail("an error of scg itself; please report it with the lines above", INTERNAL)
    sys.exit(code if isinstance(code, int) else 0)


def fail(message: str, code: int = WRONG_INPUT) -> NoReturn:
    """Leave with one line on the error stream."""
    _drop_output()
    with contextlib.suppress(OSError):
        click.echo(f"scg: {_line(message)}", err=True)
    sys.exit(code)


def _warn(message: Warning | str, *_: Any) -> None:
    click.echo(f"scg: warning: {_line(str(message))}", err=True)


def _line(message: str) -> str:
    line, half = " ".join(message.split()), _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[:half]} ... {line[-half:]}"


def _drop_output() -> None:
    """Flush what was printed; where that is impossible, Python must not try again at exit."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
