"""Render: pictures of DOT text, by the program `dot` or by the pygraphviz wheel."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scg.common.files import write_atomically
from scg.draw.scene import Scene
from scg.draw.svg import dressed
from scg.draw.tikz import tikz
from scg.errors import ScgError

FORMATS = ("svg", "png", "pdf", "tikz")
_SUFFIXES = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".tex": "tikz", ".tikz": "tikz"}
_TEXT = (".dot", ".gv")
_DPI = 144  # of a PNG
_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")


@dataclass(frozen=True)
class Picture:
    """A drawing, which notebooks show.

    Attributes
    ----------
    source : str
        The DOT text, which needs no program that draws.
    scene : Scene
        What the picture shows: nodes, arrows, boxes.
    style : {"screen", "paper"}
        With "screen", an SVG has dark colours for dark screens.
    """

    source: str
    scene: Scene
    style: str = "screen"

    def render(self, format: str = "svg") -> bytes:
        """Content of a file of a format: "svg", "png", "pdf", or "tikz" for LaTeX.

        In an SVG each node is a group with the attribute ``data-node``, its declared names, one a
        line, and an id; each arrow is one with ``data-from`` and ``data-to``, the ids of its ends.
        The classes are the roles and the kinds of credit. TikZ needs the package ``tikz`` alone.

        Raises
        ------
        ScgError
            If neither the program ``dot`` nor the pygraphviz wheel is installed.
        """
        if format not in FORMATS:
            raise ScgError(f"format must be one of {', '.join(FORMATS)}, got {format!r}")
        source = self.source
        if format == "png":
            source = source.replace("{", f"{{ graph [dpi={_DPI}]", 1)
        drawn = {"tikz": "json"}.get(format, format)
        with _fonts():
            content = (
                _with_dot(source, drawn) if shutil.which("dot") else _in_process(source, drawn)
            )
        if format == "svg":
            return dressed(content.decode(), self.scene, self.style == "screen").encode()
        return tikz(content).encode() if format == "tikz" else content

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture in the format of the suffix.

        It is .svg, .png, .pdf, .tex for TikZ, or .dot for the text that Graphviz reads.
        """
        file = Path(path)
        if file.suffix in _TEXT:
            write_atomically(file, self.source.encode())
        elif file.suffix in _SUFFIXES:
            write_atomically(file, self.render(_SUFFIXES[file.suffix]))
        else:
            known = ", ".join([*_SUFFIXES, *_TEXT])
            raise ScgError(f"cannot draw to {str(path)!r}: the suffix must be one of {known}")

    def _repr_svg_(self) -> str | None:
        try:
            return self.render("svg").decode("utf-8")
        except ScgError:
            return None  # the notebook then shows the text

    def __str__(self) -> str:
        return self.source


def _with_dot(source: str, format: str) -> bytes:
    import graphviz

    return graphviz.Source(source).pipe(format=format)


def _in_process(source: str, format: str) -> bytes:
    try:
        import pygraphviz
    except ImportError:
        raise ScgError(
            "to draw a picture, install Graphviz (its program dot) or the wheel that brings it: "
            "pip install 'scgrad[draw]'. The DOT text needs neither: "
            'g.draw("graph.dot"), or g.draw().source'
        ) from None
    with warnings.catch_warnings(), _without_remarks():
        warnings.simplefilter("ignore", RuntimeWarning)  # Graphviz' remarks on glyphs
        content = pygraphviz.AGraph(string=source).draw(format=format, prog="dot")
    assert isinstance(content, bytes)  # no path was given
    return content


@contextlib.contextmanager
def _without_remarks() -> Iterator[None]:
    """Drop the lines that fontconfig's C code writes to the error stream."""
    sys.stderr.flush()
    stream = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stream, 2)
            os.close(stream)
            held.seek(0)
            os.write(2, b"".join(line for line in held if not line.startswith(b"Fontconfig ")))


@contextlib.contextmanager
def _fonts() -> Iterator[None]:
    """Offer matplotlib's font for systems without fonts."""
    if sys.platform != "linux" or "FONTCONFIG_FILE" in os.environ:
        yield
        return
    folders: list[str] = [*_FOLDERS]
    found = importlib.util.find_spec("matplotlib")
    if found is not None and found.origin is not None:
        folders.append(str(Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"))
    lines = [f"<dir>{folder}</dir>" for folder in folders]
    lines.append('<cachedir prefix="xdg">fontconfig</cachedir>')
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "fonts.conf")
        file.write_text(f"<fontconfig>{''.join(lines)}</fontconfig>", encoding="utf-8")
        os.environ["FONTCONFIG_FILE"] = str(file)
        try:
            yield
        finally:
            del os.environ["FONTCONFIG_FILE"]
