"""The options that `train`, `compare` and `tune` share, one for each setting (`language.settings`)."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from neurorules.commands.completion import SETTINGS as NAME_PARTS
from neurorules.commands.completion import Complete, parts, words
from neurorules.commands.grouped_help import USUAL
from neurorules.commands.written import remember_settings
from neurorules.language.config import SETTINGS, config_from, read_config
from neurorules.language.errors import UserError
from neurorules.language.ranges import declared
from neurorules.language.registry import with_own_parts
from neurorules.language.settings import Setting

USUAL_SETTINGS = ("rule", "data", "net", "neuron", "steps", "epochs", "batch_size", "lr")
"""Common settings, which are listed first in the help, together with those that a command adds."""
TITLES = {"net": "Network", "learning": "Rule and learning", "data": "Data", "run": "Run"}
"""The title of each group of settings in the help."""
Rules = Annotated[
    str,
    typer.Option(
        autocompletion=parts("rules"),
        help="Comma-separated rules; each may have options after colons, and training settings after @: "
        "sigprop:form=voltage@lr=0.01,bptt@lr=0.001.",
    ),
]
Comparison = Annotated[Path, typer.Argument(help="Folder of a comparison, which contains compare.json.")]
DataDir = Annotated[
    Path | None, typer.Option(help="Folder of the data sets; by default NEURORULES_DATA, or a cache folder.")
]
RunData = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="Data of the run, if they were in the memory of a program or have been moved: as for train --data, "
        "such as own.npz. The content must be the same.",
    ),
]
StepLength = Annotated[
    float | None,
    typer.Option(
        "--dt-ms",
        help="Duration of a time step in ms, such as 5; 1 by default. It sets the units of times, rates and currents, "
        "and does not affect spikes.",
    ),
]
ScaleText = Annotated[
    str | None,
    typer.Option(
        "--scale",
        help="Physical scale of the model, such as threshold_mV=15:capacitance_pF=200. It sets the units of voltages, "
        "currents and charges, and does not affect spikes.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print only one JSON object on stdout.")]
Force = Annotated[bool, typer.Option("--force", help="Replace existing files in --out.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the work in --out.")]


def with_settings(*leave_out: str, usual: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that adds every setting as an option to a command, and passes them as one `TrainConfig`, `config`.

    Args:
        leave_out: settings that the command does not have.
        usual: parameters of the command that its help lists among the usual options.

    Returns:
        A decorator of the command's function.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)

        def run(**values: Any) -> None:
            names = [name for name in SETTINGS if name in values and name not in leave_out]
            settings = {name: value for name in names if (value := values.pop(name)) is not None}
            file = values.pop("config_file")
            if file is not None:
                from_file = _from_file(file, leave_out, settings)
                remember_settings(from_file)
                settings = {**from_file, **settings}
            command(config=config_from(with_own_parts(settings), "the options"), **values)

        parameters = [_titled(p) if name in usual else p for name, p in own.parameters.items() if name != "config"]
        run.__signature__ = inspect.Signature([*parameters, *_options(leave_out)])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*parameters, *_options(leave_out))}
        run.__doc__, run.__name__ = command.__doc__, command.__name__
        return run

    return decorate


def _from_file(file: Path, leave_out: tuple[str, ...], on_the_line: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a --config file that no option overrides, checked alone, so that a message names the file."""
    settings = {name: value for name, value in read_config(file).items() if name not in on_the_line}
    refused = set(settings) & set(leave_out)
    if refused:
        raise UserError(
            f"--config {file} sets '{refused.pop()}', which this command takes as an option of its own. Leave "
            f"it out of the file, and see the options: --help"
        )
    try:
        settings = with_own_parts(settings)
        config_from(settings, f"--config {file}")
    except UserError as error:
        line = str(error)
        raise UserError(line if f"--config {file}" in line else f"--config {file}: {line}") from None
    return settings


def _options(leave_out: tuple[str, ...]) -> list[inspect.Parameter]:
    options = [_option(setting) for name, setting in SETTINGS.items() if name not in leave_out]
    file = typer.Option(
        "--config", help="A .json or .toml file with these settings; options on the command line take precedence."
    )
    return [*options, _parameter("config_file", Annotated[Path | None, file])]


def _option(setting: Setting) -> inspect.Parameter:
    number = declared(setting.kind)
    shown = "" if setting.default is None else f" [default: {setting.default}]"
    title = USUAL if setting.name in USUAL_SETTINGS else TITLES[setting.group]
    option = typer.Option(
        help=setting.help.text + shown, show_default=False, rich_help_panel=title, autocompletion=_completion(setting)
    )
    return _parameter(setting.name, Annotated[(str if number is None else number[0]) | None, option])


def _completion(setting: Setting) -> Complete | None:
    """The completion for the value of a setting: names of parts, or the allowed words."""
    if setting.name in NAME_PARTS:
        return parts(NAME_PARTS[setting.name])
    choices = [kind for kind in (setting.kind, *get_args(setting.kind)) if get_origin(kind) is Literal]
    return words(get_args(choices[0])) if choices else None


def _titled(parameter: inspect.Parameter) -> inspect.Parameter:
    """Move a parameter of a command to the group of usual options."""
    kind, option = get_args(parameter.annotation)
    other = copy.copy(option)
    other.rich_help_panel = USUAL
    return parameter.replace(annotation=Annotated[kind, other])


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
