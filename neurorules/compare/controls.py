"""The rows every comparison has beside the rules: frozen hidden layers, and hidden layers taught another's targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from neurorules.language.config import TrainConfig
from neurorules.language.errors import unknown
from neurorules.language.options import parse_list, parse_named
from neurorules.rules import RULES
from neurorules.signals import SIGNALS
from neurorules.torch_path.model import why_not_shuffled

CONTROLS = ("shallow", "shuffled")
DEFAULT = ",".join(CONTROLS)


def controls_of(config: TrainConfig, rules: Sequence[str], controls: str) -> list[TrainConfig]:
    """The configuration with each control that is not among the rules; none in continuous time.

    Args:
        config: what all share.
        rules: texts, with options.
        controls: comma-separated, or none. shallow: the rule of that name. shuffled: the first rule whose hidden layers
            can be taught another sample's targets while the read-out learns its own; left out where no rule can.

    Raises:
        UserError: a control or rule that is unknown.
    """
    asked = [] if controls == "none" else parse_list(controls)
    for name in asked:
        if name not in CONTROLS:
            raise unknown("control", name, [*CONTROLS, "none"])
    found: list[TrainConfig] = []
    if config.path == "brian2":
        return found
    if "shallow" in asked and not any(is_shallow(rule) for rule in rules):
        found.append(replace(config, rule="shallow", targets="own"))
    if "shuffled" in asked and config.targets == "own" and config.batch_size > 1:
        found += [replace(config, rule=rule, targets="shuffled") for rule in rules if _can_shuffle(rule, config)][:1]
    return found


def is_shallow(rule: str) -> bool:
    """Whether a rule's text names the control of frozen hidden layers."""
    return parse_named(rule)[0] == "shallow"


def _can_shuffle(rule: str, config: TrainConfig) -> bool:
    made = RULES.make(rule)
    signal = config.signal or made.signal
    return signal is not None and why_not_shuffled(SIGNALS.make(signal)) is None


def control_of(run: Mapping[str, Any]) -> str:
    """Which control a run is, from its settings; "" where it is none."""
    if run.get("targets", "own") == "shuffled":
        return "shuffled"
    return "shallow" if is_shallow(run["rule"]) else ""


def label_of(run: Mapping[str, Any]) -> str:
    """The name of a run's row: its rule, and what of targets, device and path is not the usual."""
    name = str(run["rule"])
    name += ", shuffled targets" if run.get("targets", "own") == "shuffled" else ""
    name += "" if run.get("hardware", "none") == "none" else f" @ {run['hardware']}"
    return name + ("" if run.get("path", "torch") == "torch" else f" @ {run['path']}")
