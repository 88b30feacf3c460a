"""`neurorules compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import DataDir, Force, Json, Resume, with_settings
from neurorules.language.config import TrainConfig


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("compare")(compare)


@with_settings("rule", "hardware", "path")
def compare(
    *,
    config: TrainConfig,
    rules: Annotated[str, typer.Option(help="Comma-separated rules with options.")] = "sigprop,bptt,shallow",
    seeds: Annotated[int, typer.Option(help="Seeds for each rule.")] = 1,
    jobs: Annotated[int, typer.Option(help="Runs at once, each on one thread.")] = 1,
    paths: Annotated[str, typer.Option(help="Comma-separated: torch, brian2.")] = "torch",
    hardware: Annotated[str, typer.Option(help="Comma-separated device models; none for none.")] = "none",
    out: Annotated[Path, typer.Option(help="Folder for the runs and compare.json.")] = Path("runs/compare"),
    data_dir: DataDir = None,
    resume: Resume = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train several rules on the same net, data order and initial weights, and put them side by side."""
    from neurorules.compare.comparison import RESULT_FILE, plan
    from neurorules.compare.comparison import compare as run
    from neurorules.compare.table import COLUMNS, cells, rows_of

    configs = plan(config, rules, seeds, hardware, paths)
    found = run(configs, out, jobs=jobs, data_dir=data_dir, force=force, resume=resume, quiet=json)
    if json:
        print_json(found)
        return
    print_table(COLUMNS, [cells(row) for row in rows_of(found["runs"])])
    print(f"\n{config.data}, net {config.net}, {config.epochs} epochs, {seeds} seed(s); {out / RESULT_FILE}")
