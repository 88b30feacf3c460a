"""The presentation that callers use: compiled, or in plain torch where it cannot be compiled."""

from __future__ import annotations

from torch import Tensor

from neurorules.native.diehl_cook import native, reference
from neurorules.native.diehl_cook.network import Constants, State


def present(
    state: State, constants: Constants, steps: int, times: Tensor, inputs: Tensor,
    *, learns: bool, adapts: bool,
) -> Tensor:  # fmt: skip
    """Run some steps of the network, whose state changes in place.

    Args:
        state: of the network.
        constants: of the network.
        steps: T, how many.
        times, inputs: step, counted from the first of these, and index of each input spike, sorted by step. What has
            not arrived when the steps end is lost.
        learns: whether weights change.
        adapts: whether thresholds change.

    Returns:
        Spikes of the excitatory neurons, (T, N) uint8.
    """
    machine = reference if native.library() is None else native
    return machine.present(state, constants, steps, times, inputs, learns, adapts)
