"""From texts to Brian2's objects: every sample is a copy of the network, and any number of networks share one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from neurorules.brian2_path.model_text import STEP_MS, ConnectionText, NetworkText, PopulationText, slots


@dataclass(frozen=True)
class Built:
    """One network in Brian2.

    Args:
        text: what it was built from.
        groups: Brian2's populations by name.
        synapses: Brian2's synapses by name.
        monitors: of S and v, by name of population; the input has none.
    """

    text: NetworkText
    groups: dict[str, Any]
    synapses: dict[str, Any]
    monitors: dict[str, Any]

    def objects(self) -> list[Any]:
        """All that a Brian2 network holds of it."""
        return [*self.groups.values(), *self.synapses.values(), *self.monitors.values()]

    def recorded(self, population: str, variable: str) -> np.ndarray:
        """A recorded variable, (T, B, N)."""
        values = np.asarray(getattr(self.monitors[population], variable)).T
        return np.ascontiguousarray(values).reshape(values.shape[0], self.text.samples, -1)

    def weight_change(self, connection: ConnectionText) -> np.ndarray:
        """Gathered change of each sample's copy, (B, O, I)."""
        values = np.asarray(self.synapses[connection.name].w_change[:])
        return values.reshape(self.text.samples, *connection.weights.shape)

    def neuron_change(self, population: PopulationText, parameter: str) -> np.ndarray:
        """Gathered change of a parameter of the neurons, of each sample's copy, (B, N)."""
        values = np.asarray(getattr(self.groups[population.name], f"{parameter}_change")[:])
        return values.reshape(self.text.samples, -1)


def build(brian2: ModuleType, texts: Sequence[NetworkText]) -> tuple[Any, list[Built]]:
    """The Brian2 network that holds all of `texts`, and the parts of each.

    Args:
        brian2: the package.
        texts: networks whose objects have names of their own.
    """
    clock = brian2.Clock(dt=STEP_MS * brian2.ms)
    built = [_build_one(brian2, text, clock) for text in texts]
    network = brian2.Network(*(part for one in built for part in one.objects()))
    network.schedule = slots(max(text.layers for text in texts))
    return network, built


def _build_one(brian2: ModuleType, text: NetworkText, clock: Any) -> Built:
    groups = {p.name: _population(brian2, p, text.samples, clock) for p in text.populations}
    synapses = {c.name: _connection(brian2, c, text.samples, groups, clock) for c in text.connections}
    monitors = {
        p.name: brian2.StateMonitor(
            groups[p.name], ["S", "v"], record=True, clock=clock, when="record", name=f"{p.name}_record"
        )
        for p in text.populations
        if "v" in p.variables
    }
    return Built(text, groups, synapses, monitors)


def _population(brian2: ModuleType, text: PopulationText, samples: int, clock: Any) -> Any:
    tables = {
        f"{name}_table": brian2.TimedArray(values.reshape(values.shape[0], -1), dt=clock.dt, name=f"{text.name}_{name}")
        for name, values in text.tables.items()
    }
    # The step resets its own membrane: what Brian2 calls a reset does nothing.
    events = {} if text.fires is None else {"threshold": "S != 0", "reset": ""}
    group = brian2.NeuronGroup(
        text.size * samples, text.equations(), namespace=tables, clock=clock, name=text.name, **events
    )
    if text.fires is not None:
        group.set_event_schedule("spike", when=text.fires)
    for name, value in text.numbers.items():
        # One a neuron is the same for each sample; one a neuron and sample is (B, N).
        setattr(group, name, np.tile(value, samples) if np.ndim(value) == 1 else np.reshape(value, -1))
    for name in text.tables:
        group.run_regularly(f"{name} = {name}_table(t, i)", when="stimulus", name=f"{text.name}_{name}_code")
    for number, code in enumerate(text.codes):
        group.run_regularly("\n".join(code.lines), when=code.slot, order=code.order, name=f"{text.name}_code_{number}")
    return group


def _connection(brian2: ModuleType, text: ConnectionText, samples: int, groups: dict[str, Any], clock: Any) -> Any:
    events = {
        event: {p.name: "\n".join(p.lines) for p in text.pathways if p.event == event} for event in ("pre", "post")
    }
    synapses = brian2.Synapses(
        groups[text.source],
        groups[text.target],
        text.equations(),
        on_pre=events["pre"],
        on_post=events["post"] or None,
        namespace={},
        clock=clock,
        name=text.name,
    )
    for pathway in text.pathways:
        found = getattr(synapses, pathway.name)
        found.when, found.order = pathway.slot, pathway.order
    post, pre = text.weights.shape
    shape = (samples, post, pre)
    copy = np.arange(samples)[:, None, None]
    i = np.broadcast_to(copy * pre + np.arange(pre)[None, None, :], shape).reshape(-1)
    j = np.broadcast_to(copy * post + np.arange(post)[None, :, None], shape).reshape(-1)
    synapses.connect(i=i, j=j)
    synapses.w = np.broadcast_to(text.weights, shape).reshape(-1)
    for name, value in text.numbers.items():
        setattr(synapses, name, np.broadcast_to(value, shape).reshape(-1))
    for number, code in enumerate(text.codes):
        synapses.run_regularly(
            "\n".join(code.lines), when=code.slot, order=code.order, name=f"{text.name}_code_{number}"
        )
    return synapses
