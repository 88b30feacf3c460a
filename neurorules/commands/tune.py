"""The command `neurorules tune`, which searches training settings for each rule."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurorules.commands.output import print_json, print_table
from neurorules.commands.settings import DataDir, Force, Json, Resume, Rules, with_settings
from neurorules.commands.written import written_options
from neurorules.language.config import TrainConfig


def add_to(app: typer.Typer) -> None:
    """Add the command `tune` to the command line."""
    app.command("tune")(tune)


@with_settings("rule", usual=("rules", "trials", "out"))
def tune(
    *,
    config: TrainConfig,
    rules: Rules = "sigprop,bptt,shallow",
    trials: Annotated[int, typer.Option(help="Trials per rule; the first uses the rule's own settings.")] = 20,
    seeds: Annotated[int, typer.Option(help="Seeds per trial; their mean is used.")] = 1,
    space: Annotated[
        str | None,
        typer.Option(
            help="Settings to search: name=low..high, name=low..high:log or name=one|two, comma-separated, such as "
            "lr=1e-4..1e-1:log,norm=streaming|none."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(help="Number of rules searched in parallel, each on one thread.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for tune.json.")] = Path("runs/tune"),
    data_dir: DataDir = None,
    resume: Resume = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Choose learning rates or other settings for each rule on validation samples, with the same budget for every
    rule."""
    from neurorules.compare.tuning import tune as run
    from neurorules.compare.tuning.space import SPACE

    tuning = run(
        config, rules, out, trials=trials, seeds=seeds, space=SPACE if space is None else space, jobs=jobs,
        written=() if space is None else written_options(), data_dir=data_dir, force=force, resume=resume, quiet=json,
    )  # fmt: skip
    if json:
        print_json(tuning)
    else:
        _show(tuning, out)


def _show(tuning: dict[str, Any], out: Path) -> None:
    """Print the table of chosen settings, and the command of the comparison that uses them."""
    from neurorules.compare.tuning import TUNE_FILE
    from neurorules.contracts.target import FIGURES

    names = list(dict.fromkeys(name for row in tuning["chosen"] for name in row["settings"]))
    figure = next(name for name in FIGURES if f"validation_{name}" in tuning["chosen"][0])
    unit = "%" if figure == "accuracy" else FIGURES[figure].words
    titles = [f"validation {unit}", f"with its own settings {unit}"]
    print_table(
        ["rule", *(name.replace("_", " ") for name in names), *titles, "trials"],
        [
            [
                row["row"],
                *(_shown(row["settings"].get(name), name in row["at_the_edge"]) for name in names),
                *(_number(row[f"{part}_{figure}"], FIGURES[figure].share) for part in ("validation", "own_settings")),
                str(row["trials"]),
            ]
            for row in tuning["chosen"]
        ],
    )
    if any(row["at_the_edge"] for row in tuning["chosen"]):
        print("\n* at the edge of what was searched: a better value may lie beyond. Widen --space")
    for name, trials in tuning["trials"].items():
        reasons = [trial["reason"] for trial in trials if trial["state"] == "refused"]
        if reasons:
            print(f"\n{name}: {len(reasons)} of {len(trials)} trials were refused, such as: {reasons[0]}")
    print(f"\nchosen by {tuning['method']}, on held-out training samples alone; {out / TUNE_FILE}")
    print(f"compare: {tuning['command']}")


def _number(value: float | None, share: bool) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.2f}" if share else f"{value:.4g}"


def _shown(value: Any, is_edge: bool) -> str:
    text = "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return f"{text} *" if is_edge else text
