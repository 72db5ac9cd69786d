"""Sphinx configuration: MyST pages, numpydoc docstrings."""

from importlib.metadata import version as installed_version

project = "scg"
author = "scg authors"
project_copyright = "2026, scg authors"
release = version = installed_version("scg")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "numpydoc"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
autodoc_typehints = "none"  # numpydoc shows the types of parameters
numpydoc_show_class_members = False
exclude_patterns = ["_build"]

html_theme = "alabaster"
html_theme_options = {"description": "Stochastic computation graphs", "page_width": "1100px"}
