"""What is audited: the settings of a rule that decide what its updates depend on, and the size of the net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from neurorules.language.settings import NetSettings, RuleSettings
from neurorules.rules import RULES

NET, SHAPE, CLASSES, STEPS, ROWS = "12-10-8", (1, 6, 6), 3, 12, 16


@dataclass(frozen=True)
class Settings(RuleSettings, NetSettings):
    """One rule, and the settings of rule and net that it is audited with; None stands for the rule's own."""

    net: str = field(default=NET, kw_only=True)

    def settled(self) -> dict[str, Any]:
        """The same by name, with what the rule decides filled in; the rule itself left out."""
        own = RULES.make(self.rule).defaults
        given = {name: value for name, value in asdict(self).items() if name not in ("rule", "schedule", "steps")}
        mine = {name: getattr(own, name) for name in ("norm", "neuron", "readout_neuron", "connection", "init")}
        return given | {name: value for name, value in mine.items() if given[name] is None}

    def time_steps(self) -> int:
        """T: 1 where the rule's neurons have no time."""
        return 1 if RULES.make(self.rule).defaults.steps == 1 else STEPS


def settings_of(run: Mapping[str, Any]) -> Settings:
    """Those of a finished run, on the net of the audit."""
    names = {one.name for one in fields(Settings)} - {"rule", "net", "steps"}
    given = {name: run[name] for name in names if run.get(name) is not None}
    return Settings(run.get("plain_rule", run["rule"]), **given)
