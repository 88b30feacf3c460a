"""The check that a network and its trials fit in memory, which runs before anything is allocated.

It counts only what has to be in memory at the same time, so that it never refuses a run that would fit.
"""

from __future__ import annotations

from math import prod

import torch

from neurorules.network.network import Network
from neurorules.runs.memory import check_room

AT_ONCE = 2
"""The least count of numbers that one learned parameter needs: its value and its change."""


def check_parameters(network: Network, dtype: torch.dtype) -> None:
    """Refuse a network whose parameters do not fit in memory.

    Args:
        network: the network.
        dtype: precision of the parameters.

    Raises:
        UserError: there is not enough memory for them.
    """
    many = sum(prod(entry.connection.weight_shape(entry.pre_shape)) for _, entry, _ in network.weights())
    many += sum(prod(layer.bias_shape) for layer in network.layers)
    check_room(f"a net of {many:,} parameters", many * AT_ONCE * dtype.itemsize, "Use a smaller --net")


def check_trial(network: Network, steps: int, samples: int, dtype: torch.dtype) -> None:
    """Refuse a trial whose activity, one number per neuron, step and sample, does not fit in memory.

    Args:
        network: the network.
        steps: number of steps that are stored at the same time, >= 1.
        samples: number of samples in the trial, >= 1.
        dtype: precision of the activity.

    Raises:
        UserError: there is not enough memory for it.
    """
    neurons = sum(prod(layer.shape) for layer in network.layers)
    what = f"a trial of {samples:,} samples, {steps:,} steps and {neurons:,} neurons"
    advice = "Use fewer --steps, a smaller --batch-size or --net, or --schedule 10 (steps at a time)"
    check_room(what, neurons * steps * samples * dtype.itemsize, advice)
