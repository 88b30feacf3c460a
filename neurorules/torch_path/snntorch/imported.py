"""A net that comes from elsewhere, as a network here."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from neurorules.contracts.normalisation import CurrentStatistics
from neurorules.contracts.running_mean import RunningMean
from neurorules.network.network import Network


@dataclass(frozen=True)
class Imported:
    """A network, and what it begins with.

    Args:
        network: its structure.
        parameters: its weights and biases, by names such as "hidden1.ff.w", "hidden1.b", "readout.ff.w".
        statistics: running averages of its batch normalisation, by name of the layer.
        frozen: names of parameters that stay as they are.
    """

    network: Network
    parameters: dict[str, Tensor] = field(default_factory=dict)
    statistics: dict[str, CurrentStatistics] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()

    def parameters_on(self, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
        """Copies of the parameters.

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
        *(RunningMean(one.value.to(device, dtype).clone(), one.seen.to(device, dtype).clone()) for one in averages)
    )
