"""Effects on a neuron that its gates leave out: of its own spikes on its threshold, and of the numbers inside it."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Adaptation(NamedTuple):
    """The effect of a neuron's spike on its own threshold in later steps: v falls against it by rise decay^(k - 1) in
    the k-th step after the spike.

    Args:
        rise: of the threshold in the step after the spike, in units of v.
        decay: of that rise per step, in [0, 1].
    """

    rise: float | Tensor
    decay: float | Tensor


class OwnFactor(NamedTuple):
    """The action of a number inside a neuron in one step, the state of the step before held fixed.

    Args:
        membrane: derivative of `Observed.v` by the number, (T, B, *shape).
        distance: derivative of the distance between v and the threshold by the number, v held fixed; -1 for the
            threshold itself.
    """

    membrane: Tensor
    distance: float
