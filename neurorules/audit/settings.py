"""The settings of an audit: those of a rule that decide what its updates depend on, and the size of the net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from neurorules.language.settings import NetSettings, RuleSettings
from neurorules.rules import RULES
from neurorules.torch_path.training.stored_net import SIGN

NET, SHAPE, CLASSES, STEPS, ROWS = "12-10-8", (1, 6, 6), 3, 12, 16
"""The audited net: its hidden layers, shape of its input, number of classes, steps T of a trial, samples of a batch."""


@dataclass(frozen=True)
class Settings(RuleSettings, NetSettings):
    """One rule and the settings it is audited with, named as in `TrainConfig`; None stands for what the rule brings."""

    net: str = field(default=NET, kw_only=True)

    def complete(self) -> dict[str, Any]:
        """The settings by name, None replaced by what the rule brings. Rule and schedule are left out."""
        own = RULES.make(self.rule).defaults
        settings = {name: value for name, value in asdict(self).items() if name not in ("rule", "schedule", "steps")}
        defaults = {name: getattr(own, name) for name in ("norm", "neuron", "readout_neuron", "connection", "init")}
        return settings | {name: value for name, value in defaults.items() if settings[name] is None}

    def time_steps(self) -> int:
        """The number of steps T of a trial: 1 where the rule's neurons have no time, else 12."""
        return 1 if RULES.make(self.rule).defaults.steps == 1 else STEPS


def settings_of(run: Mapping[str, Any]) -> Settings:
    """The settings of a finished run, as `result.json` holds them, on the net of the audit."""
    names = {field.name for field in fields(Settings)} - {"rule", "net", "steps"}
    settings = {name: run[name] for name in names if run.get(name) is not None}
    if SIGN in str(run.get("net")):  # neurons of the user's own, which the rule's usual small weights may leave silent
        settings["init"] = "he"
    return Settings(run.get("plain_rule", run["rule"]), **settings)
