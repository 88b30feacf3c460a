"""The control rows of a comparison: hidden layers that are frozen, and hidden layers that learn shuffled targets.

The read-out of a frozen net learns in the same way as that of the rule: with the same rate, optimiser, loss and net.
Otherwise a rule that only has a better learning rate for the read-out would seem to train its hidden layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from neurorules.compare.rows import OWN, on_path
from neurorules.language.config import TrainConfig
from neurorules.language.errors import unknown
from neurorules.language.options import parse_list, parse_named
from neurorules.language.signal_spec import SignalSpec
from neurorules.network.serving import why_not_shuffled
from neurorules.rules import RULES
from neurorules.runner.dispatch import settle

CONTROLS = ("shallow", "shuffled")
DEFAULT = ",".join(CONTROLS)
READING = ("readout_lr", "readout_optimizer", "epochs", "batch_size", "lr_schedule", "weight_decay")
"""The settings by which a read-out learns."""
STANDING = ("neuron", "readout_neuron", "steps", "connection", "encode", "augment", "norm", "init", "precision",
            "scores", "weight_sum")  # fmt: skip
"""The settings that determine the net and the input that a read-out learns from."""


def with_controls(rows: Sequence[TrainConfig], shared: TrainConfig, controls: str) -> list[TrainConfig]:
    """Add controls to the rows of a comparison.

    Args:
        rows: the rules. A bare `shallow` among them stands for frozen rows, one for each way in which the read-outs of
            the others learn.
        shared: the settings that all rows share.
        controls: comma-separated, or none. shallow adds frozen rows if there are none yet. shuffled adds the first row
            whose hidden layers can learn another sample's targets while its read-out learns the true ones. In
            continuous time there are only the controls that are among the rows.

    Returns:
        The rows in their order, then the controls; each row once.

    Raises:
        UserError: a control or rule is unknown.
    """
    names = [] if controls == "none" else parse_list(controls)
    for name in names:
        if name not in CONTROLS:
            raise unknown("control", name, [*CONTROLS, "none"])
    learning = [row for row in rows if not is_shallow(row.rule)]
    on_torch = [row for row in learning if row.path != "continuous"]
    result: list[TrainConfig] = []
    for row in rows:
        same_path = [other for other in learning if other.path == row.path]
        result += (frozen_beside(same_path, shared) or [row]) if is_bare(row, shared) else [row]
    if "shallow" in names and len(learning) == len(rows):
        result += frozen_beside(on_torch, shared)
    if "shuffled" in names:
        result += [replace(row, targets="shuffled") for row in on_torch if _can_shuffle(row)][:1]
    return list(dict.fromkeys(result))


def is_bare(row: TrainConfig, shared: TrainConfig) -> bool:
    """Whether a row is `shallow` without options or settings of its own.

    Args:
        row: its configuration.
        shared: the settings that all rows share.

    Returns:
        False for every other rule.
    """
    return row == replace(on_path(shared, row.path), rule="shallow", signal=None, dw=None)


def frozen_beside(rows: Sequence[TrainConfig], shared: TrainConfig) -> list[TrainConfig]:
    """Build rows with frozen hidden layers, one for each different training of the read-out among some rows.

    Args:
        rows: rules whose hidden layers learn.
        shared: the settings that all rows share.

    Returns:
        Rows of the rule `shallow`, in the order of the rules.
    """
    frozen = [_frozen(row, shared) for row in rows]
    return list({settle(row): row for row in frozen}.values())


def _frozen(row: TrainConfig, shared: TrainConfig) -> TrainConfig:
    """The row of frozen hidden layers whose read-out learns as that of this row."""
    complete, rule = settle(row), RULES.make(row.rule)
    squared = rule.loss == "squared" and row.path == "torch"  # in continuous time the read-out has only one loss
    loss = f":loss=squared:high={rule.targets[0]}:low={rule.targets[1]}" if squared else ""
    own = {name: getattr(complete, name) for name in (*READING, *STANDING)}
    return replace(shared, rule=f"shallow{loss}", path=row.path, signal=None, dw=None, targets="own", **own)


def is_shallow(rule: str) -> bool:
    """Whether a rule's text names the control of frozen hidden layers."""
    return parse_named(rule)[0] == "shallow"


def _can_shuffle(row: TrainConfig) -> bool:
    """Whether the hidden layers of a row can learn another sample's targets."""
    if row.targets != "own" or row.batch_size < 2:
        return False
    spec = RULES.make(row.rule).signal if row.signal is None else SignalSpec.parse(row.signal)
    return spec is not None and why_not_shuffled(spec.make()) is None


def control_of(run: Mapping[str, Any]) -> str:
    """The name of a run's control from its settings: shallow, shuffled, or "" if the run is no control."""
    if run.get("targets", "own") == "shuffled":
        return "shuffled"
    return "shallow" if is_shallow(run["rule"]) else ""


def beside(run: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Find the controls to compare a row with.

    These are the frozen rows whose read-out learns as that of the row. If there is none, for example after tuning, they
    are all frozen rows.

    Args:
        run: a run of the row, as `compare.json` holds it.
        runs: one run of every row.

    Returns:
        Names of rows; none for a control.
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
    """Whether the read-outs of two runs learn in the same way: same net, loss and rates."""
    here, there = (RULES.make(str(one["plain_rule"])) for one in (run, other))
    losses = [(rule.loss, rule.targets if rule.loss == "squared" else None) for rule in (here, there)]
    same = all(run.get(name) == other.get(name) for name in (*READING, *STANDING))
    return same and (losses[0] == losses[1] or run.get("path") == "continuous")
