"""Integrate-and-fire without leak; by default a spike resets the membrane to zero."""

from __future__ import annotations

from typing import Any

from neurorules.contracts.neuron import Reset
from neurorules.contracts.threshold_neuron import ThresholdNeuron
from neurorules.language.options import Named
from neurorules.language.ranges import NonNegative, Number, Positive, Whole, ranged
from neurorules.neurons._constant_leak import with_leak
from neurorules.neurons._refractory import Refractory, with_refractory_period
from neurorules.surrogates import make_surrogate


@ranged("neuron 'if'")
def integrate_and_fire(
    *,
    v_threshold: Positive = 1.0,
    reset: Reset = "zero",
    reset_delay: bool = False,
    refractory: Whole = 0,
    leak: NonNegative = 0.0,
    floor: Number | None = None,
    surrogate: Named = "fast_sigmoid",
) -> ThresholdNeuron[Any] | Refractory:
    """v[t] = v[t-1] + I[t] - leak, and then at least `floor`.

    Args:
        v_threshold: threshold, > 0, in units of the current.
        reset: subtract, zero or none.
        reset_delay: whether the reset acts one step later.
        refractory: number of steps after a spike in which the membrane is held and the neuron cannot spike, >= 0.
        leak: what the membrane also loses in each step, in units of the current, >= 0.
        floor: the lowest membrane, at most 0; None for none.
        surrogate: the surrogate derivative with options, such as "atan:alpha=2".

    Returns:
        The neuron, with a refractory period if `refractory` is not 0.

    Raises:
        UserError: a number is out of range.
    """
    neuron = with_leak("if", 1.0, v_threshold, reset, reset_delay, make_surrogate(surrogate), leak, floor)
    return with_refractory_period(neuron, refractory)


ENTRY = integrate_and_fire
