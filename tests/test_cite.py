"""The bibliography: complete, well-formed, used."""

import re
from pathlib import Path

import pytest

import scg
from scg.cite import bibliography
from scg.estimators import ESTIMATORS

ROOT = Path(__file__).resolve().parents[1]
BASELINES = [getattr(scg.baselines, name) for name in scg.baselines.__all__]


def keys(text):
    return re.findall(r"^@\w+\{(\w+),$", text, re.M)


def surname(entry):
    """The first author's surname in plain letters."""
    author = re.search(r"author = \{(?:van )?([^,]+),", entry)[1]
    return re.sub(r"[^A-Za-z-]", "", author)


@pytest.mark.parametrize("cls", [*ESTIMATORS, *BASELINES], ids=lambda cls: cls.__name__)
def test_what_is_cited_is_there(cls):
    assert set(cls.cites) <= set(bibliography())


@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
def test_an_estimator_cites_its_source(cls):
    assert cls.cites


@pytest.mark.parametrize("key", bibliography())
def test_what_is_there_is_used(key):
    """By its key in the code, or as "Surname ... year" in a docstring or a page."""
    name, year = surname(bibliography()[key]), re.search(r"\d{4}", key)[0]
    used = re.compile(rf'"{key}"|\b{name}\b[^.;]{{0,60}}\b{year}\b|\b{name} et al\. \(?{year}')
    pages = [*(ROOT / "scg").rglob("*.py"), *(ROOT / "docs").rglob("*.md")]
    assert any(used.search(page.read_text(encoding="utf-8")) for page in pages)


@pytest.mark.parametrize("key", bibliography())
def test_an_entry_is_well_formed(key):
    entry = bibliography()[key]
    assert entry.count("{") == entry.count("}")
    fields = dict(re.findall(r"^  (\w+) = \{(.*)\},$", entry, re.M))
    assert fields.keys() >= {"title", "author", "year"}
    # a letter or a word tells works of one author and year apart
    assert re.fullmatch(surname(entry).lower() + fields["year"] + "[a-z]*", key)
    assert len(fields) == entry.count("\n") - 1  # every line was understood


def test_the_file_has_each_key_once():
    text = (ROOT / "scg" / "references.bib").read_text(encoding="utf-8")
    assert keys(text) == sorted(bibliography()) == sorted(set(keys(text)))
    assert len(keys(text)) == text.count("\n@")


def test_a_step_cites_what_it_uses_once():
    g = scg.Graph()
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("theta", 0.0)))
    b = g.sample("b", scg.Bernoulli(logits=a))
    g.cost("loss", a * b)
    network = scg.MuProp(baseline=scg.baselines.Network(hidden=(2,)))
    step = scg.compile(g, {"a": network, "b": scg.ScoreFunction()})
    assert keys(scg.cite(step)) == [
        "schulman2015",
        "foerster2018",
        "gu2016",
        "mnih2014",
        "glynn1990",
        "williams1992",
        "thomas2014",
        "salmon2011",
    ]


def test_a_step_without_noise_does_not_cite_its_generator():
    g = scg.Graph()
    g.cost("loss", g.sample("a", scg.Bernoulli(logits=g.parameter("theta", 0.0))))
    assert "salmon2011" not in scg.cite(scg.compile(g, scg.Enumeration()))


def test_an_estimator_of_ones_own_cites_an_entry_or_a_known_key():
    class Own(scg.ScoreFunction):
        cites = ("@misc{own2026,\n  title = {Own},\n}", "mystery1999")

    g = scg.Graph()
    g.cost("loss", g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.0))))
    with pytest.raises(scg.CallError, match="no key 'mystery1999'"):
        scg.cite(scg.compile(g, Own()))
    Own.cites = Own.cites[:1]
    assert "@misc{own2026," in scg.cite(scg.compile(g, Own()))
