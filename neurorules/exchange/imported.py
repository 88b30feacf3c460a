"""A net that comes from elsewhere, as a network here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from neurorules.contracts.normalisation import CurrentStatistics
from neurorules.contracts.running_mean import RunningMean
from neurorules.network.description import text_of_neuron
from neurorules.network.network import Network


@dataclass(frozen=True)
class Imported:
    """A network, and what it begins with.

    Args:
        network: its structure.
        parameters: its weights and biases, by names such as "hidden1.ff.w", "hidden1.b", "readout.ff.w".
        statistics: running averages of its batch normalisation, by name of the layer.
        frozen: names of parameters that stay as they are.
        name: what a configuration says of it, with a digest behind its last "#"; empty where no run is made of it.
    """

    network: Network
    parameters: dict[str, Tensor] = field(default_factory=dict)
    statistics: dict[str, CurrentStatistics] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()
    name: str = ""

    def drawn_anew(self) -> Imported:
        """Give this net without its weights and averages, but for those that stay as they are."""
        fixed = {name: value for name, value in self.parameters.items() if name in self.frozen}
        return replace(self, parameters=fixed, statistics={})

    def settings(self) -> dict[str, str]:
        """The settings of a net that this one decides, as near as a text can say them: those of its first layer."""
        first, last = self.network.layers[0], self.network.readout
        return {
            "net": self.name,
            "neuron": text_of_neuron(first.neuron),
            "readout_neuron": text_of_neuron(last.neuron),
            "connection": "dense",
            "norm": "none" if first.normalisation is None else "batch",
        }

    def parameters_on(self, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
        """Give copies of the parameters on a device.

        Args:
            device: where they shall lie.
            dtype: what they shall be.

        Returns:
            By name.
        """
        return {name: value.to(device, dtype).clone() for name, value in self.parameters.items()}

    def statistics_on(self, device: torch.device, dtype: torch.dtype) -> dict[str, CurrentStatistics]:
        """Copies of the running averages, by the names under which a learner keeps them.

        Args:
            device: where they shall lie.
            dtype: what they shall be.

        Returns:
            By "phase.layer", of the phase in which the input runs.
        """
        return {f"input.{layer}": _on(averages, device, dtype) for layer, averages in self.statistics.items()}


def _on(averages: CurrentStatistics, device: torch.device, dtype: torch.dtype) -> CurrentStatistics:
    return CurrentStatistics(
        *(RunningMean(one.value.to(device, dtype).clone(), one.samples.to(device, dtype).clone()) for one in averages)
    )
