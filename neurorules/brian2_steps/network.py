"""Building Brian2's objects from the equations of networks, and reading their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from neurorules.brian2_objects.build import Objects
from neurorules.brian2_objects.build import build as build_objects
from neurorules.brian2_steps.model_text import ConnectionText, NetworkText, PopulationText
from neurorules.brian2_steps.objects import RECORD, objects_of


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
        return connection.wiring.sum_shared(values.reshape(self.text.samples, -1).sum(0))

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
        """Read the value of a population's variable after the last step.

        Args:
            population: the neurons.
            variable: the variable of the model, such as "trace_theta".

        Returns:
            Its value in each sample's copy, (B, N).
        """
        return np.asarray(getattr(self.groups[population.name], variable)[:]).reshape(self.text.samples, -1)


def build(brian2: ModuleType, texts: Sequence[NetworkText]) -> tuple[Any, list[Built]]:
    """Build one Brian2 network that runs all of `texts` at the same time.

    Args:
        brian2: the package.
        texts: equations of networks, at least one; no two of their objects have the same name.

    Returns:
        The `brian2.Network`, and the objects of each text in order.
    """
    objects = build_objects(brian2, objects_of(texts))
    return objects.network, [_own(text, objects) for text in texts]


def _own(text: NetworkText, objects: Objects) -> Built:
    """The objects of one of the networks."""
    parts: list[PopulationText | ConnectionText] = [*text.populations, *text.connections]
    return Built(
        text,
        {one.name: objects.parts[one.name] for one in text.populations},
        {one.name: objects.parts[one.name] for one in text.connections},
        {one.name: objects.monitors[f"{one.name}_{RECORD}"] for one in parts if one.recorded},
    )
