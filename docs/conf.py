"""How `make docs` builds the site: the repository is its source, so that a link is good here and there.

Notebooks are executed once and kept in `build/docs-cache`; nothing is fetched.
"""

import os
from importlib import metadata
from pathlib import Path

import click
import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.cli import get_docs_for_click

from nas.cli.app import app

ROOT = Path(__file__).parents[1]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))  # of kernels
os.environ["PYTHONWARNINGS"] = "ignore:IProgress"  # tqdm's about widgets, which a page does not have

project = "snapfusion-nas"
author = "the snapfusion-nas authors"
copyright = author
release = metadata.version(project)

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
include_patterns = ["C*.md", "SECURITY.md", "docs/**.md", "experiments/LOG.md", "notebooks/*.ipynb"]
root_doc = "docs/index"
html_additional_pages = {"index": "to_the_front.html"}  # the front stands in docs/, as in the repository
templates_path = ["_templates"]

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
pygments_style, pygments_dark_style = "friendly", "monokai"

myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 4
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "build" / "docs-cache")
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True}
autodoc_use_type_comments = False
default_role = "code"  # docstrings have one backtick around names, as Markdown has
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # fields are told once
napoleon_custom_sections = [("Columns", "params_style"), ("Warns", "params_style")]


class Commands(SphinxDirective):
    """The help of every command, from the command line itself."""

    def run(self) -> list[nodes.Node]:
        """Sections, a command each."""
        context = click.Context(typer.main.get_command(app), info_name="nas")
        text = get_docs_for_click(obj=context.command, ctx=context, name="nas")
        return self.parse_text_to_nodes(text.partition("\n")[2], allow_section_headings=True)


def show_code(_sphinx: Sphinx, _what: str, _name: str, _thing: object, _options: object, lines: list[str]) -> None:
    """Let what a docstring indents below a paragraph be code; lines of sections follow their heads at once."""
    for number in range(len(lines) - 1, 1, -1):
        if lines[number].startswith("    ") and not lines[number - 1] and not lines[number - 2].startswith((" ", "::")):
            lines[number:number] = ["::", ""]


def setup(sphinx: Sphinx) -> None:
    """Make the directive known, and how code in docstrings is."""
    sphinx.add_directive("commands", Commands)
    sphinx.connect("autodoc-process-docstring", show_code, priority=400)  # before the sections of Google's style
