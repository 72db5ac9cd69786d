"""The explanation as a page: self-contained, escaped, and what pressing a node will show."""

import json
import re
import sys
from html.parser import HTMLParser

import pytest

import scg


class Reader(HTMLParser):
    """Collects the tags, identifiers and text of a page; every tag must be closed in order."""

    VOID = ("meta",)

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.text, self.links = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given[k] for k in ("src", "href", "xlink:href") if k in given]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def model(name="b"):
    g = scg.Graph(f"<{name}>")
    a = g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.2)))
    b = g.sample(name, scg.Bernoulli(logits=a))
    g.cost("both", a * b)
    g.cost("second", b - scg.stop_gradient(a))
    return g


def write(g, path, estimator=None):
    scg.compile(g, estimator).explain().to_html(path)
    return path.read_text(encoding="utf-8")


@pytest.fixture
def text(tmp_path):
    with pytest.warns(scg.StopWarning):
        return write(model(), tmp_path / "why.html", scg.LeaveOneOut(samples=2))


def credited(text):
    return json.loads(re.search(r"const credited = (.*);", text)[1])


def test_the_page_is_well_formed_and_needs_nothing_else(text):
    page = Reader(text)
    assert len(set(page.ids)) == len(page.ids)
    assert page.links == []
    assert "url(" not in text and "@import" not in text


def test_pressing_a_node_finds_its_term_and_its_costs(text):
    page = Reader(text)
    # identifiers are positions: t, a, b, both, second
    assert credited(text) == {"n1": ["n3", "n4"], "n2": ["n3", "n4"]}
    assert {"n0", "n1", "n2", "n3", "n4"} <= set(page.ids)
    assert text.count('class="about-n1"') == text.count('class="about-n2"') == 1


def test_the_page_says_what_the_text_says(text):
    shown = "".join(Reader(text).text)
    with pytest.warns(scg.StopWarning):
        explanation = scg.compile(model(), scg.LeaveOneOut(samples=2)).explain()
    assert explanation.head in shown and explanation.note in shown
    for node in explanation.nodes:
        assert node.head in shown
        assert all(label in shown and words in shown for label, words in node.rows())
    assert all(summand in shown for summand in explanation.surrogate)


@pytest.mark.filterwarnings("ignore::scg.StopWarning")
@pytest.mark.parametrize("name", ["<script>x", "</script>", "{credited}", 'quo"te', "&lt;"])
def test_names_are_text(tmp_path, name):
    safe = name.replace("/", "|")
    text = write(model(safe), tmp_path / "why.html")
    page = Reader(text)
    assert "".join(page.text).count(safe) >= 3  # title, heading, drawing
    assert text.count("<script>") == text.count("</script>") == 1


def test_bias_is_marked(tmp_path):
    g = scg.Graph()
    g.cost("loss", g.sample("a", scg.Bernoulli(logits=g.parameter("t", 0.2))) ** 3)
    text = write(g, tmp_path / "why.html", scg.StraightThrough(allow_biased=True))
    assert 'class="about-n1 biased"' in text and "; BIASED" in text


def test_nodes_of_a_collapsed_scope_share_its_box(tmp_path):
    g = scg.Graph()
    x = 0.0
    for i in range(90):
        with g.scope(f"s{i % 2}"):
            x = g.sample(f"x{i}", scg.Bernoulli(logits=g.parameter(f"t{i}", 0.1) + x))
    g.cost("loss", x * 1.0)
    text = write(g, tmp_path / "why.html", scg.ScoreFunction())
    assert credited(text) == {"n0": ["n2"], "n1": ["n2"]}
    assert text.count('class="about-n0"') == text.count('class="about-n1"') == 45


def test_without_anything_that_draws(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    g = scg.Graph()
    g.cost("loss", g.parameter("t", 0.2))
    with pytest.raises(scg.ScgError, match="to draw a picture, install"):
        scg.compile(g).explain().to_html(tmp_path / "why.html")
    assert not (tmp_path / "why.html").exists()
