"""The command `neurorules compare`, which trains several rules on the same network and data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import DataDir, Force, Json, Resume, Rules, with_settings
from neurorules.commands.written import written_options
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError

BESIDE_RUNS = ("runs", "out", "force", "json")
"""The options that mean something where `--runs` names finished runs."""


def add_to(app: typer.Typer) -> None:
    """Add the command `compare` to the command line."""
    app.command("compare")(compare)


@with_settings("rule", "hardware", "path", usual=("rules", "seeds", "out"))
def compare(
    *,
    config: TrainConfig,
    rules: Rules = "sigprop,bptt,shallow",
    seeds: Annotated[int, typer.Option(help="Seeds for each rule.")] = 1,
    folds: Annotated[
        int | None,
        typer.Option(help="Cross-validation folds; each run tests another part of --data (nmnist)."),
    ] = None,
    controls: Annotated[
        str, typer.Option(help="Control rows, comma-separated: shallow, shuffled (targets); or none.")
    ] = "shallow,shuffled",
    jobs: Annotated[int, typer.Option(help="Number of parallel runs, each on one thread.")] = 1,
    dask: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler, such as tcp://node1:8786, whose workers see --out; or slurm."),
    ] = None,
    paths: Annotated[str, typer.Option(help="Comma-separated: torch, continuous (or brian2).")] = "torch",
    hardware: Annotated[
        str, typer.Option(help="Comma-separated device models, such as none,fixed_point:bits=6.")
    ] = "none",
    runs: Annotated[
        str | None,
        typer.Option(
            help="Train nothing: compare these finished runs, comma-separated, such as side/dfa/seed0,other/bptt/seed0."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the runs, compare.json and CSV files.")] = Path("runs/compare"),
    data_dir: DataDir = None,
    resume: Resume = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train several rules with the same net, data order and initial weights, and compare them."""
    from neurorules.compare.comparison import command_line, plan
    from neurorules.compare.comparison import compare as run
    from neurorules.runner.dispatch import with_data
    from neurorules.runner.given_net import with_net

    if runs is not None:
        comparison = _of_finished_runs(runs, out, force)
    else:
        command = command_line(
            config, out, rules=rules, seeds=seeds, folds=folds, controls=controls, jobs=None if jobs == 1 else jobs,
            dask=dask, paths=paths, hardware=hardware, data_dir=data_dir,
        )  # fmt: skip
        complete, place = with_data(config, data_dir)
        complete, own = with_net(complete, place)
        planned = plan(complete, rules, seeds, hardware, paths, controls, folds)
        options = {"jobs": jobs, "dask": dask, "force": force, "resume": resume, "quiet": json}
        comparison = run(planned, out, data_dir=place, command=command, net=own, **options)  # type: ignore[arg-type]
    if json:
        print_json(comparison)
    else:
        _show(comparison, out)


def _of_finished_runs(runs: str, out: Path, force: bool) -> dict[str, Any]:
    """Collect runs that have finished into one comparison.

    Args:
        runs: their folders, comma-separated.
        out: folder of the comparison.
        force: replace the files of another comparison.

    Raises:
        UserError: an option says what to train, there are no runs, or as in `gather_runs`.
    """
    import shlex

    from neurorules.compare.gather import gather_runs
    from neurorules.language.options import parse_list

    options = ", ".join(written_options(BESIDE_RUNS).values())
    if options:
        raise UserError(f"{options}: beside --runs nothing is trained, so this would change nothing. Leave it out")
    folders = [Path(name) for name in parse_list(runs)]
    if not folders:
        raise UserError("--runs is empty. Name the folders of finished runs, such as side/dfa/seed0")
    return gather_runs(folders, out, shlex.join(["neurorules", "compare", "--runs", runs, "--out", str(out)]), force)


def _show(comparison: dict[str, Any], out: Path) -> None:
    """Print the table of a comparison and the paths of its files."""
    from neurorules.compare.report import COMPARISON_FILE, REPORT_FILE
    from neurorules.compare.table import TEST, by_device, cells, columns, energy_by_device, rows_of

    rows = rows_of(comparison["runs"])
    print_table(columns(rows), [cells(row) for row in rows])
    if devices := by_device(comparison["runs"]):
        print(f"\n{columns(rows)[TEST]} by device")
        print_table(devices[0], devices[1:])
    if energies := energy_by_device(comparison["runs"]):
        print("\nenergy of a sample by device, nJ: running + learning")
        print_table(energies[0], energies[1:])
    shared = comparison["settings"]
    epochs = f", {shared['epochs']} epochs" if "epochs" in shared else ""
    print(f"\n{shared['data']}, net {shared['net']}{epochs}; {out / COMPARISON_FILE}")
    print(f"report: {out / REPORT_FILE}")
