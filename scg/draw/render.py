"""Render: pictures of DOT text, by the program `dot` or by the pygraphviz wheel."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from scg.common.files import write_atomically
from scg.draw.fold import LARGEST
from scg.draw.openable import document, openable
from scg.draw.scene import Scene
from scg.draw.svg import dressed
from scg.draw.tikz import tikz
from scg.errors import CallError, ScgError

FORMATS = ("svg", "png", "pdf", "tikz")
_SUFFIXES = {".svg": "svg", ".png": "png", ".pdf": "pdf", ".tex": "tikz", ".tikz": "tikz"}
_TEXT = (".dot", ".gv")
_JOINTLY, _SINGLY = 3, 8  # folded boxes that open in any combination, or one at a time
_NODES = 400  # of all pictures in which one box is open
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
    again : callable
        The picture in which one more box is open; :meth:`opened` calls it.
    """

    source: str
    scene: Scene
    style: str = "screen"
    again: Callable[[str], Picture] | None = field(default=None, repr=False, compare=False)

    def __reduce__(self) -> Any:
        return Picture, (self.source, self.scene, self.style)  # without what draws it again

    def __copy__(self) -> Picture:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Picture:
        return self

    def opened(self, box: str) -> Picture:
        """The picture in which a folded box, by its :attr:`~scg.draw.scene.Mark.opens`, is open."""
        if self.again is None:
            raise CallError("a picture from a pickle opens no boxes: draw it anew, with unfold=")
        picture = self.again(box)
        inside = {
            n for mark in self.scene.marks.values() if mark.opens == box for n in mark.members
        }
        for key, mark in picture.scene.marks.items():
            before = self.scene.marks.get(key)
            if before is not None and before.opened:
                mark.opens, mark.opened = before.opens, True
            elif before is None and not mark.opens and mark.members and inside >= {*mark.members}:
                mark.opens, mark.opened = box, True
        return picture

    def to_html(self) -> str:
        """A part of a page in which folded boxes open and close by pressing.

        Up to three boxes open in any combination, more of them one at a time. A box whose contents
        could not be read does not open.
        """
        views = self._views()
        titles: dict[str, list[str]] = {key[0]: [] for key in views if len(key) == 1}
        for mark in self.scene.marks.values():
            if mark.opens in titles:
                titles[mark.opens] += [line.text for line in mark.lines if line.look == "title"]
        svgs = {key: picture.render("svg").decode() for key, picture in views.items()}
        return openable(svgs, {box: ", ".join(names) for box, names in titles.items()})

    def _views(self) -> dict[tuple[str, ...], Picture]:
        """The picture itself, and those in which some boxes are open, by these boxes."""
        views: dict[tuple[str, ...], Picture] = {(): self}
        sizes: dict[str, int] = {}
        for mark in filter(lambda mark: mark.opens, self.scene.marks.values()):
            sizes.setdefault(mark.opens, len(self.scene.marks))
            sizes[mark.opens] += len(mark.members)
        left = _NODES
        for box, most in sizes.items() if self.again else ():
            if most <= 3 * LARGEST and len(views) <= _SINGLY:
                picture = self.opened(box)
                size = len(picture.scene.marks)
                if size <= min(LARGEST, left):
                    views[(box,)] = picture
                    left -= size
        boxes = [box for box, *_ in filter(None, views)]
        for count in range(2, len(boxes) + 1 if len(boxes) <= _JOINTLY else 0):
            for key in combinations(boxes, count):
                before = views.get(key[:-1])
                picture = before.opened(key[-1]) if before else None
                if picture and len(picture.scene.marks) <= LARGEST:
                    views[key] = picture
        return views

    def render(self, format: str = "svg") -> bytes:
        """Content of a file of a format: "svg", "png", "pdf", or "tikz" for LaTeX.

        In an SVG each node is a group with the attribute ``data-node``, its declared names, one per
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

        It is .svg, .png, .pdf, .tex for TikZ, .html for a page in which folded boxes open, or .dot
        for the text that Graphviz reads.
        """
        file = Path(path)
        if file.suffix in _TEXT:
            write_atomically(file, self.source.encode())
        elif file.suffix == ".html":
            page = document(self.scene.title, self.to_html(), self.style == "screen")
            write_atomically(file, page.encode())
        elif file.suffix in _SUFFIXES:
            write_atomically(file, self.render(_SUFFIXES[file.suffix]))
        else:
            known = ", ".join([*_SUFFIXES, ".html", *_TEXT])
            raise ScgError(f"cannot draw to {str(path)!r}: the suffix must be one of {known}")

    def _repr_svg_(self) -> str | None:
        try:
            return self.render("svg").decode("utf-8")
        except ScgError:
            return None  # the notebook then shows the text

    def _repr_html_(self) -> str | None:
        """The picture with boxes that open, if there are any."""
        try:
            page = self.to_html()
        except ScgError:
            return None
        return page if "<script>" in page else None

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
