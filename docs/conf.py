"""Sphinx configuration: MyST pages, numpydoc docstrings, nothing fetched from elsewhere."""

import sys

from docutils import nodes

import scg

sys.path.insert(0, __file__.rpartition("/")[0])

project = "scg"
author = "scg authors"
project_copyright = "2026, scg authors"
release = version = scg.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "numpydoc",
    "bibliography",
    "drawings",
    "labs",
    "notebooks",
    "pictures",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # numpydoc shows the types of parameters
autodoc_mock_imports = ["jax", "torch", "xarray"]
numpydoc_show_class_members = False
exclude_patterns = ["_build"]

# MathJax 3.2.2, `tex-svg-full` of its npm package: one file, with its glyphs as paths.
mathjax_path = "mathjax/tex-svg-full.js"
mathjax3_config = {"options": {"enableMenu": False}}

html_theme = "furo"
pygments_style, pygments_dark_style = "tango", "github-dark"
html_title = "scg"
html_static_path = ["_static"]
html_css_files = ["scg.css"]
html_copy_source = False
html_show_sourcelink = False
# Examples are copied without prompts and without what they print.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def escape_bars(app, what, name, obj, options, lines):
    """Let |x| in docstrings be an absolute value, where reStructuredText would substitute x."""
    in_example = False
    for i, line in enumerate(lines):
        in_example = bool(line.strip()) and (in_example or line.lstrip().startswith(">>>"))
        if not in_example:
            parts = line.split("``")
            parts[::2] = [part.replace("|", "\\|") for part in parts[::2]]
            lines[i] = "``".join(parts)


def strip_blocks(app, doctree):
    """Drop the empty line with which a block of examples ends."""
    for block in doctree.findall(nodes.literal_block):
        text = block.astext().rstrip()
        block.rawsource, block.children = text, [nodes.Text(text)]


def setup(app):
    """Escape after numpydoc, which runs at the default priority of 500."""
    app.connect("autodoc-process-docstring", escape_bars, priority=600)
    app.connect("doctree-read", strip_blocks)
