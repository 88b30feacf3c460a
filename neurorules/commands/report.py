"""`neurorules report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurorules.commands.output import print_json
from neurorules.commands.settings import Json


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("report")(report)


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a comparison, with its compare.json.")],
    json: Json = False,
) -> None:
    """Write a comparison's report.html again: one page that needs no network."""
    from neurorules.compare.report import COMPARISON_FILE, REPORT_FILE, write_report
    from neurorules.disk.lock import owned_folder
    from neurorules.language.errors import UserError
    from neurorules.runs.plain_json import read_json

    found = read_json(folder / COMPARISON_FILE)
    if not isinstance(found, dict):
        raise UserError(f"{folder / COMPARISON_FILE} is not a comparison. Make it again: neurorules compare --out")
    with owned_folder(folder):
        write_report(found, folder)
    if json:
        print_json({"comparison": str(folder / COMPARISON_FILE), "out": str(folder / REPORT_FILE)})
    else:
        print(f"{folder / REPORT_FILE} written")
