"""Build Brian2's objects from the equations of networks.

Each sample runs on a copy of its network, and several networks can share one run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from neurorules.brian2_steps.model_text import ConnectionText, NetworkText, PopulationText, slots
from neurorules.brian2_steps.scale import STEP_MS


@dataclass(frozen=True)
class Built:
    """The Brian2 objects of one network.

    Args:
        text: the equations they were built from.
        groups: a `NeuronGroup` for each population, by name.
        synapses: a `Synapses` for each connection, by name.
        monitors: a `StateMonitor` for each population or connection that records something, by its name.
    """

    text: NetworkText
    groups: dict[str, Any]
    synapses: dict[str, Any]
    monitors: dict[str, Any]

    def objects(self) -> list[Any]:
        """List the objects that a `brian2.Network` runs."""
        return [*self.groups.values(), *self.synapses.values(), *self.monitors.values()]

    def recorded(self, population: str, variable: str) -> np.ndarray:
        """Read what was recorded of a population.

        Args:
            population: name of the population.
            variable: one of the variables that it records.

        Returns:
            Its values (T, B, N), dimensionless, in a new array.
        """
        values = np.asarray(getattr(self.monitors[population], variable)).T
        return np.ascontiguousarray(values).reshape(values.shape[0], self.text.samples, -1)

    def biases(self, population: PopulationText) -> np.ndarray:
        """Biases after each step, (T, N), or after the last one, (1, N), where they are not recorded."""
        recorded = "b" in population.recorded
        values = self.monitors[population.name].b if recorded else self.groups[population.name].b[:]
        return np.array(values).T.reshape(-1, population.size)

    def weight_change(self, connection: ConnectionText) -> np.ndarray:
        """The change of a connection's weights, summed over steps and samples, shaped like the parameter."""
        values = np.asarray(self.synapses[connection.name].w_change[:])
        return connection.wiring.gathered(values.reshape(self.text.samples, -1).sum(0))

    def weights(self, connection: ConnectionText) -> np.ndarray:
        """Weights after each step, (T, *shape), or after the last one, (1, *shape), where they are not recorded."""
        values = self.monitors[connection.name].w if connection.recorded else self.synapses[connection.name].w[:]
        return np.array(values).T.reshape(-1, *connection.wiring.shape)

    def neuron_change(self, population: PopulationText, parameter: str) -> np.ndarray:
        """Read the change of a parameter of neurons, summed over steps.

        Args:
            population: the neurons.
            parameter: name of their parameter, such as "b".

        Returns:
            The change in each sample's copy, (B, N).
        """
        return self.values(population, f"{parameter}_change")

    def values(self, population: PopulationText, variable: str) -> np.ndarray:
        """Read a variable of a population as it is after the last step.

        Args:
            population: the neurons.
            variable: of the model, such as "trace_theta".

        Returns:
            Its value in each sample's copy, (B, N).
        """
        return np.asarray(getattr(self.groups[population.name], variable)[:]).reshape(self.text.samples, -1)


def build(brian2: ModuleType, texts: Sequence[NetworkText]) -> tuple[Any, list[Built]]:
    """Build one Brian2 network that runs all of `texts` side by side.

    Args:
        brian2: the package.
        texts: equations of networks, at least one; no two of their objects have the same name.

    Returns:
        The `brian2.Network`, and the objects of each text in order.
    """
    clock = brian2.Clock(dt=STEP_MS * brian2.ms)
    built = [_build_one(brian2, text, clock) for text in texts]
    network = brian2.Network(*(part for one in built for part in one.objects()))
    network.schedule = slots(max(text.layers for text in texts), max(text.pools for text in texts))
    return network, built


def _build_one(brian2: ModuleType, text: NetworkText, clock: Any) -> Built:
    groups = {p.name: _population(brian2, p, text.samples, clock) for p in text.populations}
    synapses = {c.name: _connection(brian2, c, text.samples, groups, clock) for c in text.connections}
    parts: list[PopulationText | ConnectionText] = [*text.populations, *text.connections]
    monitors = {
        part.name: brian2.StateMonitor(
            (groups | synapses)[part.name], list(part.recorded), record=True, clock=clock, when="record",
            name=f"{part.name}_record",
        )
        for part in parts
        if part.recorded
    }  # fmt: skip
    return Built(text, groups, synapses, monitors)


def _population(brian2: ModuleType, text: PopulationText, samples: int, clock: Any) -> Any:
    tables = {
        f"{name}_table": brian2.TimedArray(
            values.reshape(values.shape[0], -1), dt=text.table_steps * clock.dt, name=f"{text.name}_{name}_table"
        )
        for name, values in text.tables.items()
    }
    # The statements of a step reset the membrane, so that Brian2's own reset has nothing to do.
    events = {} if text.fires is None else {"threshold": "S != 0", "reset": ""}
    group = brian2.NeuronGroup(
        text.size * samples, text.equations(), namespace=tables, clock=clock, name=text.name, **events
    )
    if text.fires is not None:
        group.set_event_schedule("spike", when=text.fires)
    for name, value in text.numbers.items():
        # A number of shape (N,) is the same for each sample; one of shape (B, N) is not.
        setattr(group, name, np.tile(value, samples) if np.ndim(value) == 1 else np.reshape(value, -1))
    for name in text.tables:
        group.run_regularly(f"{name} = {name}_table(t, i)", when="stimulus", name=f"{text.name}_{name}_code")
    for number, code in enumerate(text.codes):
        group.run_regularly(
            "\n".join(code.lines),
            dt=None if code.every == 1 else code.every * clock.dt,
            when=code.slot,
            order=code.order,
            name=f"{text.name}_code_{number}",
        )
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
        path = getattr(synapses, pathway.name)
        path.when, path.order = pathway.slot, pathway.order
    sizes = [len(groups[name]) // samples for name in (text.source, text.target)]
    i, j = (
        (np.arange(samples)[:, None] * size + ends).reshape(-1)
        for size, ends in zip(sizes, (text.wiring.pre, text.wiring.post), strict=True)
    )
    synapses.connect(i=i, j=j)
    synapses.w = np.tile(text.weights, samples)
    for name, value in text.numbers.items():
        setattr(synapses, name, np.tile(value[text.wiring.pre], samples))
    for number, code in enumerate(text.codes):
        synapses.run_regularly(
            "\n".join(code.lines), when=code.slot, order=code.order, name=f"{text.name}_code_{number}"
        )
    return synapses
