"""What an update depends on: each thing is changed alone, and every bit of the update compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch

from neurorules.audit.probes import HeldWeights, OtherActivity, Parts, Quiet
from neurorules.audit.rig import Outcome, Rig, differ, run, samples, with_parameters
from neurorules.audit.settings import CLASSES
from neurorules.contracts.series import Series

SEEDS = (0, 1)
"""Of the perturbations: where spikes are few, one may move none."""
ROUNDING = 1e-9
"""Share of an update below which a difference of sums over samples is rounding."""

Entry = dict[str, Any]


def entries_of(rig: Rig) -> list[Entry]:
    """One entry for each layer's update and each thing it may depend on (`kind`, see docs/locality.md)."""
    probe = Quiet()
    clean = run(rig, probe)
    found: list[Entry] = []

    def note(kind: str, perturbed: str, depends: Callable[[str], bool]) -> None:
        found.extend(
            {"rule": rig.rule, "update_of": row, "perturbed": perturbed, "kind": kind, "depends": depends(row)}
            for row in rig.rows
        )

    for index, layer in enumerate(rig.rows):
        note("weights", layer, among([clean], [run(*weights(rig, layer, seed, probe)) for seed in SEEDS]))
        told = [run(rig, activity(rig, index, seed)) for seed in SEEDS]
        note("activity", layer, among([clean], told))
    note("label", "label", among([clean], [run(replace(rig, labels=(rig.labels + 1) % CLASSES))]))
    corners = [run(corner) for corner in batches(rig)]
    note("other_samples", "other samples", lambda row: mixes(rig, row, corners))
    if rig.steps > 1:
        first, second = (parts(moved, rig.steps // 2) for moved in (rig, other_later(rig)))
        note("later_steps", "later steps", lambda row: differ(first.of(row), second.of(row)))
    return found


def among(clean: list[Outcome], perturbed: list[Outcome]) -> Callable[[str], bool]:
    """Whether any of some trials changes a layer's update."""
    return lambda row: any(differ(one.of(row), other.of(row)) for one in clean for other in perturbed)


def weights(rig: Rig, layer: str, seed: int, clean: Quiet) -> tuple[Rig, Quiet]:
    """Learning reads other weights of a layer; every pass computes with those that are, driven as it was.

    Args:
        clean: probe of a trial without changes.
    """
    generator = torch.Generator().manual_seed(seed)
    before = {name: rig.learned.parameters[name] for name in rig.own(layer)}
    changed = {
        name: w + 0.3 * torch.randn(w.shape, generator=generator, dtype=w.dtype) for name, w in before.items()
    }  # fmt: skip
    return with_parameters(rig, changed), HeldWeights(held=clean.drives, clean=before)


def activity(rig: Rig, index: int, seed: int, **how: Any) -> OtherActivity:
    """Learning is told that a layer did something else."""
    return OtherActivity(layers=rig.model.network.layers, index=index, seed=100 + seed, **how)


def batches(rig: Rig) -> Iterator[Rig]:
    """The batch as it is, with its first sample replaced, with all others replaced, and with both."""
    other = samples(rig.steps, len(rig.labels), 7)[0].values
    first = torch.arange(len(rig.labels)) == 0
    for rows in (first & False, first, ~first, first | True):
        values = torch.where(rows.reshape(1, -1, 1, 1, 1), other, rig.drive.values)
        mixed = torch.where(rows, (rig.labels + 1) % CLASSES, rig.labels)
        yield replace(rig, drive=Series(values, False), labels=mixed)


def mixes(rig: Rig, layer: str, corners: list[Outcome]) -> bool:
    """Whether what a sample adds to an update depends on the batch's other samples.

    Changing one sample then changes the update by an amount that depends on the others: the mixed difference is not 0.
    """
    neither, first, others, both = (outcome.of(layer) for outcome in corners)
    for name, value in neither.items():
        mixed = both[name] - first[name] - others[name] + value
        if float(mixed.abs().max()) > ROUNDING * max(float(value.abs().max()), 1e-12):
            return True
    return False


def parts(rig: Rig, until: int) -> Parts:
    """The parts of all changes that stem from the first steps."""
    probe = Parts(until=until)
    run(rig, probe)
    return probe


def other_later(rig: Rig) -> Rig:
    """The same samples, with other input in the second half of the trial."""
    other = samples(rig.steps, len(rig.labels), 8)[0].values
    half = rig.steps // 2
    return replace(rig, drive=Series(torch.cat([rig.drive.values[:half], other[half:]]), False))
