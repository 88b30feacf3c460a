"""The rows of a comparison: `rule:option=value@setting=value`, each with its own name and folder of runs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from neurorules.contracts.chip import Chip
from neurorules.contracts.device_chain import chain
from neurorules.encoders import ENCODERS
from neurorules.language.config import SETTINGS, SettledConfig, TrainConfig, config_from
from neurorules.language.errors import UserError, unknown
from neurorules.language.options import parse_list, parse_named
from neurorules.language.registry import own_part, with_own_parts
from neurorules.language.rules import Plasticity
from neurorules.neurons import NEURONS
from neurorules.normalisations import NORMALISATIONS
from neurorules.rules import RULES
from neurorules.runner.dispatch import settle
from neurorules.signals import SIGNALS
from neurorules.torch_path.update.optimiser import update_of

SHARED = ("rule", "data", "net", "readout", "limit", "validation", "seed", "device", "path", "hardware", "threads")
"""The settings that a row cannot set after an @: the rule begins the row, and the others are shared or an axis of the
comparison."""
OWN = tuple(name for name in SETTINGS if name not in SHARED)
"""The settings that a row may set for itself, after an @."""
NAMED = tuple(name for name in OWN if name != "targets")
"""The settings in a row's name after an @; shuffled targets are written in words."""
GLOBAL_RULE = "bptt"
"""The rule that all others are compared with."""
LONGEST_NAME = 100
"""Largest length of a run folder's name in characters; file systems allow 255 bytes."""


def parse_row(text: str, shared: TrainConfig) -> TrainConfig:
    """The configuration that one row's text describes.

    Args:
        text: a rule with options, each after a colon, and settings of its training, each after an @.
        shared: the settings that all rows share; the row's own settings take precedence.

    Returns:
        The shared configuration, with the row's rule and settings.

    Raises:
        UserError: there is no rule, a rule or setting is unknown (the nearest is offered), all rows share a setting, a
            setting stands twice, a piece is no setting, or a value is of the wrong kind.
    """
    rule, *pieces = (piece.strip() for piece in text.split("@"))
    if not rule:
        raise UserError(f"'{text}' names no rule before the @. Write rule@setting=value, for example bptt@lr=0.001")
    rule = own_part(rule, "rule")
    RULES.module(parse_named(rule)[0])
    own: dict[str, str] = {}
    for piece in pieces:
        key, equals, value = (part.strip() for part in piece.partition("="))
        name = key.replace("-", "_")
        if not equals or not name or not value:
            raise UserError(f"'@{piece}' in '{text}' is not a setting. Write @setting=value, for example @lr=0.001")
        if name in SHARED:
            raise UserError(f"'@{piece}' in '{text}': all rows share {name}. Give it to the whole comparison")
        if name not in OWN:
            raise unknown(f"setting in '{text}'", key, OWN)
        if name in own:
            raise UserError(f"setting '{name}' is given twice in '{text}'. Keep one of them")
        own[name] = value
    settings = config_from(with_own_parts(own), f"'{text}'")
    return replace(shared, rule=rule, **{name: getattr(settings, name) for name in own})


def parse_rows(texts: str, shared: TrainConfig) -> list[TrainConfig]:
    """The rows that a comma-separated text describes, once with each signal that is given for all of them.

    The reference `bptt` and controls keep their own signal and text, whatever is given for all rows.

    Args:
        texts: rows, comma-separated (see `parse_row`).
        shared: the settings that all rows share; its signal may name several, comma-separated.

    Returns:
        The configurations, in the order of the text.

    Raises:
        UserError: there is no row, one of them is wrong, or none of them takes a signal or text that is given for all.
    """
    plain = replace(shared, signal=None, dw=None)
    rows = [parse_row(text, plain) for text in parse_list(texts)]
    if not rows:
        raise UserError("--rules names no rule. Give a comma-separated list, for example sigprop,bptt,shallow")
    return _with(_with(rows, "dw", [shared.dw] if shared.dw else []), "signal", parse_list(shared.signal or ""))


def on_path(shared: TrainConfig, path: Literal["torch", "continuous"]) -> TrainConfig:
    """The shared settings of rows on one path. In continuous time the batch size is 1, whatever other paths use.

    Args:
        shared: settings of a comparison.
        path: torch or continuous.

    Returns:
        These settings on that path; in continuous time without their batch size.
    """
    own = replace(shared, path=path)
    return replace(own, batch_size=SETTINGS["batch_size"].default) if path == "continuous" else own


def _with(rows: list[TrainConfig], setting: str, values: Sequence[str]) -> list[TrainConfig]:
    """The rows; one that takes a setting given for all rows occurs once with each of its values."""
    if not values:
        return rows
    takers = {row for row in rows if getattr(row, setting) is None and not _keeps_its_own(row.rule)}
    if not takers:
        raise UserError(
            f"--{setting} changes no row: {GLOBAL_RULE} is the reference, controls learn nothing by it, and a row's "
            f"own @{setting} wins. Add a rule to --rules, or write a row of its own: {GLOBAL_RULE}@{setting}=..."
        )
    changed: Sequence[Mapping[str, Any]] = [{setting: value} for value in values]
    return [replace(row, **one) for row in rows for one in (changed if row in takers else ({},))]


def _keeps_its_own(rule: str) -> bool:
    """Whether a rule is the reference or a control, which keep their own signal and text."""
    return parse_named(rule)[0] == GLOBAL_RULE or RULES.make(rule).control


def is_reference(run: Mapping[str, Any]) -> bool:
    """Whether a run belongs to the reference rule, with the rule's own signal and text."""
    rule = str(run.get("plain_rule") or run["rule"])
    return parse_named(rule)[0] == GLOBAL_RULE and run.get("signal") is None and run.get("dw") is None


def check_words(config: SettledConfig) -> None:
    """Check that the parts in a row exist, so that a typing error is reported before any row is trained.

    Raises:
        UserError: a signal, neuron, normalisation, encoder, optimizer or device is unknown or does not take an option,
            the device refuses the rule, or the rule's text cannot be read.
    """
    if config.path != "torch":
        return  # the plan of a circuit has checked all of it
    parts = [(SIGNALS, config.signal), (ENCODERS, config.encode), (NEURONS, config.neuron)]
    parts += [(NEURONS, config.readout_neuron), (NORMALISATIONS, None if config.norm == "none" else config.norm)]
    for registry, text in parts:
        if text is not None:
            registry.make(text)
    for kind in (config.optimizer, config.readout_optimizer):
        update_of(kind)
    rule = RULES.make(config.rule)
    if config.dw is not None:
        rule.equation(Plasticity("w", config.dw))
    if config.hardware != "none":
        Chip(chain(config.hardware), {}).check_rule(rule)


def name_of(run: Mapping[str, Any], shared: TrainConfig) -> str:
    """The name of a run's row: its text, and targets, device and path if they are not the defaults.

    Args:
        run: settings by name, such as a `result.json` holds them.
        shared: settings of the comparison, which the name leaves out.

    Returns:
        The name, such as `sigprop@lr=0.01, shuffled targets @ fixed_point`.
    """
    name = text_of(run, shared)
    name += "" if run.get("targets", "own") == "own" else ", shuffled targets"
    name += "" if run.get("hardware", "none") == "none" else f" @ {run['hardware']}"
    return name + ("" if run.get("path", "torch") == "torch" else f" @ {run['path']}")


def text_of(run: Mapping[str, Any], shared: TrainConfig) -> str:
    """The text that `parse_row` reads as a run's row; shuffled targets are left out.

    Args:
        run: settings by name, such as a `result.json` holds them.
        shared: settings of the comparison, which the text leaves out.

    Returns:
        The rule, and every setting whose value comes neither from the shared settings nor from the rule. A control
        always has the learning rate of its read-out.
    """
    rule = str(run.get("plain_rule") or run["rule"])
    config = replace(on_path(shared, run.get("path", "torch")), rule=rule, signal=None, dw=None, targets="own")
    name, control = rule, RULES.make(rule).control
    complete = settle(config)
    for setting in NAMED:
        value = run.get(setting)
        if value is None or (value == getattr(complete, setting) and not (control and setting == "readout_lr")):
            continue
        name += f"@{setting}={value}"
        config = replace(config, **{setting: value})
        complete = settle(config)
    return name


def folder_name(row: str) -> str:
    """The name of the folder that holds the runs of a row, from the row's name."""
    name = row.replace(", shuffled targets", "@shuffled_targets").replace(" @ ", "@")
    plain = re.sub(r"[^A-Za-z0-9._@=+,-]+", "_", name)
    if len(plain) > LONGEST_NAME or re.search(r"[^A-Za-z0-9._@=+,:/-]", name):
        plain = f"{plain[:LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return plain


def shared_by(runs: Sequence[Mapping[str, Any]]) -> TrainConfig:
    """The settings that finished runs share, among those that a row may set for itself."""
    first = runs[0]
    same = {name: first[name] for name in NAMED if all(run.get(name) == first.get(name) for run in runs)}
    return TrainConfig(**{name: value for name, value in same.items() if value is not None})
