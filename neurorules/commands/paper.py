"""`neurorules paper`, which turns a comparison into tables, charts, references and a methods paragraph."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurorules.commands.output import print_json
from neurorules.commands.settings import Comparison, Force, Json


def add_to(app: typer.Typer) -> None:
    """Add the command `paper` to the command line."""
    app.command("paper")(paper)


def paper(
    folder: Comparison,
    tables: Annotated[
        str, typer.Option(help="Formats of the tables, comma-separated: tex, csv, md; or none.")
    ] = "tex,csv,md",
    charts: Annotated[
        str, typer.Option(help="Formats of the charts, comma-separated: pdf, png, svg; or none.")
    ] = "pdf",
    only: Annotated[
        str | None, typer.Option(help="Only tables and charts whose name contains this word, such as accuracy.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the files [default: FOLDER/paper].")] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Write tables, charts, BibTeX and a methods paragraph from a comparison, for a paper."""
    from neurorules.compare.paper import write_paper
    from neurorules.compare.report.reading import comparison_in
    from neurorules.language.options import parse_list

    target = out or folder / "paper"
    formats = [[] if text == "none" else parse_list(text) for text in (tables, charts)]
    files = write_paper(comparison_in(folder), target, formats[0], formats[1], only, force)
    if json:
        print_json({"comparison": str(folder), "out": str(target), "files": [str(file) for file in files]})
        return
    counts = [sum(file.parent.name == name for file in files) for name in ("tables", "charts")]
    print(f"{counts[0]} files of tables and {counts[1]} of charts, references.bib, methods.tex and .md in {target}")
