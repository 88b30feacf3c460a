"""The energy of a sample on the device that a network runs on, for running and for learning, term by term."""

from __future__ import annotations

from math import prod
from typing import Any

from neurorules.contracts.chip import Chip
from neurorules.contracts.device_account import Account, Accounting, SampleWork, Term, Work
from neurorules.network.layer import INPUT
from neurorules.network.learning_kind import kind_of
from neurorules.network.model import Model
from neurorules.torch_path.training.evaluate import Evaluation
from neurorules.torch_path.training.learner import Learner


def work_of(model: Model, activity: Evaluation, steps: int) -> SampleWork:
    """Count the operations of one sample.

    Args:
        model: the rule on its network.
        activity: the activity of the network on some samples.
        steps: T.

    Returns:
        The work of each connection (one with a constant input only stores sums of neurons), spikes, and updates of
        neurons, including those of the read-out.
    """
    layers, connections = model.network.layers, []
    for layer, entry, name in model.network.weights():
        source = model.network.name_of(entry.source)
        sent, kind, constant = activity.sent[source], kind_of(model, layer), source == INPUT and activity.constant_input
        synapses = prod(layer.shape) * entry.connection.fan_in(entry.pre_shape)
        connections.append(Work(
            name, prod(entry.pre_shape), prod(layer.shape), prod(entry.connection.weight_shape(entry.pre_shape)), steps,
            sent, sent * synapses / prod(entry.source_shape), source == INPUT, constant,
            "factorised" if constant and kind == "sum" else kind, len(model.rule.phases) - 1,
        ))  # fmt: skip
    updates = steps * sum(prod(layer.shape) for layer in layers)
    active = min(activity.spikes_per_sample, updates)
    return SampleWork(tuple(connections), activity.spikes_per_sample, active, updates - active)


def energy_of(learner: Learner, activity: Evaluation, steps: int) -> dict[str, Any] | None:
    """The energy of one sample on the learner's device.

    Args:
        learner: a learner on a device.
        activity: the activity of its network on some samples.
        steps: T.

    Returns:
        In pJ: the terms of running by name, their "total", and "learning" with its own terms and total. Totals sum the
        terms that have a figure, and are None if none has one. "terms" holds every count, figure, state and source,
        "left_out" the terms without a figure, "running_bytes" those of a forward pass, "learning_bytes" those of the
        rule and of backpropagation. None for a device that gives no account.
    """
    parts = [device for device, _ in Chip(learner.store.device, {}).parts]
    work = work_of(learner.model, activity, steps)
    accounts = [device.account(work) for device in parts if isinstance(device, Accounting)]
    if accounts:  # of a chain of devices, the first one that has a figure
        return _described(next((a for a in accounts if any(t.each_pJ is not None for t in a.terms)), accounts[0]))
    return None


def _described(account: Account) -> dict[str, Any]:
    running, learning = (_by_name([t for t in account.terms if t.part == part]) for part in ("running", "learning"))
    left_out = dict.fromkeys(f"{t.part}: {t.name}" for t in account.terms if t.pJ is None)
    return {
        **running,
        "learning": learning,
        "left_out": list(left_out),
        "terms": [{**term._asdict(), "pJ": term.pJ} for term in account.terms if term.times],
        "running_bytes": account.running._asdict(),
        "learning_bytes": {"rule": account.moved._asdict(), "backward": account.moved_globally._asdict()},
    }


def _by_name(terms: list[Term]) -> dict[str, float | None]:
    """The terms of one part that have a figure, by name, and their total."""
    unknown = {term.name for term in terms if term.pJ is None}
    sums: dict[str, float | None] = {}
    for term in terms:
        if term.times and term.name not in unknown:
            sums[term.name] = (sums.get(term.name) or 0.0) + (term.pJ or 0.0)
    return {**sums, "total": sum(pJ or 0.0 for pJ in sums.values()) if sums else None}
