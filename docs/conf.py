"""How Sphinx makes a site of these pages: `make docs` writes it to build/docs, and asks no network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_site")]
os.environ["MPLBACKEND"] = "agg"

from neurorules.language.version import own_version  # noqa: E402  (the path stands above)

project = "neurorules"
author = "the neurorules authors"
version = release = own_version()
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "docstrings",
    "commands_page",
    "catalogue_page",
]
exclude_patterns = ["_site", "figures", "results/data", "gallery/**/*.ipynb", "gallery/**/GALLERY_HEADER.rst"]
nitpicky = True
smartquotes = False  # two hyphens of an option stay two hyphens
# Every reference resolves, but for what other packages document, since nothing is asked from a network, and for names
# of types: `T`, a variable, and `Task`, the words of a setting.
OTHERS = "torch|numpy|np|jaxtyping|collections|pathlib|os|typing"
nitpick_ignore_regex = [
    ("py:.*", rf"({OTHERS})\..*|Tensor|ndarray|Float|Int|Bool|Shaped|neurorules\.contracts\.view\.T|Task")
]

# Pages are Markdown that GitHub shows as well: headings are anchors of the same names there and here.
myst_enable_extensions = ["attrs_inline", "deflist", "dollarmath"]
myst_heading_anchors = 4

# A word between single backticks of a docstring is code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Settings", "params_style")]

# Learn: each script of demos/SECTION/ is a page, run while the site is built, sections in this order.
GALLERY_SECTIONS = ["first_steps", "rules_and_signals", "continuous_time", "networks", "out_of_the_net", "hardware"]
sphinx_gallery_conf = {
    "examples_dirs": "../demos",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"/_",
    "subsection_order": [f"../demos/{section}" for section in GALLERY_SECTIONS],
    "within_subsection_order": "FileNameSortKey",
    "nested_sections": True,
    "backreferences_dir": "gallery/_backreferences",
    "doc_module": ("neurorules",),
    "image_scrapers": ("matplotlib",),
    "matplotlib_animations": False,
    "reset_modules": ("matplotlib", "between_pages.reset"),
    "remove_config_comments": True,
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "write_computation_times": False,
    "exclude_implicit_doc": {r"neurorules\..*\."},
    "parallel": 2,
}

html_theme = "furo"
html_title = f"neurorules {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
