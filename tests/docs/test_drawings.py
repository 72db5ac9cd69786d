"""The gallery: it shows the pictures that its build draws, and those that are kept are of today."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def drawings():
    spec = importlib.util.spec_from_file_location("drawings", DOCS / "drawings.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_gallery_shows_each_picture_and_says_what_is_seen():
    page = (DOCS / "gallery" / "index.md").read_text(encoding="utf-8")
    figure = r"\{figure\} pictures/(\w+)\.svg\n:figclass: picture(?: wide)?\n:alt: (.+)"
    figures = re.findall(figure, page)
    assert sorted(name for name, _ in figures) == sorted(drawings().PICTURES)


@pytest.mark.parametrize("name", ["belief_network", "tracker"])
def test_a_kept_picture_has_the_nodes_and_arrows_of_today(name):
    module = drawings()
    scene = module.lesson(name).draw().scene
    kept = module.KEPT[name].read_text(encoding="utf-8")
    ids, seen = (
        scene.ids,
        re.findall(r'class="edge ([^"]*)" data-from="(\w+)" data-to="(\w+)"', kept),
    )
    drawn = {(ids[a], ids[b]): link for (a, b), link in scene.links.items()}
    assert {(a, b) for _, a, b in seen} == drawn.keys()
    assert all(drawn[a, b].kinds <= set(look.split()) for look, a, b in seen)
    assert len(re.findall(r"data-node=", kept)) == len(scene.marks)
