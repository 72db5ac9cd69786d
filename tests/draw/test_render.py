"""Rendering: formats, the two ways to do it, fonts, messages."""

import copy
import os
import pickle
import subprocess
import sys
import textwrap
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import scg
from scg.draw.render import Picture, _without_remarks
from scg.draw.scene import Scene

PICTURE = Picture('digraph { node [fontname="DejaVu Sans"] a -> b }', Scene("two"))


def no_dot(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)


@pytest.mark.parametrize(
    ("suffix", "start"),
    [("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("tex", b"\\begin{tikz")],
)
def test_the_suffix_says_the_format(tmp_path, monkeypatch, suffix, start):
    no_dot(monkeypatch)
    path = tmp_path / f"p.{suffix}"
    PICTURE.save(path)
    assert path.read_bytes().startswith(start)
    assert "FONTCONFIG_FILE" not in os.environ


@pytest.mark.parametrize("suffix", ["dot", "gv"])
def test_text_needs_nothing_that_draws(tmp_path, monkeypatch, suffix):
    no_dot(monkeypatch)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    g = scg.Graph("θ")
    g.draw(tmp_path / f"p.{suffix}")
    assert (tmp_path / f"p.{suffix}").read_text(encoding="utf-8") == g.draw().source


def test_an_unknown_suffix(tmp_path):
    with pytest.raises(scg.ScgError, match=r"p.jpg': the suffix must be one of .svg, .png"):
        PICTURE.save(tmp_path / "p.jpg")
    with pytest.raises(scg.ScgError, match="format must be one of svg, png, pdf, tikz, got 'gif'"):
        PICTURE.render("gif")


def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path):
    (tmp_path / "taken.dot").mkdir()
    (tmp_path / "file").write_text("kept")
    for path, named in (("taken.dot", "taken.dot"), ("file/p.dot", "file")):
        with pytest.raises(OSError, match=rf"{named}'$"):
            PICTURE.save(tmp_path / path)
    PICTURE.save(tmp_path / "new" / "folder" / "p.dot")
    found = {str(p.relative_to(tmp_path)).replace(os.sep, "/") for p in tmp_path.rglob("*")}
    assert found == {"taken.dot", "file", "new", "new/folder", "new/folder/p.dot"}


def test_without_anything_that_draws_it_is_said_what_to_install(monkeypatch):
    no_dot(monkeypatch)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(scg.ScgError, match=r"pip install 'scgrad\[draw\]'"):
        PICTURE.render()
    assert PICTURE._repr_svg_() is None


@pytest.mark.skipif(os.name != "posix", reason="the stand-in for dot is a shell script")
def test_the_dot_program_is_used_where_it_is(tmp_path, monkeypatch):
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\necho "$@"; cat\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert PICTURE.render("pdf").decode().splitlines() == ["-Kdot -Tpdf", PICTURE.source]
    assert "dpi=144" in PICTURE.render("png").decode()


def cells(node):
    """What a notebook's table says about a node."""
    rows = ET.fromstring(node._repr_html_()).findall("tr")
    return {row.find("th").text: row.find("td").text for row in rows}


def test_notebooks_show_nodes():
    g = scg.Graph("cards")
    x = g.data("x", shape=3, plates=scg.Plate("batch"))
    h = g.sample("h", scg.Bernoulli(logits=x * g.parameter("a & b", 0.4)))
    total = np.sum(h * x)
    g.cost("loss", total + 1.0)
    assert cells(h) == {
        "node": "h",
        "role": "stochastic",
        "event shape": "(3,)",
        "values": "float",
        "made from": "x, a & b",
        "distribution": "Bernoulli(logits)",
        "on plates": "batch",
    }
    assert "made from" not in cells(x)
    found = cells(total)
    assert (found["node"], found["made from"]) == ("sum(…)", "h, x")
    assert found["role"] == "deterministic, without a name"
    many = sum((g.parameter(f"p{i}", 0.0) for i in range(12)), 0.0)
    assert cells(many)["made from"].endswith("p7 and 4 more")


def test_notebooks_show_graphs_and_steps(monkeypatch):
    no_dot(monkeypatch)
    g = scg.Graph("toy")
    g.cost("loss", g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.4))))
    assert "Bernoulli" in g._repr_svg_()
    assert "MuProp" in scg.compile(g, scg.MuProp())._repr_svg_()


@pytest.mark.skipif(sys.platform != "linux", reason="fonts are found by fontconfig on Linux alone")
@pytest.mark.parametrize("helped", [True, False])
def test_text_is_legible_without_system_fonts(tmp_path, helped):
    """Without a font all letters are one empty box, so that two words draw the same picture."""
    script = textwrap.dedent("""
        import shutil
        from scg.draw import render
        render._FOLDERS = ("/nonexistent",)
        shutil.which = lambda name: None
        def draw(word):
            text = 'digraph { node [fontname="DejaVu Sans" width=3] n [label="%s"] }'
            return render.Picture(text % word, render.Scene("")).render("png")
        print(draw("legible") != draw("boxesxx"))
    """)
    empty = tmp_path / "fonts.conf"
    empty.write_text(
        f"<fontconfig><dir>/nonexistent</dir><cachedir>{tmp_path}</cachedir></fontconfig>"
    )
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    env |= {} if helped else {"FONTCONFIG_FILE": str(empty)}
    run = subprocess.run(
        [sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == str(helped)
    assert run.stderr == ""


def test_of_the_error_stream_fontconfigs_remarks_alone_are_left_out(capfd):
    with _without_remarks():
        os.write(2, b"Fontconfig warning: unknown element\nFontconfigured\n")
        sys.stderr.write("spoken\n")
    os.write(2, b"after\n")
    assert sorted(capfd.readouterr().err.split()) == ["Fontconfigured", "after", "spoken"]


def test_a_page_needs_something_that_draws(tmp_path, monkeypatch):
    no_dot(monkeypatch)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    g = scg.Graph()
    g.cost("loss", g.parameter("t", 0.2))
    with pytest.raises(scg.ScgError, match="to draw a picture, install"):
        scg.compile(g, backend="numpy").explain().to_html(tmp_path / "why.html")
    assert not (tmp_path / "why.html").exists()


def test_pickled_pictures_keep_what_they_show():
    g = scg.Graph("pickled")
    b = g.sample("b", scg.Bernoulli(logits=g.parameter("theta", 0.2)))
    g.cost("loss", b)
    step = scg.compile(g, scg.ScoreFunction(), backend="numpy")
    for level in ("plan", "surrogate", "program"):
        picture = step.draw(level=level)
        assert copy.copy(picture) is copy.deepcopy(picture) is picture
        there = pickle.loads(pickle.dumps(picture))
        assert there == picture
        with pytest.raises(scg.errors.CallError, match=r"opens no boxes: draw it anew"):
            there.opened("b")
