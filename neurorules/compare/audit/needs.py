"""What a rule needs, measured: each word of `signals.NEEDS` that shows when the right thing is perturbed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from neurorules.compare.audit.dependence import SEEDS, Entry, activity
from neurorules.compare.audit.facts import hands_down, is_above
from neurorules.compare.audit.probes import Quiet
from neurorules.compare.audit.rig import Outcome, Rig, differ, run, with_parameters, with_signal
from neurorules.signals._shared import PhaseDrive

MEASURED = (
    "target", "output_error", "fixed_feedback", "second_pass", "weight_transport", "reverse_circuit", "above",
    "local_readout", "layer_pool", "batch_pool", "history",
)  # fmt: skip
"""Needs that are measured. `weight_sign` would show as `weight_transport`; `noise_phase` moves the feedback of later
trials, and an audit looks at one."""


def needs_of(rig: Rig, entries: Sequence[Entry], facts: Mapping[str, Any]) -> frozenset[str]:
    """The needs that hidden layers' updates show.

    Args:
        entries, facts: the rig's own.
    """
    probe = Quiet()
    clean = run(rig, probe)

    def depends(kind: str, perturbed: str | None = None) -> bool:
        return any(
            e["depends"] for e in entries
            if e["kind"] == kind and e["update_of"] in rig.hidden and perturbed in (None, e["perturbed"])
        )  # fmt: skip

    shown = {
        "target": depends("label"),
        "output_error": depends("activity", rig.rows[-1]),
        "fixed_feedback": reads_own_state(rig, clean),
        "second_pass": drives_by_output(rig, probe.drives),
        "weight_transport": any(e["kind"] == "weights" and e["depends"] and is_above(rig.rows, e) for e in entries),
        "reverse_circuit": bool(clean.result.sent),
        "above": any(hands_down(rig, index) for index in range(1, len(rig.rows))),
        "local_readout": reads_own_readout(rig, clean),
        "layer_pool": any(pools(rig, clean, index) for index in range(len(rig.hidden))),
        "batch_pool": depends("other_samples"),
        "history": facts["schedule_used"] == "by_layer" and depends("later_steps"),
    }
    return frozenset(name for name, found in shown.items() if found)


def reads_own_state(rig: Rig, clean: Outcome) -> bool:
    """Whether hidden updates depend on fixed tensors of the signal (its running averages are none)."""
    fixed = {n: v for n, v in rig.learned.signal.items() if isinstance(v, Tensor) and v.is_floating_point()}
    return any(
        differ(clean.of(layer), run(with_signal(rig, disturbed(fixed, seed))).of(layer))
        for seed in SEEDS
        for layer in rig.hidden
    )


def drives_by_output(rig: Rig, clean: Mapping[str, PhaseDrive]) -> bool:
    """Whether what the output did drives a later pass."""
    for seed in SEEDS:
        probe = activity(rig, len(rig.rows) - 1, seed)
        run(rig, probe)
        if any(not same_drive(drive, clean[phase]) for phase, drive in probe.drives.items()):
            return True
    return False


def same_drive(one: PhaseDrive, other: PhaseDrive) -> bool:
    """Whether two drives of a phase are the same to the bit."""
    pairs = [(one.injected, other.injected), (one.context, other.context)]
    pairs.append((None, None) if one.input is None or other.input is None else (one.input.values, other.input.values))
    if one.offset is not None and other.offset is not None:
        pairs.append((one.offset.rows(), other.offset.rows()))
    return all(a is b or (a is not None and b is not None and torch.equal(a, b)) for a, b in pairs)


def reads_own_readout(rig: Rig, clean: Outcome) -> bool:
    """Whether every hidden layer has parameters of the signal's to itself, and learns by them."""
    signal = rig.model.signal
    if signal is None:
        return False
    made = signal.parameters(rig.model.shape, torch.Generator().manual_seed(0))
    for layer in rig.hidden:
        own = {name: rig.learned.parameters[name] for name in made if name.startswith(f"{layer}.")}
        weights = [name for name in clean.of(layer) if name not in own]
        other = run(with_parameters(rig, disturbed(own, 0)))
        if not own or not differ({n: clean.gradients[n] for n in weights}, {n: other.gradients[n] for n in weights}):
            return False
    return True


def pools(rig: Rig, clean: Outcome, index: int) -> bool:
    """Whether what one neuron of a hidden layer did changes what its neighbours learn, which do not hear it."""
    name = f"{rig.rows[index]}.ff.w"
    heard = any(entry.connection.recurrent for entry in rig.model.network.layers[index].inputs)
    if heard or name not in clean.gradients:
        return False
    told = (run(rig, activity(rig, index, seed, one_neuron=True)).gradients[name] for seed in SEEDS)
    return any(not torch.equal(other[1:], clean.gradients[name][1:]) for other in told)


def disturbed(tensors: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """The same tensors, with noise of their own size."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value + torch.randn(value.shape, generator=generator, dtype=value.dtype) * value.abs().mean()
        for name, value in tensors.items()
    }
