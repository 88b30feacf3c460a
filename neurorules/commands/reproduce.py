"""The command `neurorules reproduce`, which trains the rows of a paper's tables and compares the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurorules.commands.completion import parts
from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import DataDir, Force, Json, Resume
from neurorules.commands.written import written_options


def add_to(app: typer.Typer) -> None:
    """Add the command `reproduce` to the command line."""
    app.command("reproduce")(reproduce)


def reproduce(
    paper: Annotated[
        str,
        typer.Argument(
            help="bsp, clopath, diehl-cook, eprop, pepita, sigprop-spiking, sigprop-vgg8b or triplet.",
            autocompletion=parts("papers"),
        ),
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="Use fewer samples and epochs: it takes minutes instead of hours.")
    ] = False,
    seeds: Annotated[int | None, typer.Option(help="Seeds per row [default: 3, with --quick 1].")] = None,
    only: Annotated[
        str | None, typer.Option(help="Only rows whose table or label contains WORD (or WORD+WORD), such as conv.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Number of epochs; by default that of each row.")] = None,
    limit: Annotated[int | None, typer.Option(help="Number of training samples; by default that of each row.")] = None,
    jobs: Annotated[int, typer.Option(help="Number of parallel runs, each on one thread.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Folder for the runs [default: runs/PAPER].")] = None,
    data_dir: DataDir = None,
    resume: Resume = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train the rows of a paper's tables, and print our numbers next to the paper's."""
    from neurorules.papers.reproduce import RESULT_FILE, check_options
    from neurorules.papers.reproduce import reproduce as run
    from neurorules.papers.tables import tables_of

    tables = tables_of(paper)(quick=quick)
    check_options(tables, only, written_options())
    changes = {"epochs": epochs, "limit": limit}
    folder = out or Path("runs") / paper.replace("_", "-")
    result = run(
        tables, folder, seeds=(1 if quick else 3) if seeds is None else seeds, only=only,
        changed={name: value for name, value in changes.items() if value is not None},
        jobs=jobs, data_dir=data_dir, force=force, resume=resume, quiet=json,
    )  # fmt: skip
    if json:
        print_json(result)
        return
    show(result)
    print(f"\n{folder / RESULT_FILE}")


def show(result: dict[str, Any]) -> None:
    """Print the tables of a paper with our numbers next to the paper's."""
    from neurorules.contracts.target import FIGURES
    from neurorules.papers.paper import Published

    print(f"{result['title']} ({result['source']})")
    for note in result["notes"]:
        print(f"  {note}")
    for table in result["tables"]:
        print(f"\n{table['title']}")
        if table["missing"] is not None:
            print(f"  not run: {table['missing']}")
            continue
        rows = [
            (
                row["label"],
                "-" if row["published"] is None else Published(**row["published"]).show(),
                _ours(row),
                *row["measures"].values(),
                "-" if row["seconds"] is None else f"{row['seconds']:.0f}",
            )
            for row in table["rows"]
        ]
        unit = " %" if all(FIGURES[row["figure"]].share for row in table["rows"] if row["seeds"]) else ""
        print_table(("", f"paper{unit}", f"ours{unit}", *table["rows"][0]["measures"], "seconds"), rows)
    for table in result["measured"]:
        print(f"\n{table['title']}")
        beside = list(dict.fromkeys(title for row in table["rows"] for title in row["beside"]))
        lines = [
            (row["label"], Published(**row["published"]).show(), *map(row["beside"].get, beside), f"{row['ours']:.2f}")
            for row in table["rows"]
        ]
        print_table(("", "paper %", *beside, "ours %"), lines)


def _ours(row: dict[str, Any]) -> str:
    from neurorules.contracts.target import FIGURES

    value = row[f"test_{row['figure']}"]
    if value is None:
        return "-"
    factor, digits = (100, ".2f") if FIGURES[row["figure"]].share else (1, ".4g")
    spread = f" ± {factor * row['spread']:{digits}}" if row["seeds"] > 1 else ""
    return f"{factor * value:{digits}}{spread} ({row['seeds']} seeds, {row['epochs']} epochs)"
