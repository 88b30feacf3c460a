"""The settings of one training run, as the command line, a file or a caller gives them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from neurorules.language.errors import UserError, unknown
from neurorules.language.options import convert
from neurorules.language.ranges import LARGEST, Count, NonNegative, Range, Steps, Whole, check_ranges
from neurorules.language.rates import rate_schedule

Init = Literal["torch", "he"]
"""Fresh weights, uniform: torch.nn.Linear's +-1/sqrt(fan-in), or He et al. 2015's +-sqrt(6/fan-in)."""

Targets = Literal["own", "shuffled"]
"""What hidden layers are taught: the sample's own label and error, or those of its neighbour in the batch."""
PathName = Literal["torch", "continuous", "brian2"]
"""What runs a network: tensors, step by step; or equations in continuous time, of which `brian2` is an older name."""
CONTINUOUS: tuple[PathName, ...] = ("continuous", "brian2")
"""The names of learning in continuous time."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a run computes: equal configurations on one machine give equal bits.

    None stands for what the rule (`language.rules.Defaults`), the data set or the machine decides; a run folder holds
    what they decided.
    """

    rule: str = "sigprop"  # name and options, `name:key=value`, here and below
    data: str = "digits"  # a data set, or a path
    net: str = "64-64"  # hidden layers (see `language.architecture`)
    neuron: str | None = None
    readout_neuron: str | None = None
    steps: Steps | None = None  # time steps T a sample, >= 1
    connection: str | None = None  # between flat populations
    encode: str | None = None
    epochs: Count = 3  # passes over the training samples, >= 1
    batch_size: Count = 128  # samples a trial, >= 1
    optimizer: str | None = None  # none, sgd, momentum or adam
    readout_optimizer: str | None = None  # of what reads out; None: optimizer where that is given, else the rule's
    lr: NonNegative | None = None  # of the hidden layers, >= 0; 1 where the optimizer is none
    readout_lr: NonNegative | None = None
    signal_lr: NonNegative | None = None  # of the learning signal's own parameters
    lr_schedule: str = "cosine"  # how learning rates fall (see `language.rates`)
    weight_decay: NonNegative = 0.0  # L2, of weights, >= 0
    norm: str | None = None  # normalisation of hidden layers, or none
    init: Init | None = None
    readout: Literal["last", "all"] = "last"  # hidden layers that the read-out sees
    schedule: str = "by_layer"  # by_layer, pipelined, pipelined_threads, by_step, or a number of steps at a time
    seed: Whole = 0  # of weights, data order and every draw
    limit: Annotated[int, Range(f"[2, {LARGEST}]")] | None = None  # training samples used, validation included
    validation: Whole | None = None  # training samples held out; None: a tenth, 5,000 at most
    device: Literal["auto", "cpu", "cuda"] = "auto"
    path: PathName = "torch"
    hardware: str = "none"  # device models joined by +
    precision: Literal["float32", "float64", "fast"] = "float32"
    signal: str | None = None  # replaces the rule's learning signal
    dw: str | None = None  # replaces the text of the hidden weights
    targets: Targets = "own"  # of the hidden layers; shuffled: a control, only the read-out is taught truly
    threads: Count | None = None  # of the CPU

    def __post_init__(self) -> None:
        check_numbers(vars(self))
        if self.targets == "shuffled" and self.batch_size < 2:
            raise UserError(
                "--targets shuffled takes a sample's targets from its neighbour in the batch, and --batch-size is 1. "
                "Use at least 2"
            )
        rate_schedule(self.lr_schedule)
        check_schedule(self.schedule)

    def as_dict(self) -> dict[str, Any]:
        """All settings by name."""
        return asdict(self)

    @property
    def in_continuous_time(self) -> bool:
        """Whether equations in continuous time run it, and not tensors."""
        return self.path in CONTINUOUS

    def learner_settings(self) -> dict[str, Any]:
        """The settings a `Learner` takes: all but the data's and the run's."""
        outside = {
            "data",
            "encode",
            "epochs",
            "batch_size",
            "limit",
            "validation",
            "lr_schedule",
            "path",
            "net",
            "threads",
        }
        return {name: value for name, value in self.as_dict().items() if name not in outside}


@dataclass(frozen=True)
class SettledConfig(TrainConfig):
    """A configuration in which the rule has filled in what the user left open (`Rule.settle`)."""

    neuron: str = "if"
    readout_neuron: str = "leaky_readout"
    steps: Steps = 8
    norm: str = "streaming"
    init: Init = "torch"
    connection: str = "dense"
    optimizer: str = "adam"
    readout_optimizer: str = "adam"
    lr: float = 3e-3
    readout_lr: float = 3e-3
    signal_lr: float | None = 1e-2  # None where a signal has no parameters, as in continuous time

    @property
    def window(self) -> int:
        """Steps at a time that `schedule` stands for."""
        return window_of(self.schedule, self.steps)


SETTLED = tuple(SettledConfig.__annotations__)
"""What a rule fills in."""
PIPELINED = ("pipelined", "pipelined_threads")
"""Schedules in which layers work on different batches at a time, in turn or each in a thread of its own."""
WHOLE = ("by_layer", *PIPELINED)
"""Schedules in which a layer takes all steps of a trial at once."""


def check_numbers(settings: Mapping[str, Any]) -> None:
    """Whether the numbers among the settings by name lie in their ranges; None is left out.

    Raises:
        UserError: one does not.
    """
    check_ranges("", TrainConfig, settings)


def check_schedule(text: str) -> None:
    """Whether a schedule is one.

    Raises:
        UserError: neither a word that stands for one nor a whole number from 1.
    """
    if text not in (*WHOLE, "by_step") and re.fullmatch(r"0*[1-9][0-9]{,8}", text) is None:
        raise UserError(
            f"schedule '{text}' is unknown. Use by_layer, pipelined, by_step, or a number of steps such as 10"
        )


def window_of(schedule: str, steps: int) -> int:
    """Steps at a time, of so many, that a schedule stands for."""
    if schedule in WHOLE:
        return steps
    return 1 if schedule == "by_step" else min(int(schedule), steps)


def config_from(settings: Mapping[str, Any], where: str = "the configuration") -> TrainConfig:
    """A configuration from settings by name, such as a stored one.

    Raises:
        UserError: an unknown setting (nearest offered), or a value of the wrong type.
    """
    known = {field.name for field in fields(TrainConfig)}
    hints = get_type_hints(TrainConfig)
    values: dict[str, Any] = {}
    for key, value in settings.items():
        name = key.replace("-", "_")
        if name not in known:
            raise unknown(f"setting in {where}", key, known)
        values[name] = None if value is None else convert(f"{where}, '{key}'", hints[name], str(value))
    return TrainConfig(**values)


def read_config(path: Path) -> dict[str, Any]:
    """Settings from a `.json` or `.toml` file.

    Raises:
        UserError: no such file, or it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise UserError(f"--config {path} cannot be read ({error}). Give a .json or .toml file of settings") from None
    if not isinstance(found, dict):
        raise UserError(f"--config {path} holds no settings. Write one name and value for each")
    return found
