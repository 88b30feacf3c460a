"""The command `neurorules sweep`, which trains a network at many settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import DataDir, Force, Json, Resume

SHOWN = 20
"""Largest number of trials in the printed table."""


def add_to(app: typer.Typer) -> None:
    """Add the command `sweep` to the command line."""
    app.command("sweep")(sweep)


def sweep(
    *,
    file: Annotated[
        Path, typer.Argument(help="TOML file with [train], [space], way, trials and seeds; see docs/sweeps.md.")
    ],
    jobs: Annotated[
        int, typer.Option(help="Number of parallel trials, each on one thread; with slurm, number of queued jobs.")
    ] = 1,
    dask: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler, such as tcp://node1:8786; or slurm: workers from its queue."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for sweep.json, sweep.csv and sweep.png.")] = Path("runs/sweep"),
    data_dir: DataDir = None,
    resume: Resume = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train with many settings and options, as a TOML file says, and rank them by validation samples."""
    from neurorules.compare.sweep import sweep as run

    content = run(
        file, out, jobs=jobs, dask=dask, data_dir=data_dir, force=force, resume=resume, quiet=json
    )  # fmt: skip
    if json:
        print_json(content)
    else:
        _show(content, out)


def _show(content: dict[str, Any], out: Path) -> None:
    """Print the table of the trials, best first, and the command that trains the best one."""
    from neurorules.compare.sweep import SWEEP_FILE
    from neurorules.contracts.target import FIGURES

    best, (trials,) = content["best"], content["trials"].values()
    figure = next(name for name in FIGURES if f"validation_{name}" in best)
    mean, share, sign = f"validation_{figure}", FIGURES[figure].share, -1 if FIGURES[figure].higher else 1
    numbered = list(enumerate(trials, 1))
    numbered.sort(key=lambda pair: (mean not in pair[1], sign * pair[1].get(mean, 0.0), -len(pair[1]["curves"])))
    names = list(best["settings"])
    print_table(
        ["trial", *names, f"validation {'%' if share else FIGURES[figure].words}", ""],
        [
            [
                str(number),
                *(_shown(trial["settings"][name], number == best["trial"] and name in best["at_the_edge"])
                  for name in names),
                _number(trial.get(mean), share),
                _ended(trial),
            ]
            for number, trial in numbered[:SHOWN]
        ],
    )  # fmt: skip
    if len(numbered) > SHOWN:
        print(f"\nthe best {SHOWN} of {len(numbered)} trials; all stand in {out / 'sweep.csv'}")
    if best["at_the_edge"]:
        print("\n* at the edge of what was searched: a better value may lie beyond. Widen [space]")
    for reason in dict.fromkeys(trial["reason"] for trial in trials if trial["state"] == "refused"):
        print(f"\nrefused: {reason}")
    states = ", ".join(f"{count} {state}" for state, count in content["states"].items() if count)
    print(f"\n{states}; chosen by {content['method']}, on held-out training samples alone; {out / SWEEP_FILE}")
    print(f"train: {best['command']}")


def _number(value: float | None, share: bool) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.2f}" if share else f"{value:.4g}"


def _shown(value: Any, is_edge: bool) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text} *" if is_edge else text


def _ended(trial: dict[str, Any]) -> str:
    if trial["state"] == "pruned":
        epochs = len(trial["curves"][0])
        return f"pruned after {epochs} epoch{'' if epochs == 1 else 's'}"
    return "refused" if trial["state"] == "refused" else ""
