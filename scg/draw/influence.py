"""The influence as a picture: which stochastic node is credited with which cost."""

from __future__ import annotations

from scg.compiler.analyse import Influence
from scg.compiler.members import names
from scg.draw.boxes import title
from scg.draw.fold import folded
from scg.draw.options import Options
from scg.draw.scene import Link, Mark, Scene, Text
from scg.ir.plate import sign

#: By the first word of a label: which costs give credit to an element.
_CREDIT = {
    "own": "its own cost",
    "≥": "its own cost and later ones",
    ">": "later costs",
    "≤": "its own cost and earlier ones",
    "<": "earlier costs",
}


def influence_scene(influence: Influence, options: Options) -> Scene:
    """The scene of an influence: an arrow shows over which plates elements keep their own costs."""
    scene = Scene(influence.graph.name)
    kinds = {n.name or "": "stochastic" for n in influence.nodes}
    kinds |= {cost.name: "cost" for cost in influence.costs}
    for name, kind in kinds.items():
        if not options.hides(name, kind):
            scene.marks[name] = Mark(kind, [Text(title(name), "title")], (name,))
    scene = folded(scene, options)
    costs = {cost.name: cost for cost in influence.costs}
    below = {
        key: influence.costs.union(
            influence.costs.only(costs[name]) for name in mark.members if name in costs
        )
        for key, mark in scene.marks.items()
    }
    for tail, mark in scene.marks.items():
        nodes = [influence.graph.stochastic[n] for n in mark.members if n not in costs]
        for node, reach in ((n, reach) for n in nodes for reach in influence.downstream[n]):
            kept = names([plate.name for plate in node.plates if plate in reach.sep])
            signs = [f"{x} {p.name}" for p in node.plates if (x := sign(reach.sep, p))]
            new = Link(label=", ".join([*([f"own {kept}"] if kept else []), *signs]))
            if not reach.open:
                new = Link(blocked=("stop",))
            for head, members in below.items():
                if members & reach.members and head != tail:
                    ends = tail, head
                    scene.links[ends] = scene.links[ends] | new if ends in scene.links else new
    if options.notes:
        lines = ["an arrow: the cost gives credit"]
        labels = [link.label for link in scene.links.values()]
        for word, costs_of in _CREDIT.items():
            if any(f"{word} " in label for label in labels):
                lines.append(f"{word}: to each element by {costs_of}")
        scene.caption = [*(("muted", line) for line in lines), *scene.caption]
    return scene
