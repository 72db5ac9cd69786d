"""Folded boxes open and close by mouse and by keyboard, in pages that load nothing."""

import re

import numpy as np
import pytest

import scg
from scg.models.vae import gaussian_vae
from tests.draw.test_fold import chain, deep


def vae():
    return scg.compile(gaussian_vae(np.full(20, 0.5)), backend="numpy")


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("openable")
    vae().draw(folder / "vae.html")
    page = browser.open(folder / "vae.html")
    yield page, folder
    page.close()


@pytest.fixture
def page(opened):
    opened[0].load(opened[1] / "vae.html")
    return opened[0]


SEEN = ".view:not([hidden])"


def seen(page):
    """The boxes of the picture that is shown, by the names that they stand for."""
    inner = f"document.querySelectorAll('{SEEN} g.node')"
    return {tuple(n.split("\n")) for n in page.evaluate(f"[...{inner}].map(e => e.dataset.node)")}


def expanded(page):
    """What the buttons say."""
    buttons = "[...document.querySelectorAll('.bar button')]"
    return page.evaluate(f"{buttons}.map(b => b.getAttribute('aria-expanded'))")


ENCODER = {(f"{layer}/W", f"{layer}/b") for layer in ("encoder1", "loc", "log_scale")}
DECODER = {(f"{layer}/W", f"{layer}/b") for layer in ("decoder1", "to_x")}


def whole(layers):
    return tuple(name for layer in sorted(layers) for name in layer)


def test_a_pressed_network_shows_its_layers_and_closes_again(page):
    closed = seen(page)
    assert {whole(ENCODER), whole(DECODER)} <= closed and expanded(page) == ["false", "false"]
    page.click(f'{SEEN} g[data-opens="0"]')
    assert seen(page) == closed - {whole(ENCODER)} | ENCODER
    assert expanded(page) == ["true", "false"]
    page.click(f'{SEEN} g[data-opens="1"]')
    assert seen(page) == closed - {whole(ENCODER), whole(DECODER)} | ENCODER | DECODER
    page.click(f'{SEEN} g[data-opens="0"][data-opened]')  # any of its layers closes it
    assert seen(page) == closed - {whole(DECODER)} | DECODER
    page.click(".bar button:last-child")
    assert seen(page) == closed and expanded(page) == ["false", "false"]
    page.click(f'{SEEN} g[data-node="h"]')  # what is not folded does nothing
    assert seen(page) == closed


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_keyboard_opens_and_closes_and_keeps_the_place(page, key):
    closed = seen(page)
    tabs = ["button", "button", "g", "g"]
    for tag in tabs:
        page.press("Tab")
        assert page.evaluate("document.activeElement.localName") == tag
    state = "document.activeElement.getAttribute('aria-expanded')"
    assert page.evaluate(state) == "false"
    page.press(key)
    assert len(seen(page)) > len(closed) and page.evaluate(state) == "true"
    page.press(key)
    assert seen(page) == closed and page.evaluate(state) == "false"
    page.evaluate("document.querySelector('.bar button').focus()")
    page.press(key)
    assert expanded(page) == ["true", "false"]
    assert page.evaluate("document.activeElement.localName") == "button"


def test_screen_readers_hear_buttons_and_what_they_are_called(page):
    tree = page.call("Accessibility.getFullAXTree")["nodes"]
    buttons = {
        node["name"]["value"]: {p["name"]: p["value"]["value"] for p in node["properties"]}
        for node in tree
        if node["role"]["value"] == "button" and not node["ignored"]
    }
    named = {name: about["expanded"] for name, about in buttons.items()}
    assert set(named.values()) == {False} and len(named) == 4
    assert {"encoder1/: network", "decoder1/: network"} <= set(named)


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_is_offline_and_fits_a_telephone(opened, dark):
    page, folder = opened
    page.darken(dark)
    for width in (1280, 400):
        page.resize(width)
        page.load(folder / "vae.html")
        page.click(".bar button")
        page.settle()
        assert (page.requests, page.errors, page.overflow) == ([], [], 0)
    page.resize(1280)
    page.darken(False)


def test_ids_differ_between_the_pictures_of_a_page():
    text = vae().draw().to_html()
    ids = re.findall(r'<g id="([^"]+)"', text)
    assert len(ids) == len(set(ids)) > 40
    ends = re.findall(r'data-(?:from|to)="([^"]+)"', text)
    assert ends and set(ends) <= set(ids)


def test_repetitions_scopes_and_parameters_open_and_what_cannot_be_read_does_not(browser, tmp_path):
    g = chain(20)
    g.draw(tmp_path / "chain.html")
    page = browser.open(tmp_path / "chain.html")
    every = {(name,) for name in g.roles}
    assert len(seen(page)) < len(every)
    page.click(".bar button")  # samples and costs of one range open together
    assert seen(page) == every
    page.close()
    assert "scg-openable" not in chain(200).draw().to_html()
    markov, z = scg.Graph("markov"), 0.0
    for t in range(30):  # the data of observations count once, with the node of which they are
        z = markov.sample(f"z[{t}]", scg.Normal(z, 1.0))
        markov.observe(f"x[{t}]", scg.Normal(z, 1.0), markov.data(f"y[{t}]"))
    assert "scg-openable" in markov.draw().to_html()
    assert chain(200).draw()._repr_html_() is None
    folded = deep(3).draw(fold=True)
    assert {mark.opens for mark in folded.scene.marks.values()} == {
        "layer0/", "layer1/", "layer2/", "",
    }  # fmt: skip
    names = set(folded.opened("layer1/").scene.marks)
    assert {"layer0/", "layer1/h", "layer1/{W, b}", "layer2/"} <= names
    both = folded.opened("layer1/").opened("layer1/{W, b}").scene.marks
    assert both["layer1/W"].opened and both["layer1/W"].opens == "layer1/{W, b}"


def test_a_box_of_an_explanation_lights_and_its_button_opens(browser, tmp_path):
    scg.compile(chain(20), scg.ScoreFunction(), backend="numpy").explain().to_html(
        tmp_path / "why.html"
    )
    page = browser.open(tmp_path / "why.html")
    page.click(".bar button")
    page.click(f'{SEEN} g[data-node="h[7]"]')
    assert "h[2..18]" not in str(seen(page)) and ("h[7]",) in seen(page)
    words = page.evaluate("document.getElementById('said').textContent")
    assert words.startswith("h[2], …, h[18]: credited by")
    assert page.evaluate(f"document.querySelectorAll('{SEEN} g.chosen').length") == 17
    assert (page.requests, page.errors) == ([], [])
    page.close()


def test_notebooks_get_the_page_and_hostile_names_stay_names(browser, tmp_path):
    g, value = scg.Graph("<g>"), 1.0
    with g.scope("<script><b>&'\""):
        for name in ("x&y", "'", '"'):
            value = g.sample(name, scg.Bernoulli(probs=g.parameter(f"{name}p", 0.3) * value))
    g.cost("c", value)
    shown = g.draw(fold=True)._repr_html_()
    assert shown is not None
    (tmp_path / "page.html").write_text(f"<meta charset=utf-8>{shown}", encoding="utf-8")
    page = browser.open(tmp_path / "page.html")
    page.click(f'{SEEN} g[data-opens="0"]')
    assert any(names[0].endswith(">&'\"/x&y") for names in seen(page)) and page.errors == []
    page.close()
    assert vae()._repr_html_().startswith('<div class="scg-openable">')
