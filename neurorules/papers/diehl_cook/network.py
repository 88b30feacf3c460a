"""The interface of networks for the experiment, and the network in torch."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from neurorules.native.diehl_cook import Constants, State, present


class Network(ABC):
    """A network that spikes are presented to."""

    @abstractmethod
    def present(self, steps: int, times: Tensor, inputs: Tensor, *, learns: bool, adapts: bool) -> Tensor:
        """Run the network for some steps.

        Args:
            steps: the number of steps T.
            times, inputs: the step of each input spike, counted from the first of these steps, and the index of its
                input, sorted by step.
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
        state: the initial state, which is changed in place.
        constants: the constants of the network.
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
