"""The options that `train`, `compare` and `tune` share: one for each setting (`language.settings`)."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from neurorules.commands.completion import SETTINGS as NAME_PARTS
from neurorules.commands.completion import Complete, parts, words
from neurorules.commands.grouped_help import USUAL
from neurorules.language.config import SETTINGS, config_from, read_config
from neurorules.language.errors import UserError
from neurorules.language.ranges import declared
from neurorules.language.registry import with_own_parts
from neurorules.language.settings import Setting

USUAL_SETTINGS = ("rule", "data", "net", "neuron", "steps", "epochs", "batch_size", "lr")
"""Settings that most users give; with what a command adds they stand first in its help."""
TITLES = {"net": "Network", "learning": "Rule and learning", "data": "Data", "run": "Run"}
"""What stands above the settings of each group."""
Rules = Annotated[
    str,
    typer.Option(
        autocompletion=parts("rules"),
        help="Comma-separated rules, with options, each behind a colon, and settings of their training, each behind "
        "an @: sigprop:form=voltage@lr=0.01,bptt@lr=0.001.",
    ),
]
Comparison = Annotated[Path, typer.Argument(help="Folder of a comparison, with its compare.json.")]
DataDir = Annotated[Path | None, typer.Option(help="Where data sets lie; else NEURORULES_DATA, else a cache folder.")]
RunData = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="The run's data, where they lay in the memory of a program or lie elsewhere now: as --data of train, such "
        "as own.npz. Their content must be the same.",
    ),
]
StepLength = Annotated[
    float | None,
    typer.Option(
        "--dt-ms",
        help="What one time step lasts in ms, such as 5; 1 by default. Times, rates and currents in units follow from "
        "it, and no spike does.",
    ),
]
ScaleText = Annotated[
    str | None,
    typer.Option(
        "--scale",
        help="What the model's numbers are in a cell's units, such as threshold_mV=15:capacitance_pF=200. Volts, "
        "amperes and coulombs follow from it, and no spike does.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what stands in --out.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what stands in --out.")]


def with_settings(*leave_out: str, usual: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command every setting as an option, and hand them to it as one `TrainConfig`, `config`.

    Args:
        leave_out: settings the command does not take.
        usual: parameters of the command itself that stand among the usual options in its help.

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
                settings = {**read_config(file), **settings}
            refused = set(settings) & set(leave_out)
            if refused:
                raise UserError(f"--config {file} sets '{refused.pop()}', which this command takes in another form")
            command(config=config_from(with_own_parts(settings), "the options"), **values)

        parameters = [_titled(p) if name in usual else p for name, p in own.parameters.items() if name != "config"]
        run.__signature__ = inspect.Signature([*parameters, *_options(leave_out)])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*parameters, *_options(leave_out))}
        run.__doc__, run.__name__ = command.__doc__, command.__name__
        return run

    return decorate


def _options(leave_out: tuple[str, ...]) -> list[inspect.Parameter]:
    options = [_option(setting) for name, setting in SETTINGS.items() if name not in leave_out]
    file = typer.Option("--config", help="A .json or .toml file of these settings; options on the line win.")
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
    """The completion for the value of a setting: the name of a part, or one of the words that it may be."""
    if setting.name in NAME_PARTS:
        return parts(NAME_PARTS[setting.name])
    choices = [kind for kind in (setting.kind, *get_args(setting.kind)) if get_origin(kind) is Literal]
    return words(get_args(choices[0])) if choices else None


def _titled(parameter: inspect.Parameter) -> inspect.Parameter:
    """A parameter of a command, under the title of the usual options."""
    kind, option = get_args(parameter.annotation)
    other = copy.copy(option)
    other.rich_help_panel = USUAL
    return parameter.replace(annotation=Annotated[kind, other])


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
