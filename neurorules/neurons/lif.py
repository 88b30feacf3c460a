"""Leaky integrate-and-fire with snnTorch's conventions: decay beta per step, reset by subtraction."""

from __future__ import annotations

from typing import Any

from neurorules.contracts.neuron import Reset
from neurorules.contracts.threshold_neuron import ThresholdNeuron
from neurorules.language.errors import UserError
from neurorules.language.options import Named
from neurorules.language.ranges import Fraction, NonNegative, Number, Positive, Whole, ranged
from neurorules.neurons._constant_leak import with_leak
from neurorules.neurons._own_numbers import LEARNED, LeakyOfPopulation, Learn, check_own_numbers
from neurorules.neurons._refractory import Refractory, with_refractory_period
from neurorules.surrogates import make_surrogate


@ranged("neuron 'lif'")
def leaky_integrate_and_fire(
    *,
    beta: Fraction = 0.9,
    v_threshold: Positive = 1.0,
    reset: Reset = "subtract",
    reset_delay: bool = False,
    refractory: Whole = 0,
    beta_to: Fraction | None = None,
    learn: Learn = "nothing",
    leak: NonNegative = 0.0,
    floor: Number | None = None,
    surrogate: Named = "fast_sigmoid",
) -> ThresholdNeuron[Any] | Refractory:
    """v[t] = beta v[t-1] + I[t] - leak, and then at least `floor`.

    Args:
        beta: decay per step, exp(-dt/tau), in [0, 1].
        v_threshold: threshold, > 0, in units of the current.
        reset: subtract, zero or none.
        reset_delay: whether the reset acts one step later (snnTorch's default).
        refractory: number of steps after a spike in which the membrane is held and the neuron cannot spike, >= 0.
        beta_to: decay of the last neuron of a layer; time constants grow by the same factor from each neuron, or map,
            to the next. None: all have the decay `beta`.
        learn: what each neuron learns for itself by rules that train through its membrane, such as bptt: nothing, beta,
            v_threshold or both; with reset_delay=true.
        leak: what the membrane also loses in each step, in units of the current, >= 0.
        floor: the lowest membrane, at most 0; None for none.
        surrogate: the surrogate derivative with options, such as "atan:alpha=2".

    Returns:
        The neuron, with a refractory period if `refractory` is not 0.

    Raises:
        UserError: a number is out of range.
    """
    check_own_numbers("lif", beta, beta_to, learn, reset_delay, refractory)
    psi, own = make_surrogate(surrogate), beta_to is not None or learn != "nothing"
    if own and (leak or floor is not None):
        raise UserError("neuron 'lif': leak and floor do not go together with beta_to and learn. Leave two of them out")
    if own:
        neuron: ThresholdNeuron[Any] = LeakyOfPopulation(
            beta, v_threshold, reset, reset_delay, psi, beta_to, LEARNED[learn]
        )
    else:
        neuron = with_leak("lif", beta, v_threshold, reset, reset_delay, psi, leak, floor)
    return with_refractory_period(neuron, refractory)


ENTRY = leaky_integrate_and_fire
