"""The command `neurorules train`, which trains one network with one rule."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from neurorules.commands.completion import words
from neurorules.commands.loading import loading
from neurorules.commands.output import print_json
from neurorules.commands.settings import DataDir, Force, Json, Resume, with_settings
from neurorules.language.config import TrainConfig
from neurorules.language.errors import UserError
from neurorules.runs.launch import after_restart, launch

SAMPLES = "10"
"""The samples that are recorded if no others are named."""


def add_to(app: typer.Typer) -> None:
    """Add the command `train` to the command line."""
    app.command("train")(train)


@with_settings(usual=("out", "resume"))
def train(
    *,
    config: TrainConfig,
    out: Annotated[Path | None, typer.Option(help="Run folder; by default a new folder in runs/.")] = None,
    data_dir: DataDir = None,
    record: Annotated[
        str | None,
        typer.Option(help="Record these variables to RUN/traces.h5 after each epoch, such as S,v,w (see: record)."),
    ] = None,
    record_samples: Annotated[
        str | None,
        typer.Option(
            help="Validation samples to record (training samples if none are held out): 0-9,20, or 10, the default."
        ),
    ] = None,
    record_layers: Annotated[
        str | None, typer.Option(help="Layers to record, such as input,hidden1; all by default.")
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(
            help="Further logs to write to the run folder, comma-separated: csv (metrics.csv), tensorboard.",
            autocompletion=words(["csv", "tensorboard"]),
        ),
    ] = None,
    resume: Resume = False,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train a spiking network with one learning rule."""
    with loading():
        from neurorules.runner.dispatch import train as run

    first = launch().rank == 0
    if out is None and resume:
        raise UserError("--resume needs the folder of the run to continue. Give --out DIR")
    after_restart(out, resume, force)  # this check comes before a folder is chosen
    folder = out or free_folder(Path("runs") / config.rule.replace(":", "_"))
    with ExitStack() as open_files:
        how, resumed = (record_samples, record_layers), folder if resume else None
        looks = _recording(open_files, config, resumed, record, *how) if first else {}
        result = run(
            config,
            folder,
            data_dir=data_dir,
            resume=resume,
            force=force,
            quiet=json or not first,
            log=log,
            **looks,
        )
    if first and json:
        print_json(result)
    elif first:
        _show(result, config, folder)


def _show(result: dict[str, Any], config: TrainConfig, folder: Path) -> None:
    """Print the figures of a result, its cost, and its folder."""
    parts = {"signal": config.signal, "dw": config.dw}
    name = config.rule + "".join(f"@{setting}={text}" for setting, text in parts.items() if text is not None)
    print(f"{name} on {config.data}: {_said(result)}")
    cost = f"{result['train_seconds']:.1f} s of learning, {result['spikes_per_sample']:.0f} spikes a sample"
    print(f"{cost}, run in {folder}")
    if "pipeline" in result:
        from neurorules.torch_path.training.use_of_ranks import line_of_use

        print(line_of_use(result["pipeline"]))


def _said(result: dict[str, Any]) -> str:
    """A short phrase with the figures of a result, those of the test samples first."""
    from neurorules.contracts.target import FIGURES_OF, shown

    names = FIGURES_OF[result.get("task", "classes")]
    parts = {part: [result[f"{part}_{name}"] for name in names] for part in ("test", "validation")}
    return ", ".join(
        f"{part} {', '.join(shown(name, value) for name, value in zip(names, values, strict=True))}"
        for part, values in parts.items()
        if values[0] is not None
    )


def _recording(
    open_files: ExitStack, config: TrainConfig, resumed: Path | None, variables: str | None, samples: str | None,
    layers: str | None,
) -> dict[str, Any]:  # fmt: skip
    """Open the recording that is asked for, and give the arguments of training that hand it over.

    Raises:
        UserError: an option says how to record, and nothing is recorded.
    """
    if variables is None:
        for option, value in (("--record-samples", samples), ("--record-layers", layers)):
            if value is not None:
                raise UserError(f"{option} is {value}, and nothing is recorded. Add --record S,v, or leave it out")
        return {}
    from neurorules.language.options import parse_list

    choice = (parse_list(variables), samples or SAMPLES, None if layers is None else parse_list(layers), resumed)
    if config.path == "continuous":
        from neurorules.brian2_continuous.record_training import RecordCircuit

        return {"watcher": open_files.enter_context(RecordCircuit(*choice))}
    from neurorules.torch_path.recording.while_training import RecordTraining

    return {"watchers": [open_files.enter_context(RecordTraining(*choice))]}


def free_folder(wanted: Path) -> Path:
    """`wanted`, or the first of `wanted-2`, `wanted-3`, ... that does not exist yet."""
    number, folder = 1, wanted
    while folder.exists():
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder
