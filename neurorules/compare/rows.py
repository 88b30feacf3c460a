"""The rows of a comparison: `rule:option=value@setting=value`, each with a name and a run folder of its own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from neurorules.encoders import ENCODERS
from neurorules.language.config import SETTINGS, SettledConfig, TrainConfig, config_from
from neurorules.language.errors import UserError, unknown
from neurorules.language.options import parse_list, parse_named
from neurorules.language.rules import Plasticity
from neurorules.neurons import NEURONS
from neurorules.normalisations import NORMALISATIONS
from neurorules.rules import RULES
from neurorules.runner.dispatch import settle
from neurorules.signals import SIGNALS
from neurorules.torch_path.update.optimiser import update_of

SHARED = ("rule", "data", "net", "readout", "limit", "validation", "seed", "device", "path", "hardware", "threads")
"""Settings that no row has of its own: a row is its rule; the others are what makes rows comparable, or an axis."""
OWN = tuple(name for name in SETTINGS if name not in SHARED)
"""Settings that a row may have of its own, behind an @."""
NAMED = tuple(name for name in OWN if name != "targets")
"""Those that a row's name says behind an @; shuffled targets have words of their own."""
GLOBAL_RULE = "bptt"
"""The rule that others are compared with."""
LONGEST_NAME = 100
"""Signs of a run folder's name; file systems take 255 bytes."""


def parse_row(text: str, shared: TrainConfig) -> TrainConfig:
    """The configuration that one row's text describes.

    Args:
        text: a rule with options, each behind a colon, and settings of its training, each behind an @.
        shared: what all rows share; the row's own settings win.

    Raises:
        UserError: no rule, an unknown rule or setting (nearest offered), a setting that all rows share, one that stands
            twice, a piece that is no setting, or a value of the wrong kind.
    """
    rule, *pieces = (piece.strip() for piece in text.split("@"))
    if not rule:
        raise UserError(f"'{text}' names no rule before the @. Write rule@setting=value, for example bptt@lr=0.001")
    RULES.module(parse_named(rule)[0])
    own: dict[str, str] = {}
    for piece in pieces:
        key, equals, value = (part.strip() for part in piece.partition("="))
        name = key.replace("-", "_")
        if not equals or not name or not value:
            raise UserError(f"'@{piece}' in '{text}' is no setting. Write @setting=value, for example @lr=0.001")
        if name in SHARED:
            raise UserError(f"'@{piece}' in '{text}': all rows share {name}. Give it to the whole comparison")
        if name not in OWN:
            raise unknown(f"setting in '{text}'", key, OWN)
        if name in own:
            raise UserError(f"setting '{name}' stands twice in '{text}'. Keep one of them")
        own[name] = value
    given = config_from(own, f"'{text}'")
    return replace(shared, rule=rule, **{name: getattr(given, name) for name in own})


def parse_rows(texts: str, shared: TrainConfig) -> list[TrainConfig]:
    """The rows that a comma-separated text describes, each with every signal that is asked for all of them.

    The reference `bptt` and controls keep the signal and the text of their own, whatever is asked for all rows.

    Args:
        texts: rows (see `parse_row`).
        shared: what all rows share; its signal may be several, comma-separated.

    Raises:
        UserError: no row, one that is wrong, or a signal or text for all rows that none of them takes.
    """
    plain = replace(shared, signal=None, dw=None)
    rows = [parse_row(text, plain) for text in parse_list(texts)]
    if not rows:
        raise UserError("--rules names no rule. Give a comma-separated list, for example sigprop,bptt,shallow")
    return _with(_with(rows, "dw", [shared.dw] if shared.dw else []), "signal", parse_list(shared.signal or ""))


def _with(rows: list[TrainConfig], setting: str, values: Sequence[str]) -> list[TrainConfig]:
    """The rows, each that takes a setting of all rows once with each of its values."""
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
    return parse_named(rule)[0] == GLOBAL_RULE or RULES.make(rule).control


def is_reference(run: Mapping[str, Any]) -> bool:
    """Whether a run is of the rule that others are compared with, its signal and text its own."""
    rule = str(run.get("plain_rule") or run["rule"])
    return parse_named(rule)[0] == GLOBAL_RULE and run.get("signal") is None and run.get("dw") is None


def check_words(config: SettledConfig) -> None:
    """Whether the parts that a row names exist, so that a mistake in its text is told before another row is trained.

    Raises:
        UserError: an unknown signal, neuron, normalisation, encoder or optimizer, an option it does not take, or a text
            that is none.
    """
    if config.path != "torch":
        return  # settled by a plan, which has looked at all of it
    made = [(SIGNALS, config.signal), (ENCODERS, config.encode), (NEURONS, config.neuron)]
    made += [(NEURONS, config.readout_neuron), (NORMALISATIONS, None if config.norm == "none" else config.norm)]
    for registry, text in made:
        if text is not None:
            registry.make(text)
    for kind in (config.optimizer, config.readout_optimizer):
        update_of(kind)
    if config.dw is not None:
        RULES.make(config.rule).equation(Plasticity("w", config.dw))


def name_of(run: Mapping[str, Any], shared: TrainConfig) -> str:
    """The name of a run's row: its text, and targets, device and path that are not the usual.

    Args:
        run: its settings by name, such as a `result.json`.
        shared: settings of the comparison that need no mention.

    Returns:
        Such as `sigprop@lr=0.01, shuffled targets @ fixed_point`.
    """
    name = text_of(run, shared)
    name += "" if run.get("targets", "own") == "own" else ", shuffled targets"
    name += "" if run.get("hardware", "none") == "none" else f" @ {run['hardware']}"
    return name + ("" if run.get("path", "torch") == "torch" else f" @ {run['path']}")


def text_of(run: Mapping[str, Any], shared: TrainConfig) -> str:
    """The text that `parse_row` reads as a run's row, but for shuffled targets.

    It holds the rule, and every setting that neither the shared settings nor the rule's own give. A control always says
    its read-out's rate. Arguments are those of `name_of`.
    """
    rule = str(run.get("plain_rule") or run["rule"])
    asked = replace(shared, rule=rule, path=run.get("path", "torch"), signal=None, dw=None, targets="own")
    name, control = rule, RULES.make(rule).control
    settled = settle(asked)
    for setting in NAMED:
        value = run.get(setting)
        if value is None or (value == getattr(settled, setting) and not (control and setting == "readout_lr")):
            continue
        name += f"@{setting}={value}"
        asked = replace(asked, **{setting: value})
        settled = settle(asked)
    return name


def folder_name(row: str) -> str:
    """The name of the folder that holds the runs of a row, from the row's name."""
    name = row.replace(", shuffled targets", "@shuffled_targets").replace(" @ ", "@")
    plain = re.sub(r"[^A-Za-z0-9._@=+,-]+", "_", name)
    if len(plain) > LONGEST_NAME or re.search(r"[^A-Za-z0-9._@=+,:/-]", name):
        plain = f"{plain[:LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    return plain


def shared_by(runs: Sequence[Mapping[str, Any]]) -> TrainConfig:
    """What finished runs share, of the settings that a row may have of its own."""
    first = runs[0]
    same = {name: first[name] for name in NAMED if all(run.get(name) == first.get(name) for run in runs)}
    return TrainConfig(**{name: value for name, value in same.items() if value is not None})
