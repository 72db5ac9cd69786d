"""The page of an explanation in a browser: by mouse, by keyboard, for screen readers, offline."""

import json
import re

import numpy as np
import pytest

import scg
from tests.explain.test_derivation import HOSTILE, model

CHOICE = {"b": scg.ScoreFunction(), "z": scg.Reparameterization(), "k": scg.Enumeration()}


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "why.html"
    explanation = scg.compile(model(), CHOICE).explain()
    explanation.to_html(path)
    page = browser.open(path)
    yield page, path, explanation
    page.close()


@pytest.fixture
def page(opened):
    opened[0].load(opened[1])
    return opened[0]


def names(page, look):
    """The nodes whose boxes have a class."""
    found = page.evaluate(
        f"[...document.querySelectorAll('g.node.{look}')].map(e => e.dataset.node)"
    )
    return set(found)


def lit(page):
    """The numbers of the steps that are lit."""
    found = page.evaluate("[...document.querySelectorAll('li.lit')].map(e => e.id)")
    return {int(name.removeprefix("line")) for name in found}


def box(page, name):
    wanted = f"e => e.dataset.node == {json.dumps(name)}"
    return page.evaluate(f"[...document.querySelectorAll('g.node')].find({wanted}).id")


def about(explanation, key, name):
    return {
        number
        for number, line in enumerate(explanation.derivation.lines, start=1)
        if name in getattr(line, key)
    }


def test_a_pressed_node_lights_its_steps_and_its_costs(page, opened):
    explanation = opened[2]
    for name, costs in {
        "b": {"own", "mix", "last"},
        "z": {"own", "mix", "last"},
        "k": {"last"},
    }.items():
        page.click(f"#{box(page, name)}")
        assert names(page, "chosen") == {name} and names(page, "credited") == costs
        assert lit(page) == about(explanation, "nodes", name) != set()
        who, by = page.evaluate("document.getElementById('said').textContent").split(": ")
        assert who == name and set(by.removeprefix("credited by ").split(", ")) == costs
        sections = page.evaluate(
            "[...document.querySelectorAll('section.lit h4')].map(e => e.textContent)"
        )
        assert [text.split()[0] for text in sections] == [name]
    page.click(f"#{box(page, 'k')}")  # pressed twice
    assert names(page, "chosen") == set() == lit(page)


def test_a_pressed_step_lights_its_nodes_and_costs(page, opened):
    lines = opened[2].derivation.lines
    for number, line in enumerate(lines, start=1):
        page.click(f"#line{number} p")
        assert names(page, "chosen") == set(line.nodes)
        assert names(page, "credited") == set(line.costs)
        assert lit(page) == {number}
        pressed = page.evaluate("document.querySelectorAll('[aria-pressed=true]').length")
        assert pressed == 1


def test_a_pressed_cost_lights_the_nodes_that_it_credits(page, opened):
    page.click(f"#{box(page, 'mix')}")
    assert names(page, "credited") == {"mix"} and names(page, "chosen") == {"b", "z"}
    assert lit(page) == about(opened[2], "costs", "mix")
    page.click(f"#{box(page, 'apart')}")
    assert names(page, "chosen") == set()


def test_the_keyboard_is_enough(page):
    """Tab goes through boxes, steps and the table; Enter and Space press; Escape clears."""
    reached = []
    for _ in range(80):
        page.press("Tab")
        where = page.evaluate("document.activeElement.dataset.press ?? ''")
        if where in reached:
            break
        reached += [where] if where else []
    boxes = {"node " + box(page, name) for name in "bzk"}
    boxes |= {"cost " + box(page, name) for name in ("own", "mix", "last", "apart")}
    assert boxes <= set(reached) and "line line1" in reached
    page.evaluate(f"document.getElementById({box(page, 'b')!r}).focus()")
    page.press("Enter")
    assert names(page, "chosen") == {"b"}
    page.press("Escape")
    assert names(page, "chosen") == set() == names(page, "credited")
    page.press("Space")
    assert names(page, "chosen") == {"b"}
    page.evaluate("document.querySelector('#line2 button').focus()")
    page.press("Enter")
    assert lit(page) == {2}
    page.evaluate("document.querySelector('tbody button').focus()")
    page.press("Space")
    assert names(page, "chosen") == {"b"}


def test_what_screen_readers_are_told(page):
    """Names, roles and states in the browser's accessibility tree."""
    page.click(f"#{box(page, 'b')}")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    found = {}
    for node in nodes:
        if not node.get("ignored"):
            role, name = node["role"]["value"], node.get("name", {}).get("value", "")
            found.setdefault(role, []).append((name, node.get("properties", [])))
    roles = {"toggle button", "button", "ToggleButton"} & found.keys()
    buttons = dict(entry for role in roles for entry in found[role])
    own = buttons["b: light its steps and costs"]
    assert any(p["name"] == "pressed" and p["value"]["value"] in ("true", True) for p in own)
    assert "step 1, objective: light its nodes and costs" in buttons
    assert "mix: light the nodes that it credits" in buttons and "cost mix" in buttons
    assert any(name.startswith("credit") for name, _ in found["region"])
    assert found["status"] and found["table"] and found["columnheader"]
    assert sum(role.startswith("MathMLMath") or role == "math" for role in found) == 1


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_offline_and_fits_a_telephone(opened, dark):
    page = opened[0]
    page.darken(dark)
    for width in (1280, 400):
        page.resize(width)
        page.load(opened[1])
        page.settle()
        assert (page.requests, page.errors, page.overflow) == ([], [], 0)
        assert (
            page.evaluate(
                "Math.min(...[...document.querySelectorAll('li math')].map(e => e.clientHeight))"
            )
            > 5
        )
    page.resize(1280)
    page.darken(False)


def test_hostile_names_in_the_page(browser, tmp_path):
    g = scg.Graph("</script><b>")
    value = g.parameter("w", np.zeros(()))
    known = [name for name in HOSTILE if name.isprintable()]
    for name in known:
        value = g.sample(name, scg.Bernoulli(logits=value * 0.5))
    g.cost("<title>\"'", value * 1.0)
    scg.compile(g, scg.ScoreFunction()).explain().to_html(tmp_path / "why.html")
    page = browser.open(tmp_path / "why.html")
    assert page.errors == []
    assert page.evaluate("document.title") == "</script><b>"
    for name in known:
        page.click(f"#{box(page, name)}")
        assert names(page, "chosen") == {name} and names(page, "credited") == {"<title>\"'"}
    page.close()


def test_notebooks_show_the_derivation_without_buttons():
    shown = scg.compile(model(), CHOICE).explain()._repr_html_()
    assert "<math>" in shown and "<button" not in shown and "<script" not in shown
    assert re.search(r"<ol><li id=\"line1\">1<div>", shown)


def test_the_estimators_of_a_repetition_are_folded_behind_its_first_node(browser, tmp_path):
    g = scg.Graph("chain")
    z = g.parameter("t", 0.3)
    for i in range(20):
        z = g.sample(f"z[{i}]", scg.Bernoulli(logits=z * 0.5))
        g.cost(f"c[{i}]", z * 1.0)
    path = tmp_path / "why.html"
    scg.compile(g, scg.ScoreFunction(), backend="numpy").explain().to_html(path)
    page = browser.open(path, width=400)
    assert page.overflow == 0
    shown = page.evaluate("[...document.querySelectorAll('article > section')].length")
    folded = page.evaluate("[...document.querySelectorAll('details section')].length")
    assert (shown, folded) == (2, 18)
    words = page.evaluate("document.querySelector('summary').textContent")
    assert words == "z[2] to z[19]: 18 nodes like z[1]"
    heights = page.evaluate("[...document.querySelectorAll('th button')].map(e => e.offsetHeight)")
    assert max(heights) < 40  # names in one line each
    page.close()
