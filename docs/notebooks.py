"""Every page of lessons and guides as a notebook, which the build writes and the page offers.

A block fenced as ``python`` becomes cells: an example that shows an output ends a cell, and the
shown output is that of the cell. Text stays text; pictures are attached; links to other pages
become plain words, because a notebook is read elsewhere.
"""

import ast
import base64
import doctest
import json
import mimetypes
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Folders whose pages are also notebooks, and single pages.
PLACES = ("tutorials/", "howto/", "course/", "explanation/from_scratch")
FENCE = re.compile(r"^(?P<tick>`{3,})(?P<language>[^\n`]*)\n(?P<code>.*?)^(?P=tick)$", re.M | re.S)
NOTE = (
    "*This notebook is a page of the documentation of scg. Run its cells from top to bottom; they "
    "need scg with its extra `draw`.*"
)


def is_notebook(name: str, text: str) -> bool:
    """Whether the page of a name, without suffix, is also a notebook."""
    wanted = name.startswith(PLACES) and not name.endswith("/index")
    return wanted and any(m["language"].strip() == "python" for m in FENCE.finditer(text))


def notebook(text: str, folder: Path) -> dict[str, Any]:
    """The notebook of a page, as its JSON; its pictures are relative to `folder`."""
    cells, start, folded = [], 0, False
    for match in FENCE.finditer(text):
        if match["language"].strip() == "python":
            between = text[start : match.start()]
            opened, closed = between.rfind("<details>"), between.rfind("</details>")
            folded = opened > closed or (folded and closed < 0)
            cells += prose(between, folder)
            cells += [fold(made) if folded else made for made in code(match["code"])]
            start = match.end()
    cells += prose(text[start:], folder)
    title = next((i + 1 for i, cell in enumerate(cells) if cell["cell_type"] == "markdown"), 0)
    cells.insert(title, markdown(NOTE))
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": about, "cells": cells}


def markdown(text: str) -> dict[str, Any]:
    """A cell of text."""
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def prose(text: str, folder: Path) -> list[dict[str, Any]]:
    """The cells of text between two blocks of code: none or one."""
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.S)
    text = re.sub(r"</?details>\n*", "", text)
    text = re.sub(r"<summary>(.*?)</summary>", r"**\1** (open the folded cells)", text)
    text = re.sub(r"^(`{3,}|:{3,})\{(?:toctree|eval-rst)\}.*?^\1$", "", text, flags=re.M | re.S)
    attached: dict[str, Any] = {}

    def picture(match: re.Match[str]) -> str:
        path = folder / match[2]
        data = base64.b64encode(path.read_bytes()).decode()
        attached[path.name] = {mimetypes.guess_type(path.name)[0] or "image/svg+xml": data}
        return f"![{match[1]}](attachment:{path.name})"

    text = re.sub(r"!\[([^\]]*)\]\((?!\w+:)([^)]+)\)", picture, text)
    text = re.sub(r"(?<!!)\[([^\]]+)\]\((?!\w+:)[^)]+\)", r"\1", text).strip()
    if not text:
        return []
    return [markdown(text) | ({"attachments": attached} if attached else {})]


def fold(made: dict[str, Any]) -> dict[str, Any]:
    """A cell of a solution, which the reader opens."""
    hidden = {"source_hidden": True, "outputs_hidden": True}
    return made | {"metadata": made["metadata"] | {"jupyter": hidden}}


def code(block: str) -> Iterator[dict[str, Any]]:
    """Yield the cells of a block of examples."""
    sources: list[str] = []
    for example in doctest.DocTestParser().get_examples(block):
        sources.append(example.source)
        if example.want or example.exc_msg:
            yield cell("".join(sources), example)
            sources = []
    if sources:
        yield cell("".join(sources), None)


def cell(source: str, shown: doctest.Example | None) -> dict[str, Any]:
    """A cell of code with the output of its last example."""
    outputs, tags = [], {}
    if shown is not None and shown.exc_msg:
        name, _, value = shown.exc_msg.strip().partition(": ")
        outputs = [{"output_type": "error", "ename": name, "evalue": value, "traceback": []}]
        tags = {"tags": ["raises-exception"]}
    elif shown is not None and prints(shown.source):
        outputs = [{"output_type": "stream", "name": "stdout", "text": shown.want}]
    elif shown is not None:
        data = {"text/plain": shown.want.rstrip("\n")}
        outputs = [
            {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": None}
        ]
    return {
        "cell_type": "code", "metadata": tags, "execution_count": None,
        "source": source.rstrip("\n"), "outputs": outputs,
    }  # fmt: skip


def prints(source: str) -> bool:
    """Whether a statement shows what it prints, and not its value."""
    statement = ast.parse(source).body[-1]
    if not isinstance(statement, ast.Expr):
        return True
    call = statement.value
    return isinstance(call, ast.Call) and getattr(call.func, "id", "") == "print"


# --- the build ------------------------------------------------------------------------------------
def offer(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Write the notebook of a page beside it, and show a link below the title."""
    source = Path(app.srcdir) / f"{page}.md"
    if doctree is None or not source.exists():
        return
    text = source.read_text(encoding="utf-8")
    if is_notebook(page, text):
        path = Path(app.outdir) / f"{page}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        made = notebook(text, source.parent)
        path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        link = f'<a href="{path.name}" download>Download this page as a notebook</a>'
        first = f'</h1>\n<p class="notebook">{link}</p>'
        context["body"] = context["body"].replace("</h1>", first, 1)


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", offer)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
