"""The TOML file of a sweep: the training, the search space, the method and the number of trials (docs/sweeps.md)."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from neurorules.compare.rows import SHARED
from neurorules.compare.tuning.proposals import Method, best_method
from neurorules.compare.tuning.settings import PARTS, Target, option_target, setting_target
from neurorules.compare.tuning.space import Range, Space, read_dimension
from neurorules.language.config import SETTINGS, TrainConfig, config_from
from neurorules.language.errors import MissingExtra, UserError, unknown
from neurorules.language.options import convert
from neurorules.language.ranges import Count, Seeds, check_range
from neurorules.language.registry import with_own_parts

WORDS = ("train", "space", "way", "trials", "seeds", "at_once", "prune")
"""The allowed keys at the top level of the file."""
TRIALS, AT_ONCE = 20, 4
"""The default number of trials, and of those that are proposed together if proposals depend on earlier ones."""
OWN_ONLY = tuple(name for name in SHARED if name not in ("rule", "net", "readout", "hardware"))
"""Settings that all trials share: the samples that choose, the seeds, and the machine."""
SEARCHED = tuple(name for name in SETTINGS if name not in OWN_ONLY)
"""Settings that may be searched."""
RANGE = '"1e-4..1e-1:log"'


@dataclass(frozen=True)
class SweepFile:
    """The content of a sweep's file.

    Args:
        train: the settings of each trial that are not searched.
        space: the searched settings by name; `rule.form` is an option of the rule.
        texts: the same as texts of the file.
        way: the way of proposing settings.
        trials: number of trials, >= 1.
        seeds: number of seeds of each, >= 1.
        at_once: number of trials that are proposed together, >= 1.
        prune: whether a trial that is worse than most ends early.
    """

    train: TrainConfig
    space: Space
    texts: Mapping[str, Any]
    way: Method
    trials: int
    seeds: int
    at_once: int
    prune: bool


def read_sweep(path: Path) -> SweepFile:
    """Read the file of a sweep.

    Args:
        path: the path of the file.

    Returns:
        The content of the file.

    Raises:
        UserError: it cannot be read, is not TOML (with the line), or contains something that cannot be done.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}). Give a sweep's file, such as sweep.toml") from None
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        why = str(error).replace("at end of document", f"at the end, line {len(text.splitlines())}")
        raise UserError(f"{path} is no TOML: {why}. Write name = value, for example way = 'grid'") from None
    try:
        return _read(content)
    except MissingExtra:
        raise
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _read(content: Mapping[str, Any]) -> SweepFile:
    for word in content:
        if word in SETTINGS:
            raise UserError(f"'{word}' is a setting. Write it below [train], or below [space] where it is searched")
        if word not in WORDS:
            raise unknown("word", word, WORDS)
    train = _table(content, "train")
    for name, value in train.items():
        if not isinstance(value, str | int | float):
            raise UserError(f"{name} in [train] is not a text, number, true or false. Put searched settings in [space]")
    config = config_from(with_own_parts(train), "[train]")
    table = _table(content, "space")
    space = _space(config, table, {name.replace("-", "_") for name in train})
    way = _way(content.get("way", best_method()), space)
    prune = content.get("prune", way == "optuna")
    if not isinstance(prune, bool):
        raise UserError(f"prune is {prune!r:.40}. Write true or false")
    trials = _trials(content, way, space)
    at_once = _count(content, "at_once", AT_ONCE if prune or way == "optuna" else trials, Count)
    return SweepFile(config, space, table, way, trials, _count(content, "seeds", 1, Seeds), at_once, prune)


def _table(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise UserError(f"{name} is not a table. Write [{name}], and names and values below it")
    return table


def _count(content: Mapping[str, Any], name: str, usual: int, kind: Any) -> int:
    count: int = convert(name, int, str(content.get(name, usual)))
    check_range(name, count, kind)
    return count


def _way(word: Any, space: Space) -> Method:
    """The way of proposing settings, checked against the space."""
    ways: tuple[Method, ...] = get_args(Method)
    way = next((way for way in ways if way == word), None)
    if way is None:
        raise unknown("way", str(word), ways)
    if way == "optuna" and best_method() != "optuna":
        raise MissingExtra('way = "optuna"', "optuna", "sweep")
    for name, dimension in space.items():
        if way == "grid" and isinstance(dimension, Range):
            raise UserError(
                f'{name} in [space] is a range, and a grid tries single values. Say how many, {RANGE[:-1]}:points=4", '
                f"or write a list"
            )
    return way


def _trials(content: Mapping[str, Any], way: Method, space: Space) -> int:
    """The number of trials, which is that of its points for a grid."""
    if way != "grid":
        return _count(content, "trials", TRIALS, Count)
    points = math.prod(len(dimension.words) for dimension in space.values())
    if "trials" in content:
        raise UserError(f"a grid has {points} points, and each is one trial. Leave trials out, or write way = 'random'")
    return points


def _space(config: TrainConfig, table: Mapping[str, Any], taken: set[str]) -> Space:
    """The space that is searched, of settings that [train] does not give."""
    space: Space = {}
    for key, values in table.items():
        name = key.replace("-", "_")
        if name in OWN_ONLY:
            raise UserError(f"{key} in [space]: all trials share it. Write one value below [train]")
        if name not in SEARCHED:
            raise unknown("setting in [space]", key, SEARCHED)
        if not isinstance(values, dict):
            if name in taken:
                raise UserError(f"{key} stands in [train] and in [space]. Keep one of them")
            _add(space, setting_target(name, "[space]"), values)
        elif name not in PARTS:
            raise UserError(f"{key} in [space] is a table, and has no options. Write a range {RANGE}, or a list")
        else:
            for option, own in values.items():
                inner = {f"{option}.{key}": of_own for key, of_own in own.items()} if isinstance(own, dict) else {}
                for path, choice in (inner or {option: own}).items():
                    _add(space, option_target(config, name, path), choice)
    if not space:
        raise UserError(f"[space] searches nothing. Write settings below it, for example lr = {RANGE}")
    return space


def _add(space: Space, target: Target, values: Any) -> None:
    """Add the range or choice of one setting or option."""
    where = f"{target.name} in [space]"
    if isinstance(values, list) and all(isinstance(value, str | int | float) for value in values):
        space[target.name] = read_dimension(target, values, where)
    elif isinstance(values, str) and (".." in values or "|" in values):
        space[target.name] = read_dimension(target, values, f"{where}, '{values}',")
    else:
        raise UserError(f"{where} is neither a range nor a list. Write {RANGE}, or [1, 2, 3]")
