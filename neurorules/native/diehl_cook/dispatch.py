"""The presentation of one sample: compiled, or in plain torch if it cannot be compiled."""

from __future__ import annotations

from torch import Tensor

from neurorules.native.diehl_cook import native, reference
from neurorules.native.diehl_cook.network import Constants, State


def present(
    state: State, constants: Constants, steps: int, times: Tensor, inputs: Tensor,
    *, learns: bool, adapts: bool,
) -> Tensor:  # fmt: skip
    """Run the network for some steps, and change its state in place.

    Args:
        state: the state of the network.
        constants: the constants of the network.
        steps: the number of steps T.
        times, inputs: the step of each input spike, counted from the first of these steps, and the index of its input,
            sorted by step. Spikes that are still under way after the last step are lost.
        learns: whether weights change.
        adapts: whether thresholds change.

    Returns:
        Spikes of the excitatory neurons, (T, N) uint8.
    """
    machine = reference if native.library() is None else native
    return machine.present(state, constants, steps, times, inputs, learns, adapts)
