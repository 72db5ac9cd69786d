"""Each public name has one place in the reference, and an example there or in its docstring.

The tables of the reference, of the guide and of the command agree.
"""

import inspect
import re
from pathlib import Path

import bibliography
import pytest

import scg
import scg.data
import scg.models
import scg.testing
import scg.train
from scg.command.lists import estimators
from scg.distributions import DISTRIBUTIONS
from scg.estimators import ESTIMATORS

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = {p: p.read_text(encoding="utf-8") for p in sorted(REFERENCE.rglob("*.md"))}
DIRECTIVE = re.compile(r"^\.\. auto(?:function|class|data|exception):: ([\w.]+)", re.M)


def names():
    """The public names, without modules."""
    spaces = [scg, scg.baselines, scg.data, scg.models, scg.train, scg.testing]
    for space in spaces:
        prefix = "scg.baselines" if space is scg.baselines else space.__name__
        for name in space.__all__:
            if not inspect.ismodule(getattr(space, name)) and name != "MODELS":
                yield f"{prefix}.{name}"
    yield from (f"scg.layers.nn.{name}" for name in scg.nn.__all__)
    for name, value in vars(scg.init).items():
        own = inspect.isfunction(value) and value.__module__ == scg.init.__name__
        if own and not name.startswith("_"):
            yield f"scg.init.{name}"
    for name, value in vars(scg.optim).items():
        if inspect.isclass(value) and value.__module__.startswith("scg.train."):
            yield f"scg.optim.{name}"
    yield from ("scg.interop.torch.module", "scg.interop.jax.function")


PLACES = {name: page for page, text in PAGES.items() for name in DIRECTIVE.findall(text)}
#: Frameworks that tests do not install; their guide shows both.
ELSEWHERE = {"scg.interop.torch.module", "scg.interop.jax.function"}
ALIASES = {"scg.evaluate": "scg.train.evaluate", "scg.fit": "scg.train.fit"}


@pytest.mark.parametrize("name", [n for n in names() if n not in ALIASES.values()])
def test_each_public_name_has_a_page_and_an_example(name):
    page = PLACES.get(name)
    assert page, f"no page of docs/reference documents {name}: write `.. autofunction:: {name}`"
    if name in ELSEWHERE:
        return
    short = name.rpartition(".")[2]
    value = scg
    for part in name.split(".")[1:]:
        value = getattr(value, part)
    shown = re.findall(r"^```python\n(.*?)^```", PAGES[page], re.M | re.S)
    examples = [*shown, *re.findall(r"(?:>>>|\.\.\.) .*", inspect.getdoc(value) or "")]
    assert any(re.search(rf"\b{short}\b", text) for text in examples), f"{name} has no example"


def test_names_are_documented_once():
    found = [name for text in PAGES.values() for name in DIRECTIVE.findall(text)]
    assert sorted(found) == sorted(set(found))


def test_help_of_an_op_is_its_own():
    ops = [value for name in scg.ops.__all__ if not inspect.isfunction(value := getattr(scg, name))]
    texts = {op.__doc__ for op in ops}
    assert len(texts) == len(ops) > 10 and type(ops[0]).__doc__ not in texts
    assert scg.sigmoid.__doc__ == "σ(x) = 1 / (1 + exp(−x))."


def rows(page):
    """Cells of the rows of a page's tables by the name in the first cell."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    cells = [line[1:-1].split("|") for line in text.splitlines() if line.startswith("| [")]
    return {re.search(r"\w+", row[0])[0]: [cell.strip() for cell in row] for row in cells}


def test_tables_of_estimators_agree():
    reference, guide = rows("reference/estimators.md"), rows("howto/choose_an_estimator.md")
    command = {row["estimator"]: row for row in estimators()}
    for cls in ESTIMATORS:
        name = cls.__name__
        assert reference[name][2:5] == guide[name][2:5], name
        listed = command[name]
        assert reference[name][2] == listed["unbiased"], name
        assert reference[name][4] == listed["evaluations"].replace("|", "∣"), name


def test_counts_in_prose_are_true():
    shown = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"[{len(DISTRIBUTIONS)} distributions]" in shown
    lessons = [*(ROOT / "docs" / "course").glob("[0-9]*.md")]
    home = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert len(lessons) == 10 and "in ten lessons" in shown and "ten lessons" in home


# --- the bibliography -----------------------------------------------------------------------------
def test_works_have_names_of_their_own():
    works = bibliography.works()
    assert (
        len({work.slug for work in works.values()})
        == len(works)
        == len(bibliography.bibliography())
    )
    text = PAGES[REFERENCE / "bibliography.md"]
    assert all(f"## {work.named}\n" in text for work in works.values())
    assert "{" not in text and "\\" not in text


@pytest.mark.parametrize(
    ("text", "place", "key"),
    [
        ("see Gu et al. (2016), figure 1", "", "gu2016"),
        ("Gu, Levine, Sutskever and Mnih (2016)", "", "gu2016"),
        ("(Schulman et al. 2015)", "", "schulman2015"),
        ("Schulman et al.\n(2015)", "", "schulman2015"),
        ("Kingma and\nWelling (2014)", "", "kingma2014"),
        ("Kool, van Hoof and Welling (2019)", "", "kool2019"),
        ("Dimitriev and Zhou (2021)", "reference/estimators/arms", "dimitriev2021arms"),
        ("Dimitriev and Zhou (2021)", "reference/estimators/carms", "dimitriev2021carms"),
        ("Dimitriev and Zhou (2021a)", "", "dimitriev2021arms"),
        ("(Dimitriev and Zhou 2021b)", "", "dimitriev2021carms"),
        ("Yin and Zhou (2019)", "", "yin2019"),
        ("Yin, Yue and Zhou (2019)", "", "yin2019arsm"),
        ("Clevert et al. (2016)", "", None),
    ],
)
def test_prose_is_linked_to_the_work_that_it_names(text, place, key):
    match = bibliography.pattern().search(text)
    work = match and bibliography.work_of(match, place)
    assert (work and work.key) == key
