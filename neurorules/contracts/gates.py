"""Gates, by which small changes pass through the steps of neurons, and the numbers that gates of spike times need."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Gates(NamedTuple):
    """The derivatives of one step, from which exact eligibilities and the adjoint of BPTT are computed.

    The spikes of this step and of earlier steps are held fixed. A reset by subtraction therefore passes changes on, and
    a reset to a fixed value does not: `keep` is 0 in the step after a spike. The rest of the state (adaptation,
    recovery, refractory steps) is held fixed too, except that `Neuron.current_decay` describes a synaptic current, and
    `Neuron.adaptation` a threshold that rises with spikes. Where a signal takes derivatives by the times of spikes,
    other gates take their place, which follow the times (`Signal.least_rise`).

    Args:
        keep: derivative of `Observed.v` with respect to `Observed.v` of the previous step, (B, *shape).
        admit: derivative of `Observed.v` with respect to the current of this step, (B, *shape).
        fires: factor that multiplies psi, (B, *shape): 1 where v alone decides whether the neuron spikes, 0 where the
            neuron cannot spike whatever v is. None means 1 everywhere.
        slope: what texts read as psi in place of the neuron's own, (B, *shape): how much earlier the spike of the step
            comes for a higher v, in steps. None, as a neuron's own step gives it, for psi.
    """

    keep: Tensor
    admit: Tensor
    fires: Tensor | None
    slope: Tensor | None = None


class Crossing(NamedTuple):
    """The numbers of a membrane that rises smoothly through its threshold, so that its spikes have times.

    They are those of tau_m V' = -V + I, tau_s I' = -I, integrated exactly over a step; see `Neuron.crossing`.

    Args:
        alpha: decay of the synaptic current per step, exp(-dt/tau_s), above 0 and below 1; one number or (*shape).
        beta: decay of the membrane per step, exp(-dt/tau_m), above 0 and at most 1; one number or (*shape).
        v_threshold: threshold, > 0; one number or (*shape).
        to_zero: whether a spike sets the membrane to 0, and does not subtract the threshold.
    """

    alpha: float | Tensor
    beta: float | Tensor
    v_threshold: float | Tensor
    to_zero: bool
