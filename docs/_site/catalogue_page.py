"""The directive `catalogue`: all parts of a kind, as `neurorules list` and `neurorules cite` tell them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from neurorules.runner.catalogue import catalogue, citation


class Catalogue(SphinxDirective):
    """Stands on a page in Markdown; its argument is a kind, such as rules or neurons."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A section for each part."""
        kind = self.arguments[0]
        text = "\n".join(line for row in catalogue(kind) for line in part(kind, row))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def part(kind: str, row: dict[str, str]) -> Iterator[str]:
    """The section of one part, in Markdown."""
    name, what = row["name"], row["what it is"]
    yield from (f"({kind}-{name})=", f"### `{name}`", "", what, "")
    for head in ("options", "signal", "needs", "timing", "learns in"):
        if row.get(head, "-") != "-":
            code = head in ("options", "signal", "needs")
            yield f"- {head}: {', '.join(f'`{one}`' for one in row[head].split(', ')) if code else row[head]}"
    yield ""
    if kind == "rules":
        yield from paper(citation(name))


def paper(record: dict[str, Any]) -> Iterator[str]:
    """Texts, source and deviations of a rule."""
    if record["equations"]:
        yield "```text"
        for one in record["equations"]:
            yield f"{one['phase']:<10} d{one['parameter']} = {one['text']}"
        yield from ("```", "")
    yield f"{record['authors']} ({record['year']}). {record['title']}. {record['link'] and '<' + record['link'] + '>'}"
    yield ""
    if record["deviations"]:
        yield from ("What is not the paper's here:", "", *(f"- {one}" for one in record["deviations"]), "")


def setup(app: Any) -> dict[str, bool]:
    """Let Sphinx know the directive."""
    app.add_directive("catalogue", Catalogue)
    return {"parallel_read_safe": True}
