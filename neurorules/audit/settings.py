"""The settings of an audit: the rule, the settings that affect its updates, and the size of the audited net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from neurorules.language.settings import NetSettings, RuleSettings
from neurorules.rules import RULES
from neurorules.torch_path.training.stored_net import SIGN

NET, SHAPE, CLASSES, STEPS, ROWS = "12-10-8", (1, 6, 6), 3, 12, 16
"""The audited net: hidden layers, shape of the input, number of classes, steps T per trial, samples per batch."""


@dataclass(frozen=True)
class Settings(RuleSettings, NetSettings):
    """A rule and the settings of its audit, named as in `TrainConfig`; None leaves a setting to the rule."""

    net: str = field(default=NET, kw_only=True)

    def complete(self) -> dict[str, Any]:
        """The settings by name, with None replaced by the rule's value. Rule and schedule are left out."""
        own = RULES.make(self.rule).defaults
        settings = {name: value for name, value in asdict(self).items() if name not in ("rule", "schedule", "steps")}
        defaults = {name: getattr(own, name) for name in ("norm", "neuron", "readout_neuron", "connection", "init")}
        return settings | {name: value for name, value in defaults.items() if settings[name] is None}

    def time_steps(self) -> int:
        """The number of steps T of a trial: 1 for neurons with a single step, otherwise 12."""
        return 1 if RULES.make(self.rule).defaults.steps == 1 else STEPS


def settings_of(run: Mapping[str, Any]) -> Settings:
    """The audit settings for a finished run, from its `result.json`, on the net of the audit."""
    names = {field.name for field in fields(Settings)} - {"rule", "net", "steps"}
    settings = {name: run[name] for name in names if run.get(name) is not None}
    if SIGN in str(run.get("net")):  # with the rule's usual small weights, the user's own neurons may be silent
        settings["init"] = "he"
        if settings.get("scores") == "population":  # the small net has one read-out neuron for each class
            settings["scores"] = "count"
    return Settings(run.get("plain_rule", run["rule"]), **settings)
