"""The dependences of updates within one trial: one thing is changed at a time, and updates are compared by bits."""

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
"""Seeds of the perturbations. There are two, because a single perturbation may not move any of a few spikes."""
ROUNDING = 1e-9
"""Differences between sums over samples count as rounding if they are below this share of the update."""

Entry = dict[str, Any]
"""One dependence: rule, update_of (a layer), perturbed (what was changed), kind, depends (whether a bit changed)."""


def entries_of(rig: Rig) -> list[Entry]:
    """Measure one entry for each layer's update and each thing that it may depend on (`kind`, see docs/locality.md)."""
    probe = Quiet()
    clean = run(rig, probe)
    entries: list[Entry] = []

    def note(kind: str, perturbed: str, depends: Callable[[str], bool]) -> None:
        entries.extend(
            {"rule": rig.rule, "update_of": row, "perturbed": perturbed, "kind": kind, "depends": depends(row)}
            for row in rig.rows
        )

    for index, layer in enumerate(rig.rows):
        note("weights", layer, among([clean], [run(*weights(rig, layer, seed, probe)) for seed in SEEDS]))
        disturbed = [run(rig, activity(rig, index, seed)) for seed in SEEDS]
        note("activity", layer, among([clean], disturbed))
    note("label", "label", among([clean], [run(replace(rig, labels=(rig.labels + 1) % CLASSES))]))
    corners = [run(corner) for corner in batches(rig)]
    note("other_samples", "other samples", lambda row: mixes(rig, row, corners))
    if rig.steps > 1:
        first, second = (parts(moved, rig.steps // 2) for moved in (rig, other_later(rig)))
        note("later_steps", "later steps", lambda row: differ(first.of(row), second.of(row)))
    return entries


def among(clean: list[Outcome], perturbed: list[Outcome]) -> Callable[[str], bool]:
    """Compare disturbed trials with undisturbed ones, layer by layer.

    Args:
        clean: outcomes of undisturbed trials.
        perturbed: outcomes of disturbed trials.

    Returns:
        A function of a layer's name, which returns whether any bit of its update differs between any two outcomes.
    """
    return lambda row: any(differ(one.of(row), other.of(row)) for one in clean for other in perturbed)


def weights(rig: Rig, layer: str, seed: int, clean: Quiet) -> tuple[Rig, Quiet]:
    """Let learning read other weights of a layer, while all passes use the true weights and the original drives.

    Args:
        rig: the trial to disturb.
        layer: name of the layer whose parameters get noise, N(0, 0.3^2).
        seed: the seed of the noise.
        clean: the probe of an undisturbed trial, which recorded the drives of its phases.

    Returns:
        The rig with the noisy parameters, and the probe that passes use the true parameters through.
    """
    generator = torch.Generator().manual_seed(seed)
    before = {name: rig.learned.parameters[name] for name in rig.own(layer)}
    changed = {
        name: w + 0.3 * torch.randn(w.shape, generator=generator, dtype=w.dtype) for name, w in before.items()
    }  # fmt: skip
    return with_parameters(rig, changed), HeldWeights(earlier_drives=clean.drives, clean=before)


def activity(rig: Rig, index: int, seed: int, **how: Any) -> OtherActivity:
    """Let learning read another activity of a layer than the true one.

    Args:
        rig: the trial to disturb.
        index: position of the layer, 0 for the first.
        seed: the seed of the current that causes the other activity.
        how: further options of `OtherActivity`.

    Returns:
        The probe that replaces the activity.
    """
    return OtherActivity(layers=rig.model.network.layers, index=index, seed=100 + seed, **how)


def batches(rig: Rig) -> Iterator[Rig]:
    """Yield four rigs: the original batch, the batch with its first sample replaced, with all others replaced, with
    both."""
    other = samples(rig.steps, len(rig.labels), 7)[0].values
    first = torch.arange(len(rig.labels)) == 0
    for rows in (first & False, first, ~first, first | True):
        values = torch.where(rows.reshape(1, -1, 1, 1, 1), other, rig.drive.values)
        mixed = torch.where(rows, (rig.labels + 1) % CLASSES, rig.labels)
        yield replace(rig, drive=Series(values, False), labels=mixed)


def mixes(rig: Rig, layer: str, corners: list[Outcome]) -> bool:
    """Whether a sample's contribution to an update depends on the other samples of the batch.

    If it does, the effect of replacing one sample depends on the others, and the mixed difference is not 0.

    Args:
        rig: the trial.
        layer: name of the layer whose update is compared.
        corners: outcomes of the four batches from `batches`, in the same order.

    Returns:
        True if the mixed difference is larger than rounding.
    """
    neither, first, others, both = (outcome.of(layer) for outcome in corners)
    for name, value in neither.items():
        mixed = both[name] - first[name] - others[name] + value
        if float(mixed.abs().max()) > ROUNDING * max(float(value.abs().max()), 1e-12):
            return True
    return False


def parts(rig: Rig, until: int) -> Parts:
    """Run one trial, and record the parts of all changes that come from its first steps.

    Args:
        rig: the trial.
        until: number of these steps, 1 to T.

    Returns:
        The probe that holds the parts, by phase.
    """
    probe = Parts(until=until)
    run(rig, probe)
    return probe


def other_later(rig: Rig) -> Rig:
    """The rig with another input in the second half of the trial."""
    other = samples(rig.steps, len(rig.labels), 8)[0].values
    half = rig.steps // 2
    return replace(rig, drive=Series(torch.cat([rig.drive.values[:half], other[half:]]), False))
