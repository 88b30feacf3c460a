"""The part of a neuron of a chip that stays the network's: whether it spikes, psi, and the size of its membrane."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from neurorules.contracts.neuron import Neuron, State


@dataclass(frozen=True)
class ChipNeuron(Neuron[State]):
    """A neuron of the network as a chip runs it: the steps are the chip's, and what rules read beside them is not.

    Args:
        network: the neuron that it stands for: psi and the graded output are its own.
    """

    network: Neuron[Any]

    @property
    def spiking(self) -> bool:  # type: ignore[override]
        """Whether the neuron that it stands for spikes."""
        return self.network.spiking

    def psi(self, v: Tensor) -> Tensor:
        return self.network.psi(v)

    def primitive(self, v: Tensor) -> Tensor:
        return self.network.primitive(v)

    @property
    def scale(self) -> float | Tensor:
        """The threshold of the network's neuron."""
        return self.network.scale

    @property
    @abstractmethod
    def current_decay(self) -> float:
        """The share of its synaptic current that the chip keeps in a step."""
