"""The network as the experiment sees it, and the one in torch."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from neurorules.native.diehl_cook import Constants, State, present


class Network(ABC):
    """A network that spikes are presented to."""

    @abstractmethod
    def present(self, steps: int, times: Tensor, inputs: Tensor, *, learns: bool, adapts: bool) -> Tensor:
        """Run some steps of the network.

        Args:
            steps: T, how many.
            times, inputs: step, counted from the first of these, and index of each input spike, sorted by step.
            learns: whether weights change.
            adapts: whether thresholds change.

        Returns:
            Spikes of the excitatory neurons, (T, N) uint8.
        """

    @property
    @abstractmethod
    def w(self) -> Tensor:
        """A copy of the weights, (I, N)."""

    @abstractmethod
    def set_weights(self, w: Tensor) -> None:
        """Replace the weights, (I, N)."""

    @property
    @abstractmethod
    def theta(self) -> Tensor:
        """A copy of the adaptive thresholds in mV, (N,)."""


class TorchNetwork(Network):
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
