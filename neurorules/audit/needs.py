"""Measurement of the needs of a rule: each word of `NEEDS` whose perturbation changes an update.

`needs_of` examines one trial, and `needs_over_time` the effect of a disturbed trial on the trials after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

import torch
from torch import Tensor

from neurorules.audit.dependence import SEEDS, Entry, activity
from neurorules.audit.facts import hands_down, is_above
from neurorules.audit.over_time import OverTime
from neurorules.audit.probes import Quiet
from neurorules.audit.rig import Outcome, Rig, differ, run, with_parameters, with_signal
from neurorules.contracts.parameter_key import key_of
from neurorules.contracts.phase_drive import PhaseDrive


def needs_of(rig: Rig, entries: Sequence[Entry], facts: Mapping[str, Any]) -> frozenset[str]:
    """The needs of the updates of hidden layers within one trial.

    Args:
        rig: the rule on its small net.
        entries: the result of `entries_of`.
        facts: the result of `facts_of`.

    Returns:
        Words of `NEEDS`.
    """
    probe = Quiet()
    clean = run(rig, probe)

    def depends(kind: str, perturbed: str | None = None) -> bool:
        return any(
            e["depends"] for e in entries
            if e["kind"] == kind and e["update_of"] in rig.hidden and perturbed in (None, e["perturbed"])
        )  # fmt: skip

    has = {
        "target": depends("label"),
        "output_error": depends("activity", rig.rows[-1]),
        "fixed_feedback": reads_own_state(rig, clean, facts.get("state_moves", ()), facts.get("state_stays", ())),
        "second_pass": drives_by_output(rig, probe.drives),
        "weight_transport": any(e["kind"] == "weights" and e["depends"] and is_above(rig.rows, e) for e in entries),
        "reverse_circuit": bool(clean.result.sent),
        "above": any(hands_down(rig, index) for index in range(1, len(rig.rows))) or hears_above(rig, entries),
        "local_readout": reads_own_readout(rig, clean),
        "layer_pool": any(pools(rig, clean, index) for index in range(len(rig.hidden))),
        "batch_pool": depends("other_samples"),
        "history": facts["schedule_used"] == "by_layer" and depends("later_steps"),
    }
    return frozenset(name for name, needed in has.items() if needed)


def needs_over_time(dependences: OverTime, rows: Sequence[str]) -> frozenset[str]:
    """The needs of the updates of hidden layers in a disturbed trial and the trials after it.

    Args:
        dependences: the result of `over_time`.
        rows: names of all layers, the read-out last.

    Returns:
        Words of `NEEDS`.
    """

    def depends(entries: Sequence[Entry], kind: str) -> set[str]:
        return {
            e["perturbed"] for e in entries
            if e["depends"] and e["kind"] == kind and e["update_of"] != rows[-1]
            and (e["perturbed"] not in rows or is_above(rows, e))
        }  # fmt: skip

    both = [*dependences.at_once, *dependences.later]
    # The momenta of weights belong to the weights, so reading them counts as reading weights.
    weights = depends(both, "weights") | depends(both, "optimiser")
    activity_of = depends(both, "averages")
    # The response to noise is an activity of all layers and samples. Its effect on later trials counts as a noise
    # phase, and not as any other need.
    activity_of |= set() if dependences.noise else depends(dependences.later, "activity")
    has = {
        "weight_transport": bool(weights - set(dependences.only_signs)),
        "weight_sign": bool(weights) and weights <= set(dependences.only_signs),
        "above": bool(activity_of - {rows[-1]}),
        "output_error": rows[-1] in activity_of,
        "target": bool(depends(dependences.later, "label")),
        "batch_pool": bool(depends(dependences.later, "other_samples")),
        "noise_phase": dependences.noise,
    }
    return frozenset(name for name, needed in has.items() if needed)


def hears_above(rig: Rig, entries: Sequence[Entry]) -> bool:
    """Whether a layer's update depends on the activity of a hidden layer above it.

    Args:
        rig: the rule on its small net.
        entries: the result of `entries_of`.

    Returns:
        False if only the activity of the read-out reaches the layers below it.
    """
    return any(
        e["depends"] and e["kind"] == "activity" and e["perturbed"] != rig.rows[-1] and is_above(rig.rows, e)
        for e in entries
    )


def reads_own_state(rig: Rig, clean: Outcome, moved: Sequence[str], stayed: Sequence[str]) -> bool:
    """Whether updates of hidden layers depend on fixed tensors of the signal, which are neither averages nor moving.

    Args:
        rig: the trial.
        clean: its undisturbed outcome.
        moved: names of tensors that changed in earlier trials, and so are not fixed.
        stayed: names of tensors that are declared to move but never changed; these count as fixed.

    Returns:
        True if noise on the fixed tensors changes the update of a hidden layer.
    """
    moves = {} if rig.model.signal is None else rig.model.signal.moves
    fixed = {
        name: value for name, value in rig.learned.signal.items()
        if isinstance(value, Tensor) and value.is_floating_point() and name not in moved
        and (name in stayed or not any(fnmatch(name, pattern) for pattern in moves))
    }  # fmt: skip
    return any(
        differ(clean.of(layer), run(with_signal(rig, disturbed(fixed, seed))).of(layer))
        for seed in SEEDS
        for layer in rig.hidden
    )


def drives_by_output(rig: Rig, clean: Mapping[str, PhaseDrive]) -> bool:
    """Whether the activity of the output drives a later pass.

    Args:
        rig: the trial.
        clean: the undisturbed drives of its phases, by phase.

    Returns:
        True if the drive of a phase changes when learning reads another activity of the read-out.
    """
    for seed in SEEDS:
        probe = activity(rig, len(rig.rows) - 1, seed)
        run(rig, probe)
        if any(not same_drive(drive, clean[phase]) for phase, drive in probe.drives.items()):
            return True
    return False


def same_drive(one: PhaseDrive, other: PhaseDrive) -> bool:
    """Whether two drives of a phase have the same bits.

    Args:
        one, other: the drives.

    Returns:
        True if input, injected current, context and, if both have one, offset are equal.
    """
    pairs = [(one.injected, other.injected), (one.context, other.context)]
    pairs.append((None, None) if one.input is None or other.input is None else (one.input.values, other.input.values))
    if one.offset is not None and other.offset is not None:
        pairs.append((one.offset.rows(), other.offset.rows()))
    return all(a is b or (a is not None and b is not None and torch.equal(a, b)) for a, b in pairs)


def reads_own_readout(rig: Rig, clean: Outcome) -> bool:
    """Whether the signal has separate parameters for every hidden layer, and the layer learns from them.

    Args:
        rig: the trial.
        clean: its undisturbed outcome.

    Returns:
        True if, for each hidden layer, noise on the signal's parameters for that layer changes its update.
    """
    signal = rig.model.signal
    if signal is None:
        return False
    names = signal.parameters(rig.model.shape, torch.Generator().manual_seed(0))
    for layer in rig.hidden:
        own = {name: rig.learned.parameters[name] for name in names if key_of(name).layer == layer}
        weights = [name for name in clean.of(layer) if name not in own]
        other = run(with_parameters(rig, disturbed(own, 0)))
        if not own or not differ({n: clean.gradients[n] for n in weights}, {n: other.gradients[n] for n in weights}):
            return False
    return True


def pools(rig: Rig, clean: Outcome, index: int) -> bool:
    """Whether the activity of one neuron changes what other neurons of the layer learn, without a synapse between them.

    Args:
        rig: the trial.
        clean: its undisturbed outcome.
        index: position of the layer, 0 for the first.

    Returns:
        True if it does; False for recurrent layers, whose neurons are connected.
    """
    layer, name = rig.model.network.layers[index], f"{rig.rows[index]}.ff.w"
    recurrent = any(afferent.connection.recurrent for afferent in layer.inputs)
    if recurrent or name not in clean.gradients:
        return False
    disturbed_updates = (run(rig, activity(rig, index, seed, one_neuron=True)).gradients[name] for seed in SEEDS)
    w, afferent = rig.learned.parameters[name], layer.inputs[0]
    first = w.new_zeros(1, *layer.shape)
    first[:, 0] = 1
    ones = w.new_ones(1, *afferent.pre_shape)
    others = afferent.connection.correlate(w, first, ones) == 0  # True for the synapses of the other neurons
    return any(not torch.equal(other[others], clean.gradients[name][others]) for other in disturbed_updates)


def disturbed(tensors: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Add noise to tensors, in proportion to their size.

    Args:
        tensors: tensors by name.
        seed: the seed of the noise.

    Returns:
        New tensors by name, each with N(0, 1) times its mean absolute value added.
    """
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value + torch.randn(value.shape, generator=generator, dtype=value.dtype) * value.abs().mean()
        for name, value in tensors.items()
    }
