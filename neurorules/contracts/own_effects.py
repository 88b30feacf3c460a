"""Effects inside a neuron that its gates leave out: of its spikes on its threshold, and of its own parameters."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Adaptation(NamedTuple):
    """The effect of a spike on the neuron's own threshold in later steps: in the k-th step after the spike, v counts
    rise decay^(k - 1) less against the threshold.

    Args:
        rise: increase of the threshold in the step after the spike, in units of v.
        decay: decay of that increase per step, in [0, 1].
    """

    rise: float | Tensor
    decay: float | Tensor


class OwnFactor(NamedTuple):
    """The effect of one of the neuron's parameters in one step, with the state of the previous step held fixed.

    Args:
        membrane: derivative of `Observed.v` with respect to the parameter, (T, B, *shape).
        distance: derivative of the distance between v and the threshold with respect to the parameter, v held fixed; -1
            for the threshold itself.
    """

    membrane: Tensor
    distance: float
