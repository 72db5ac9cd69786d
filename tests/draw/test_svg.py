"""SVG and TikZ: names for scripts, legible colours on every background, text that stays text."""

import re

import pytest

import scg
from scg.draw.theme import USES, WAYS, darkened
from scg.draw.tikz import escaped
from tests.draw.pictures import SVG, groups
from tests.draw.test_graph import HOSTILE, toy


def luminance(code):
    """Relative luminance of a colour (WCAG 2.1)."""
    parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


FILLS = (
    "observed",
    "data",
    "guide",
    "loop",
    "product",
    "python",
    "heat0",
    "heat1",
    "heat2",
    "heat3",
)


@pytest.mark.parametrize("dark", [0, 1])
def test_contrast_is_at_least_four_and_a_half(dark):
    background = USES["background"][dark]
    for kind, way in WAYS.items():
        assert contrast((way.light, way.dark)[dark], background) >= 4.5, kind
    for use in ("ink", "muted", "neutral", "plate", "blocked"):
        assert contrast(USES[use][dark], background) >= 4.5, use
    for use in FILLS:
        assert contrast(USES["ink"][dark], USES[use][dark]) >= 4.5, use
        assert contrast(USES["muted"][dark], USES[use][dark]) >= 4.5, use
        assert contrast(USES["blocked"][dark], USES[use][dark]) >= 4.5, use


def test_uses_of_colours_are_told_apart():
    lights = [*(way.light for way in WAYS.values()), *(light for light, _ in USES.values())]
    assert len(set(lights)) == len(lights) == len(darkened())


def test_each_colour_of_a_picture_has_a_dark_one():
    svg = scg.compile(toy(), scg.LeaveOneOut(samples=2), backend="numpy").draw().render().decode()
    body = re.sub("<style>.*</style>", "", svg, flags=re.S)
    used = set(re.findall(r'(?:fill|stroke)="([^"]*)"', body)) - {"none", "transparent"}
    assert used <= darkened().keys() and "prefers-color-scheme: dark" in svg
    paper = toy().draw(style="paper").render().decode()
    assert "prefers-color-scheme" not in paper and "Serif" in paper


def test_nodes_and_arrows_have_names_and_classes():
    picture = scg.compile(toy(), scg.MuProp(), backend="numpy").draw()
    nodes = {g.get("data-node"): g for g in groups(picture, "node")}
    assert set(nodes) == {"w", "x", "b", "h", "loss"}
    assert {nodes["b"].get("class"), nodes["loss"].get("class")} == {"node stochastic", "node cost"}
    assert nodes["b"].find(f"{SVG}title").text == "b: stochastic"
    ids = {name: group.get("id") for name, group in nodes.items()}
    edges = {(g.get("data-from"), g.get("data-to")): g for g in groups(picture, "edge")}
    assert len(edges) == 4
    edge = edges[ids["b"], ids["h"]]
    assert edge.get("class") == "edge field score" and edge.get("id") == f"{ids['b']}_{ids['h']}"
    assert edge.find(f"{SVG}title").text == "b → h: field score"


def test_a_reversed_arrow_keeps_its_ends():
    g = scg.Graph()
    B, z = g.parameter("B", 0.1), 0.0
    for t in range(4):
        z = g.sample(f"z{t}", scg.Bernoulli(probs=0.2 + 0.5 * z))
        g.observe(f"x{t}", scg.Normal(z * B, 1.0), 0.0)
    picture = g.draw()
    ids = picture.scene.ids
    edges = {(e.get("data-from"), e.get("data-to")) for e in groups(picture, "edge")}
    assert edges == {(ids[a], ids[b]) for a, b in picture.scene.links}
    assert f"{ids['x0']} -> {ids['B']}" in picture.source  # B is drawn below


# --- TikZ -----------------------------------------------------------------------------------------
def balanced(tex):
    depth = 0
    for found in re.finditer(r"\\[{}\\]|[{}]", tex):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        assert depth >= 0
    return depth == 0


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_text_is_escaped_for_latex(name):
    tex = escaped(name)
    assert balanced(tex)
    known = r"\\(?:ensuremath|textbackslash|textasciitilde|textasciicircum|textless|textgreater|"
    known += r"textbar|char(?:34|39|96)|theta|nabla|bar|times|[{}%#&_$])"
    rest = re.sub(known, "", tex)
    assert not re.search(r"[\\%#&_$^~<>|]", rest)


def test_escaped_text():
    assert escaped("a_b^2 50% {x}") == r"a\_b\textasciicircum{}2 50\% \{x\}"
    assert escaped("Σᵢ Λ λ x̃ v₊") == (
        r"\ensuremath{\Sigma}\ensuremath{_{i}} \ensuremath{\Lambda} \ensuremath{\lambda} "
        r"\ensuremath{\tilde{x}} v\ensuremath{_{+}}"
    )
    assert escaped("f(x̄) − θ") == (r"f(\ensuremath{\bar{x}}) \ensuremath{-} \ensuremath{\theta}")


def test_tikz_has_every_node_arrow_and_box():
    g = toy()
    tex = g.draw().render("tikz").decode()
    assert tex.startswith(r"\begin{tikzpicture}") and tex.endswith("\\end{tikzpicture}\n")
    assert balanced(tex)
    assert tex.count("ellipse") == 1 and "{loss}" not in tex and " loss};" in tex
    assert " batch: 3};" in tex
    colors = set(re.findall(r"definecolor\{(\w+)\}", tex))
    assert set(re.findall(r"scg\d+", tex)) == colors
