"""The rows every comparison has beside the rules: frozen hidden layers, and hidden layers taught another's targets.

A control learns in its read-out as the rule that it stands beside does: same rate, optimiser and loss, on the same net,
frozen. Else a rule that only brings a better rate for the read-out would pass for one whose hidden layers learn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from neurorules.compare.rows import OWN
from neurorules.language.config import TrainConfig
from neurorules.language.errors import unknown
from neurorules.language.options import parse_list, parse_named
from neurorules.language.signal_spec import SignalSpec
from neurorules.network.model import why_not_shuffled
from neurorules.rules import RULES
from neurorules.runner.dispatch import settle

CONTROLS = ("shallow", "shuffled")
DEFAULT = ",".join(CONTROLS)
READING = ("readout_lr", "readout_optimizer", "epochs", "batch_size", "lr_schedule", "weight_decay")
"""Settings by which a read-out learns."""
STANDING = ("neuron", "readout_neuron", "steps", "connection", "encode", "norm", "init", "precision")
"""Settings that make the net and the input that a read-out stands on."""


def with_controls(rows: Sequence[TrainConfig], shared: TrainConfig, controls: str) -> list[TrainConfig]:
    """The rows of a comparison with their controls.

    Args:
        rows: rules. A bare `shallow` among them stands for one frozen row for each way in which the others read out.
        shared: what all rows share.
        controls: comma-separated, or none. shallow: frozen rows, where there is none yet. shuffled: the first row whose
            hidden layers can be taught another sample's targets while the read-out learns its own. Continuous time
            has only those that are asked for by name.

    Raises:
        UserError: a control or rule that is unknown.
    """
    asked = [] if controls == "none" else parse_list(controls)
    for name in asked:
        if name not in CONTROLS:
            raise unknown("control", name, [*CONTROLS, "none"])
    learning = [row for row in rows if not is_shallow(row.rule)]
    on_torch = [row for row in learning if row.path != "continuous"]
    found: list[TrainConfig] = []
    for row in rows:
        same_path = [other for other in learning if other.path == row.path]
        found += (frozen_beside(same_path, shared) or [row]) if is_bare(row, shared) else [row]
    if "shallow" in asked and len(learning) == len(rows):
        found += frozen_beside(on_torch, shared)
    if "shuffled" in asked:
        found += [replace(row, targets="shuffled") for row in on_torch if _can_shuffle(row)][:1]
    return list(dict.fromkeys(found))


def is_bare(row: TrainConfig, shared: TrainConfig) -> bool:
    """Whether a row is `shallow` without options or settings of its own."""
    return row == replace(shared, rule="shallow", path=row.path, signal=None, dw=None)


def frozen_beside(rows: Sequence[TrainConfig], shared: TrainConfig) -> list[TrainConfig]:
    """One row of frozen hidden layers for each distinct way in which the read-outs of these rows learn."""
    found = [_frozen(row, shared) for row in rows]
    return list({settle(row): row for row in found}.values())


def _frozen(row: TrainConfig, shared: TrainConfig) -> TrainConfig:
    settled, rule = settle(row), RULES.make(row.rule)
    squared = rule.loss == "squared" and row.path == "torch"  # the read-out's units in continuous time have one loss
    loss = f":loss=squared:high={rule.targets[0]}:low={rule.targets[1]}" if squared else ""
    own = {name: getattr(settled, name) for name in (*READING, *STANDING)}
    return replace(shared, rule=f"shallow{loss}", path=row.path, signal=None, dw=None, targets="own", **own)


def is_shallow(rule: str) -> bool:
    """Whether a rule's text names the control of frozen hidden layers."""
    return parse_named(rule)[0] == "shallow"


def _can_shuffle(row: TrainConfig) -> bool:
    if row.targets != "own" or row.batch_size < 2:
        return False
    spec = RULES.make(row.rule).signal if row.signal is None else SignalSpec.parse(row.signal)
    return spec is not None and why_not_shuffled(spec.make()) is None


def control_of(run: Mapping[str, Any]) -> str:
    """Which control a run is, from its settings; "" where it is none."""
    if run.get("targets", "own") == "shuffled":
        return "shuffled"
    return "shallow" if is_shallow(run["rule"]) else ""


def beside(run: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of the controls that a row is to be held against; none for a control.

    Frozen rows of which none reads out as the row does, such as one that was tuned for itself, are all held against it.

    Args:
        run: of the row, as `compare.json` holds it.
        runs: one of every row.
    """
    if run["control"]:
        return []
    same = [other for other in runs if all(other.get(name) == run.get(name) for name in ("hardware", "path"))]
    frozen = [other for other in same if other["control"] == "shallow"]
    alike = [other for other in frozen if _reads_alike(run, other)]
    shuffled = [
        other
        for other in same
        if other["control"] == "shuffled"
        and all(other.get(name) == run.get(name) for name in ("plain_rule", *OWN) if name != "targets")
    ]
    return [other["rule"] for other in (*(alike or frozen), *shuffled)]


def _reads_alike(run: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    here, there = (RULES.make(str(one["plain_rule"])) for one in (run, other))
    losses = [(rule.loss, rule.targets if rule.loss == "squared" else None) for rule in (here, there)]
    same = all(run.get(name) == other.get(name) for name in (*READING, *STANDING))
    return same and (losses[0] == losses[1] or run.get("path") == "continuous")
