"""Pages as notebooks: they hold all examples with their outputs, and run."""

import ast
import contextlib
import doctest
import io
import json
from pathlib import Path

import notebooks
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
PAGES = [
    page
    for path in sorted(DOCS.rglob("*.md"))
    if notebooks.is_notebook(
        page := path.relative_to(DOCS).with_suffix("").as_posix(), path.read_text(encoding="utf-8")
    )
]


def made(page):
    path = DOCS / f"{page}.md"
    return notebooks.notebook(path.read_text(encoding="utf-8"), path.parent)


def shown(cell):
    """The text of a cell's output."""
    output = (cell["outputs"] or [{"output_type": "stream", "text": ""}])[0]
    kind = output["output_type"]
    if kind == "error":
        return f"{output['ename']}: {output['evalue']}"
    return output["text"] if kind == "stream" else output["data"]["text/plain"]


@pytest.mark.parametrize("page", PAGES)
def test_a_notebook_holds_the_examples_of_its_page(page):
    found = made(page)
    json.dumps(found)
    cells = [cell for cell in found["cells"] if cell["cell_type"] == "code"]
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    blocks = [
        m["code"] for m in notebooks.FENCE.finditer(text) if m["language"].strip() == "python"
    ]
    examples = [e for block in blocks for e in doctest.DocTestParser().get_examples(block)]
    assert "\n".join(cell["source"] for cell in cells) == "".join(
        example.source for example in examples
    ).rstrip("\n").replace("\n\n", "\n\n")
    wanted = [(e.exc_msg or e.want).strip() for e in examples if e.want or e.exc_msg]
    assert [shown(cell).strip() for cell in cells if cell["outputs"]] == wanted
    assert len({cell["id"] for cell in found["cells"]}) == len(found["cells"])


def run(cell, names):
    """What a cell shows: prints, the value of its last expression, or an error."""
    tree, out = ast.parse(cell["source"]), io.StringIO()
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    try:
        with contextlib.redirect_stdout(out):
            exec(compile(tree, "<cell>", "exec"), names)
            value = (
                eval(compile(ast.Expression(last.value), "<cell>", "eval"), names) if last else None
            )
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return out.getvalue() + ("" if value is None else f"{value!r}\n")


@pytest.mark.parametrize("page", ["tutorials/first_gradient", "howto/write_an_estimator"])
def test_a_notebook_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for cell in made(page)["cells"]:
        if cell["cell_type"] == "code":
            want, got = shown(cell).rstrip("\n") + "\n", run(cell, names)
            got = got or "\n"
            assert doctest.OutputChecker().check_output(want, got, OPTIONS), cell["source"]


def test_cells_of_solutions_are_folded(tmp_path):
    one, two, four = (f"```python\n>>> {x}\n{x}\n```\n\n" for x in "124")
    two = two.replace("```\n", ">>> 3\n3\n```\n")
    solution = f"<details>\n<summary>Solution</summary>\n\nBecause\n\n{two}</details>\n\n"
    text = f"# T\n\n{one}{solution}{four}"
    cells = notebooks.notebook(text, tmp_path)["cells"]
    assert not any("details" in cell["source"] for cell in cells)
    assert "**Solution** (open the folded cells)\n\nBecause" in [cell["source"] for cell in cells]
    folded = {cell["source"] for cell in cells if "jupyter" in cell["metadata"]}
    assert folded == {"2", "3"}


def test_pictures_are_attached_and_links_are_words(tmp_path):
    (tmp_path / "a.svg").write_text("<svg/>")
    text = "# T\n\nSee ![seen](a.svg) and [a page](other.md#x), [web](https://a.b).\n\n"
    text += "```{toctree}\nx\n```\n\n```python\n>>> 1 + 1\n2\n>>> x = 1\n>>> 1 / 0\n"
    text += "Traceback (most recent call last):\nZeroDivisionError: division by zero\n```\n"
    first, _, two, error = notebooks.notebook(text, tmp_path)["cells"]
    assert first["source"] == "# T\n\nSee ![seen](attachment:a.svg) and a page, [web](https://a.b)."
    assert list(first["attachments"]["a.svg"]) == ["image/svg+xml"]
    assert (two["source"], shown(two)) == ("1 + 1", "2")
    assert error["source"] == "x = 1\n1 / 0" and error["metadata"]["tags"] == ["raises-exception"]
    assert run(error, {}) == shown(error)
