"""The options that `train` and `compare` share: one for each field of the configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

from neurorules.language.config import TrainConfig, config_from, read_config
from neurorules.language.errors import UserError

HELP = {
    "rule": "Learning rule with options, such as sigprop:form=voltage (see: list rules).",
    "data": "Data set, or a path: a folder of idx files, of N-MNIST recordings, or an .npz.",
    "net": "Hidden layers, such as 800-800 or c16k3-p2-128: 400 dense, c32k5 convolution (v valid, s2 stride), "
    "r128 recurrent, n normalisation, p2/a2 pooling, d0.1 dropout.",
    "neuron": "Neuron of the hidden layers with options, such as lif:beta=0.9; else the rule's own.",
    "readout_neuron": "Neuron of the read-out; by default the rule's own.",
    "steps": "Time steps a sample; by default the rule's own.",
    "connection": "Connection between flat populations with options, such as ring; by default the rule's, else dense.",
    "encode": "Encoder (see: list encoders); by default the data set's own.",
    "epochs": "Passes over the training samples.",
    "batch_size": "Samples a trial.",
    "optimizer": "none, sgd, momentum or adam; by default the rule's own.",
    "readout_optimizer": "Of the read-out; by default --optimizer where that is given, else the rule's own.",
    "lr": "Learning rate of the hidden layers; by default the rule's own.",
    "readout_lr": "Learning rate of the read-out; by default the rule's own.",
    "signal_lr": "Learning rate of the learning signal's own parameters; by default the rule's own.",
    "lr_schedule": "cosine (to 0), constant, or steps:at=60-90:factor=0.1 (epochs).",
    "weight_decay": "L2 decay of the weights.",
    "norm": "Normalisation of hidden layers: streaming, batch or none; by default the rule's own.",
    "init": "Fresh weights: torch (+-1/sqrt(fan-in)) or he (+-sqrt(6/fan-in)); by default the rule's own.",
    "readout": "Read-out of the last hidden layer, or of all of them: last or all.",
    "schedule": "by_layer; pipelined: each layer learns a batch before the next layer sees it, pipelined_threads: in a "
    "thread each; by_step; or a number of steps at a time.",
    "seed": "Seed of weights, data order and every draw.",
    "limit": "Training samples used; all by default.",
    "validation": "Training samples held out; a tenth by default, 5,000 at most.",
    "device": "auto, cpu or cuda.",
    "path": "torch, or continuous: differential equations in Brian2 (brian2 means the same).",
    "hardware": "Device model to learn under, several joined by + (see: list hardware).",
    "precision": "float32, float64 or fast.",
    "signal": "Replaces the rule's learning signal (see: list signals). In a comparison several, comma-separated, make "
    "rows of each rule; bptt and controls keep their own.",
    "dw": "Replaces the text of the hidden weights, such as '-m_post * psi(v_post) * S_pre'. In a comparison bptt and "
    "controls keep their own.",
    "targets": "own; or shuffled, a control: hidden layers are taught what is right for another sample of the batch.",
    "threads": "CPU threads; by default as many as the work repays.",
}

Rules = Annotated[
    str,
    typer.Option(
        help="Comma-separated rules, with options, each behind a colon, and settings of their training, each behind "
        "an @: sigprop:form=voltage@lr=0.01,bptt@lr=0.001."
    ),
]
DataDir = Annotated[Path | None, typer.Option(help="Where data sets lie; else NEURORULES_DATA, else a cache folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what stands in --out.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what stands in --out.")]


def with_settings(*leave_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command every setting as an option, and hand them to it as one `TrainConfig`, `config`.

    Args:
        leave_out: settings the command does not take.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)

        def run(**given: Any) -> None:
            names = [field.name for field in fields(TrainConfig) if field.name in given and field.name not in leave_out]
            settings = {name: value for name in names if (value := given.pop(name)) is not None}
            file = given.pop("config_file")
            if file is not None:
                settings = {**read_config(file), **settings}
            refused = set(settings) & set(leave_out)
            if refused:
                raise UserError(f"--config {file} sets '{refused.pop()}', which this command takes in another form")
            command(config=config_from(settings, "the options"), **given)

        parameters = [p for name, p in own.parameters.items() if name != "config"]
        run.__signature__ = inspect.Signature([*parameters, *_options(leave_out)])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*parameters, *_options(leave_out))}
        run.__doc__, run.__name__ = command.__doc__, command.__name__
        return run

    return decorate


def _options(leave_out: tuple[str, ...]) -> list[inspect.Parameter]:
    hints = get_type_hints(TrainConfig)
    made = []
    for field in fields(TrainConfig):
        if field.name in leave_out:
            continue
        kinds = [kind for kind in get_args(hints[field.name]) or (hints[field.name],) if kind in (int, float)]
        kind = kinds[0] if kinds else str
        shown = "" if field.default is None else f" [default: {field.default}]"
        option = typer.Option(help=HELP[field.name] + shown, show_default=False)
        made.append(_parameter(field.name, Annotated[kind | None, option]))
    file = typer.Option("--config", help="A .json or .toml file of these settings; options on the line win.")
    return [*made, _parameter("config_file", Annotated[Path | None, file])]


def _parameter(name: str, annotation: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
