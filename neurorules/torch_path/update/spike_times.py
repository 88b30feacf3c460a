"""Derivatives by the times of spikes: the gates of a layer that follow them, and factors of spikes that move in time.

The membrane of a neuron with a synaptic current rises smoothly through its threshold. A small change dv of the membrane
lets the spike come dv / v' earlier, where v' is the rise at the threshold. After the spike the membrane has had that
much more time to rise from its reset, so that dv has become dv v'(after) / v'. The two rises follow from

    tau_m v' = I - theta just before the spike,    tau_m v'(after) = I just after it:    v'(after) = v' + theta / tau_m

On steps, a spike comes at the end of the step in which the membrane crosses the threshold, and v' is what the membrane
rises within that step. Both differ from the exact values by the order of dt, and so do the derivatives. Source:
Wunderlich & Pehle 2021, https://doi.org/10.1038/s41598-021-91786-z, its jumps written for membranes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neurorules.contracts.gates import Gates
from neurorules.contracts.neuron import Neuron
from neurorules.contracts.series import Series


def timed_gates(neuron: Neuron, v: Tensor, spikes: Tensor, least_rise: float) -> Gates:
    """The gates of the steps of a trial through which changes pass along with the times of spikes.

    Args:
        neuron: the neuron of the layer.
        v: membranes before the reset, from the first step of a trial on, (T, B, *shape).
        spikes: the spikes of the same steps, (T, B, *shape).
        least_rise: the lowest rise at a spike that is divided by, in thresholds per synaptic time constant, > 0.

    Returns:
        `keep`, `admit` and `slope` of every step, (T, B, *shape) each; `fires` is None.

    Raises:
        UserError: the spikes of the neuron have no such derivative.
    """
    crossing = neuron.crossing()
    alpha, beta, theta = (torch.as_tensor(x, dtype=v.dtype, device=v.device) for x in crossing[:3])
    after = v - spikes * (v if crossing.to_zero else theta)
    rise = v - torch.cat([torch.zeros_like(v[:1]), after[:-1]])
    rise = torch.maximum(rise, -least_rise * theta * alpha.log())
    passed = 1 - spikes * (theta * beta.log() / rise)  # the leak of a step from the threshold, beside the rise
    keep = beta * torch.cat([torch.ones_like(v[:1]), passed[:-1]])
    return Gates(keep, torch.ones_like(v), None, spikes / rise)


def earlier(post: Series, steps: int) -> Series:
    """The factor of a spike that comes a step earlier, from the factors of spikes at each step.

    A spike of the last step has no step behind it to move to or from, and gets 0.

    Args:
        post: the factor with respect to the current that a spike brings, (T, B, *shape) or constant (B, *shape).
        steps: T.

    Returns:
        The difference between each step and the next, (T, B, *shape); 0 everywhere for a constant factor.
    """
    values = post.over_time(steps)
    return Series(torch.cat([values[:-1] - values[1:], torch.zeros_like(values[:1])]), False)
