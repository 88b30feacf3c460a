"""The settings of one training run as one flat table, whether they come from the command line, a file or Python."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from neurorules.language.augmentation import parse_augmentation
from neurorules.language.errors import UserError, unknown
from neurorules.language.options import convert
from neurorules.language.ranges import NonNegative, check_ranges, may_be_open
from neurorules.language.rates import rate_schedule
from neurorules.language.settings import (
    DataSettings,
    Defaults,
    LearningSettings,
    NetSettings,
    PathName,
    RunSettings,
    Setting,
    settings_of,
)


@dataclass(frozen=True)
class TrainConfig(RunSettings, DataSettings, LearningSettings, NetSettings):
    """Everything that decides what a run computes: equal configurations on one machine give equal bits.

    Its fields are those of its four groups (`language.settings`). None leaves a setting to the rule
    (`language.settings.Defaults`), the data set or the machine. A run folder stores the values that they chose.
    """

    def __post_init__(self) -> None:
        for name, setting in SETTINGS.items():
            if setting.aliases:
                object.__setattr__(self, name, stands_for(setting, getattr(self, name)))
        check_numbers(vars(self))
        if self.targets == "shuffled" and self.batch_size < 2:
            raise UserError(
                "--targets shuffled takes a sample's targets from its neighbour in the batch, and --batch-size is 1. "
                "Use at least 2"
            )
        rate_schedule(self.lr_schedule)
        if self.augment is not None:
            parse_augmentation(self.augment)
        check_schedule(self.schedule)

    def as_dict(self) -> dict[str, Any]:
        """The values of all settings by name, in the order of their places."""
        return {name: getattr(self, name) for name in SETTINGS}

    def learner_settings(self) -> dict[str, Any]:
        """The settings that a `Learner` takes as keyword arguments: those of learning and of the net, but not `net`
        itself."""
        return {
            name: getattr(self, name)
            for name, setting in SETTINGS.items()
            if setting.group in ("net", "learning") and name != "net"
        }


SETTINGS = settings_of(TrainConfig)
"""The table of all settings by name, in their places."""


@dataclass(frozen=True)
class SettledConfig(Defaults, TrainConfig):
    """A configuration in which the rule has filled in the settings that the user left open (`Rule.settle`)."""

    # This is None in continuous time, where a signal has no parameters that learn.
    signal_lr: NonNegative | None = Defaults.signal_lr  # type: ignore[assignment]

    @property
    def window(self) -> int:
        """The number of time steps that `schedule` runs at once."""
        return window_of(self.schedule, self.steps)


LEFT_OPEN = tuple(Defaults.__annotations__)
"""The settings that a rule fills in where the user leaves them open."""
PIPELINED = ("pipelined", "pipelined_threads")
"""Schedules in which the layers work on different batches at the same time, in one thread or in one thread each."""
WHOLE = ("by_layer", *PIPELINED)
"""Schedules in which a layer runs all steps of a trial at once."""


def check_numbers(settings: Mapping[str, Any]) -> None:
    """Refuse a number outside the range of its setting; settings that are None are skipped.

    Raises:
        UserError: a number lies outside its range.
    """
    check_ranges("", TrainConfig, settings)


def check_schedule(text: str) -> None:
    """Refuse a text that is not a schedule.

    Raises:
        UserError: the text is neither the name of a schedule nor a whole number from 1.
    """
    if text not in (*WHOLE, "by_step") and re.fullmatch(r"0*[1-9][0-9]{,8}", str(text)) is None:
        raise UserError(
            f"schedule '{text}' is unknown. Use by_layer, pipelined, by_step, or a number of steps such as 10"
        )


def window_of(schedule: str, steps: int) -> int:
    """The number of steps that a schedule runs at once.

    Args:
        schedule: the value of `--schedule`.
        steps: T of the trial, >= 1.

    Returns:
        The number, 1 .. T.
    """
    if schedule in WHOLE:
        return steps
    return 1 if schedule == "by_step" else min(int(schedule), steps)


def stands_for(setting: Setting, value: Any) -> Any:
    """Replace a word by the value that the setting declares it an alias of; other values are returned unchanged.

    Args:
        setting: the setting that the value belongs to.
        value: the value as it was given, of any type.

    Returns:
        The value to store.
    """
    return next((alias.value for alias in setting.aliases if value == alias.word), value)


def in_todays_words(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Replace older names of values in stored settings or results by the current names.

    Args:
        settings: such as the content of a `config.json` or a `result.json`, of this version or an earlier one.

    Returns:
        The same settings; values that are not aliases are unchanged.
    """
    return {name: stands_for(SETTINGS[name], value) if name in SETTINGS else value for name, value in settings.items()}


def config_from(settings: Mapping[str, Any], where: str = "the configuration") -> TrainConfig:
    """Build a configuration from settings by name, such as stored ones.

    Args:
        settings: values of any type by name (with dashes or underscores); None where a setting is left open.
        where: how error messages refer to the settings.

    Returns:
        The configuration.

    Raises:
        UserError: a setting is unknown (the message names the nearest one), or a value has the wrong type.
    """
    values: dict[str, Any] = {}
    for key, value in settings.items():
        name = key.replace("-", "_")
        if name not in SETTINGS:
            raise unknown(f"setting in {where}", key, SETTINGS)
        setting = SETTINGS[name]
        if value is None and setting.default is not None and not may_be_open(setting.kind):
            raise UserError(f"{where}, '{key}' is None, and has to have a value. Leave it out for {setting.default!r}")
        values[name] = None if value is None else _converted(f"{where}, '{key}'", setting, value)
    return TrainConfig(**values)


def _converted(where: str, setting: Setting, value: Any) -> Any:
    try:
        return convert(where, setting.kind, str(stands_for(setting, value)))
    except UserError:
        if setting.aliases:  # an older name may be the nearest one
            raise unknown(f"value of {where}:", str(value), _words(setting)) from None
        raise


def _words(setting: Setting) -> list[str]:
    return [*map(str, get_args(get_args(setting.kind)[0])), *(alias.word for alias in setting.aliases)]


def path_of(word: str) -> PathName:
    """The machine of this name (a value of `--path`).

    Raises:
        UserError: no machine has that name; the message names the nearest one.
    """
    setting = SETTINGS["path"]
    value: Any = stands_for(setting, word)
    if value not in get_args(PathName):
        raise unknown("path", word, _words(setting))
    path: PathName = value
    return path


def read_config(path: Path) -> dict[str, Any]:
    """Read settings by name, with underscores, from a `.json` or `.toml` file.

    Raises:
        UserError: the file does not exist, cannot be read, or sets something twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text, object_pairs_hook=_Pairs)
    except (OSError, ValueError) as error:
        raise UserError(f"--config {path} cannot be read ({error}). Give a .json or .toml file of settings") from None
    except RecursionError:
        raise UserError(
            f"--config {path} cannot be read (it is nested too deeply). Write one name and value for each setting"
        ) from None
    pairs = list(content.items()) if isinstance(content, dict) else content
    if not isinstance(pairs, list) or (path.suffix != ".toml" and not isinstance(pairs, _Pairs)):
        raise UserError(f"--config {path} holds no settings. Write one name and value for each")
    settings: dict[str, Any] = {}
    for key, value in pairs:
        name = key.replace("-", "_")
        if name in settings:
            raise UserError(f"--config {path} sets '{name}' twice. Keep one of them")
        settings[name] = value
    return settings


class _Pairs(list[tuple[str, Any]]):
    """The names and values of an object of JSON, which may repeat a name."""
