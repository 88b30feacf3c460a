"""Facts about a whole rule: backward passes, update locking, and growth of memory with the length of a trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from neurorules.audit.dependence import SEEDS, Entry, activity, parts
from neurorules.audit.memory import peak_bytes
from neurorules.audit.probes import OtherActivity, OtherSignal, Parts, Quiet
from neurorules.audit.rig import Rig, differ, run
from neurorules.contracts.series import Series
from neurorules.language.errors import UserError
from neurorules.network.layer import draw_masks
from neurorules.torch_path.trial.allowance import observe
from neurorules.torch_path.trial.learn import check_window
from neurorules.torch_path.trial.pipeline import Parcel, check_pipelined, run_stage

SHORT, GROWTH, COPIES = 2, 4, 4
"""Parameters for measuring memory: T of a short trial, the ratio to the longer trial, and the number of copies of the
batch, which make activity take more memory than weights."""


def facts_of(rig: Rig, entries: Sequence[Entry]) -> dict[str, Any]:
    """Measure properties of a whole rule, beside the matrix of its dependences (docs/locality.md).

    Args:
        rig: the rule on its small net.
        entries: the result of `entries_of` for the same rig.

    Returns:
        A dictionary with backward_pass and backward_through (layers that a signal travels back through), memory_growth
        (a ratio; None for neurons with a single step), schedule_used, error_from_above, activity_held and
        waits_for_above.
    """
    read_back = {
        entry["perturbed"]
        for entry in entries
        if entry["kind"] == "weights" and entry["depends"] and is_above(rig.rows, entry)
    }
    through = [layer for index, layer in enumerate(rig.rows) if layer in read_back or hands_down(rig, index)]
    growth, schedule = memory_growth(rig)
    return {
        "rule": rig.rule,
        "backward_pass": bool(through),
        "backward_through": through,
        "memory_growth": growth,
        "schedule_used": schedule,
        "error_from_above": tells_more_than_activity(rig),
        "activity_held": holds_activity(rig),
        "waits_for_above": not learns_before_above(rig),
    }


def is_above(rows: Sequence[str], entry: Entry) -> bool:
    """Whether the perturbed thing belongs to a layer above the learning one.

    Args:
        rows: names of the layers, from first to last.
        entry: one dependence.

    Returns:
        True for a layer above; False for other layers, and for things that are not layers, such as the label.
    """
    return entry["perturbed"] in rows and rows.index(entry["perturbed"]) > rows.index(entry["update_of"])


def hands_down(rig: Rig, index: int) -> bool:
    """Whether a layer below reads what the learning of a layer sends down.

    Args:
        rig: the trial.
        index: position of the sending layer, 0 for the first.

    Returns:
        True if an update below changes when the sent values are multiplied by 3/2.
    """
    clean, other = run(rig), run(rig, OtherSignal(index=index))
    return any(differ(clean.of(layer), other.of(layer)) for layer in rig.rows[:index])


def tells_more_than_activity(rig: Rig) -> bool:
    """Whether hidden layers learn from layers above in any way other than through their own inputs.

    To test this, the activity of the layers above is changed, while all later passes keep their original drives.
    """
    probe = Quiet()
    clean = run(rig, probe)
    return any(
        differ(clean.of(layer), run(rig, activity(rig, above, seed, earlier_drives=probe.drives)).of(layer))
        for index, layer in enumerate(rig.hidden)
        for above in range(index + 1, len(rig.rows))
        for seed in SEEDS
    )


def holds_activity(rig: Rig) -> bool:
    """Whether a hidden layer has to store its activity of a pass until layers above have processed that pass.

    It has to if the contribution of a pass to its update depends on the activity of layers above in that pass or later.
    """
    phases = [phase.name for phase in rig.model.rule.phases]
    clean = parts(rig, rig.steps)
    for number, phase in enumerate(phases):
        later = phases[number:]
        for above in range(1, len(rig.rows)):
            for seed in SEEDS:
                disturbed = _OtherActivityParts(
                    layers=rig.model.network.layers, index=above, seed=100 + seed, phases=later
                )
                run(rig, disturbed)
                other = disturbed.parts
                if any(differ(clean.of(a, phase), other.of(a, phase)) for a in rig.hidden[:above]):
                    return True
    return False


class _OtherActivityParts(OtherActivity):
    """A probe that replaces the activity of a layer, and records the parts of the resulting changes."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.parts = Parts(until=2**31)

    def learns(self, view: Any, texts: Any, statistics: Any) -> None:
        self.parts.learns(view, texts, statistics)


def learns_before_above(rig: Rig) -> bool:
    """Whether every hidden layer's update can be computed, with the same bits, before the next layer runs on the
    batch."""
    try:
        check_pipelined(rig.model)
    except UserError:
        return False
    clean = run(rig)
    masks = draw_masks(rig.model.network.layers, len(rig.labels), torch.Generator().manual_seed(0))
    learned = rig.learned
    observed = observe(rig.model, learned.signal, rig.drive, rig.model.hidden_targets(rig.labels))
    learned = replace(learned, signal={**learned.signal, **observed})
    parcel = Parcel(rig.drive, rig.steps, rig.labels, masks, 1.0, observed)
    with torch.no_grad():
        for index, layer in enumerate(rig.hidden):
            stage = run_stage(rig.model, learned, index, parcel)
            if differ(clean.of(layer), stage.gradients):
                return False
            parcel = stage.parcel
    return True


def memory_growth(rig: Rig) -> tuple[float | None, str]:
    """Measure how the memory of a trial grows with its length.

    Samples and weights, which are inputs, do not count.

    Returns:
        The peak memory of a trial of 4 T steps divided by that of a trial of T, or None for neurons with a single step;
        and the name of the schedule: `by_step` if the rule can learn step by step, else `by_layer`.
    """
    if rig.steps == 1:
        return None, "one step"
    window, schedule = 1, "by_step"
    try:
        check_window(rig.model, 1, 2)
    except UserError:
        window, schedule = SHORT * GROWTH, "by_layer"
    images = rig.drive.values.mean(0).repeat(COPIES, 1, 1, 1)
    short = replace(rig, drive=Series(images, True), labels=rig.labels.repeat(COPIES), steps=SHORT)
    long = replace(short, steps=SHORT * GROWTH)
    run(short, window=min(window, SHORT))  # memory that is allocated only once, on first use, should not count
    first, second = (peak_bytes(partial(run, it, window=min(window, it.steps))) for it in (short, long))
    return second / first, schedule
