"""Pictures in the page itself, so that they take the colours of a light or a dark page.

An SVG that draws with ``currentColor`` is written into the HTML, with its alternative text as its
label; others remain files. A picture wider than a narrow window scrolls within its frame.
"""

import re
from html import escape
from pathlib import Path
from typing import Any


def inline(app: Any, doctree: Any, docname: str) -> None:
    """Replace images of a page by the drawings themselves."""
    from docutils import nodes

    if app.builder.format != "html":
        return
    for image in list(doctree.findall(nodes.image)):
        path = Path(app.srcdir) / image["uri"]
        if path.suffix != ".svg" or not path.exists():
            continue
        drawing = path.read_text(encoding="utf-8")
        if "currentColor" not in drawing:
            continue
        drawing = re.sub(r"<\?xml.*?\?>|<!DOCTYPE.*?>", "", drawing, flags=re.S).strip()
        label = escape(image.get("alt", ""), quote=True)
        drawing = drawing.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
        frame = f'<div class="drawing" tabindex="0">{drawing}</div>'
        new = nodes.raw("", frame, format="html")
        parent = image.parent
        if isinstance(parent, nodes.paragraph) and len(parent) == 1:
            parent.replace_self(new)
        else:
            image.replace_self(new)


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("doctree-resolved", inline)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
