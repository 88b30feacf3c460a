"""What is audited: the settings of a rule that decide what its updates depend on, and the size of the net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from neurorules.language.settings import Init, Targets
from neurorules.rules import RULES

NET, SHAPE, CLASSES, STEPS, ROWS = "12-10-8", (1, 6, 6), 3, 12, 16


@dataclass(frozen=True)
class Settings:
    """One rule, and the settings it is audited with; None stands for the rule's own. Names are `TrainConfig`'s."""

    rule: str
    net: str = NET
    norm: str | None = None
    neuron: str | None = None
    readout_neuron: str | None = None
    connection: str | None = None
    init: Init | None = None
    readout: str = "last"
    targets: Targets = "own"
    signal: str | None = None
    dw: str | None = None
    schedule: str = "by_layer"

    def settled(self) -> dict[str, Any]:
        """The same by name, with what the rule decides filled in; the rule itself left out."""
        own = RULES.make(self.rule).defaults
        given = {name: value for name, value in asdict(self).items() if name != "rule"}
        mine = {name: getattr(own, name) for name in ("norm", "neuron", "readout_neuron", "connection", "init")}
        del given["schedule"]
        return given | {name: value for name, value in mine.items() if given[name] is None}

    def steps(self) -> int:
        """T: 1 where the rule's neurons have no time."""
        return 1 if RULES.make(self.rule).defaults.steps == 1 else STEPS


def settings_of(run: Mapping[str, Any]) -> Settings:
    """Those of a finished run, on the net of the audit."""
    names = {field.name for field in fields(Settings)} - {"rule", "net"}
    given = {name: run[name] for name in names if run.get(name) is not None}
    return Settings(run.get("plain_rule", run["rule"]), **given)
