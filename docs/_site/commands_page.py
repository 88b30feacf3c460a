"""The directive `commands`: every command of the command line with its options, as typer documents them."""

from __future__ import annotations

from typing import Any

import typer
from docutils import nodes
from sphinx.util.docutils import SphinxDirective
from typer.cli import get_docs_for_click
from typer.main import get_command

from neurorules.cli import app


class Commands(SphinxDirective):
    """Stands on a page in Markdown and takes nothing."""

    def run(self) -> list[nodes.Node]:
        """The sections of all commands."""
        command = get_command(app)
        text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="neurorules")
        under_the_title = text.partition("\n")[2]  # the page has a title of its own
        return self.parse_text_to_nodes(under_the_title, allow_section_headings=True)


def setup(app: Any) -> dict[str, bool]:
    """Let Sphinx know the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
