"""What tests read in pictures: the scene by declared names, and the elements of an SVG."""

from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"


def looks(picture):
    """The arrows by their ends: the kinds of credit, or the ops that cut it off."""
    return {
        ends: "+".join(sorted(link.kinds)) or "|".join(link.blocked)
        for ends, link in picture.scene.links.items()
    }


def coloured(picture):
    """The arrows along which credit flows back, and the kinds."""
    return {
        ends: "+".join(sorted(link.kinds))
        for ends, link in picture.scene.links.items()
        if link.kinds
    }


def texts(picture):
    """The lines of text of an SVG."""
    root = ElementTree.fromstring(picture.render("svg"))
    found = ["".join(e.itertext()) for e in root.iter(f"{SVG}text")]
    return [text.replace("\xa0", " ") for text in found]


def groups(picture, look):
    """The groups of an SVG with a class."""
    root = ElementTree.fromstring(picture.render("svg"))
    return [e for e in root.iter(f"{SVG}g") if look in e.get("class", "").split()]
