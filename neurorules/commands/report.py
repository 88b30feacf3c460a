"""The command `neurorules report`, which writes the report of a comparison again."""

from __future__ import annotations

import typer

from neurorules.commands.output import print_json
from neurorules.commands.settings import Comparison, Json


def add_to(app: typer.Typer) -> None:
    """Add the command `report` to the command line."""
    app.command("report")(report)


def report(folder: Comparison, json: Json = False) -> None:
    """Write the report.html of a comparison again; it is a single page that works offline."""
    from neurorules.compare.report import COMPARISON_FILE, REPORT_FILE, write_report
    from neurorules.compare.report.reading import comparison_in
    from neurorules.disk.lock import owned_folder

    comparison = comparison_in(folder)
    with owned_folder(folder):
        write_report(comparison, folder)
    if json:
        print_json({"comparison": str(folder / COMPARISON_FILE), "out": str(folder / REPORT_FILE)})
    else:
        print(f"{folder / REPORT_FILE} written")
