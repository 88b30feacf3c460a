"""What a machine of the network offers, and the machine in torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

from torch import Tensor

from neurorules.native.diehl_cook import Constants, State, present
from neurorules.papers.diehl_cook.brian2_network import open_network

Machine = Literal["torch", "brian2"]


class Network(Protocol):
    """A network that spikes are presented to."""

    def present(self, steps: int, times: Tensor, inputs: Tensor, *, learns: bool, adapts: bool) -> Tensor:
        """Run some steps; spikes of the excitatory neurons, (T, N) uint8."""

    @property
    def w(self) -> Tensor:
        """A copy of the weights, (I, N)."""

    def set_weights(self, w: Tensor) -> None:
        """Replace the weights, (I, N)."""

    @property
    def theta(self) -> Tensor:
        """A copy of the adaptive thresholds in mV, (N,)."""


class TorchNetwork:
    """The network in torch, or compiled.

    Args:
        state: from which it begins, and which it changes.
        constants: of the network.
    """

    def __init__(self, state: State, constants: Constants) -> None:
        self._state, self._constants = state, constants

    def present(self, steps: int, times: Tensor, inputs: Tensor, *, learns: bool, adapts: bool) -> Tensor:
        return present(self._state, self._constants, steps, times, inputs, learns=learns, adapts=adapts)

    @property
    def w(self) -> Tensor:
        return self._state.w.clone()

    def set_weights(self, w: Tensor) -> None:
        self._state.w.copy_(w)

    @property
    def theta(self) -> Tensor:
        return self._state.theta.clone()


@contextmanager
def opened(machine: Machine, state: State, constants: Constants) -> Iterator[Network]:
    """Make the network on a machine.

    Args:
        machine: torch or brian2.
        state: from which it begins.
        constants: of the network.

    Returns:
        A context manager, which gives the network to its block.
    """
    torch_network: Network = TorchNetwork(state, constants)
    if machine == "torch":
        yield torch_network
        return
    with open_network(state, constants) as network:
        yield network
