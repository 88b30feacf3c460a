"""Leaky integrate-and-fire with a synaptic current; the conventions are those of snnTorch's Synaptic."""

from __future__ import annotations

from typing import Any

from neurorules.contracts.neuron import Reset
from neurorules.contracts.threshold_neuron import ThresholdNeuron
from neurorules.language.options import Named
from neurorules.language.ranges import Fraction, Positive, Whole, ranged
from neurorules.neurons._own_numbers import LEARNED, Learn, SynapticOfPopulation, check_own_numbers
from neurorules.neurons._refractory import Refractory, with_refractory_period
from neurorules.neurons._synaptic import SynapticIntegrator
from neurorules.surrogates import make_surrogate


@ranged("neuron 'cuba_lif'")
def current_based(
    *,
    alpha: Fraction = 0.8,
    beta: Fraction = 0.9,
    v_threshold: Positive = 1.0,
    reset: Reset = "subtract",
    reset_delay: bool = False,
    refractory: Whole = 0,
    beta_to: Fraction | None = None,
    learn: Learn = "nothing",
    surrogate: Named = "fast_sigmoid",
) -> ThresholdNeuron[Any] | Refractory:
    """i[t] = alpha i[t-1] + I[t], v[t] = beta v[t-1] + i[t]. A spike resets v but not i.

    A delayed reset to zero also removes the step's current from v, as in snnTorch 1.0.0.

    Args:
        alpha: decay of the synaptic current per step, exp(-dt/tau_syn), in [0, 1].
        beta: decay of the membrane per step, exp(-dt/tau), in [0, 1].
        v_threshold: threshold, > 0, in units of the current.
        reset: subtract, zero or none.
        reset_delay: whether the reset acts one step later (snnTorch's default).
        refractory: number of steps after a spike in which the membrane is held and the neuron cannot spike, >= 0; the
            current continues.
        beta_to: decay of the last neuron of a layer; time constants grow by the same factor from each neuron, or map,
            to the next. None: all have the decay `beta`.
        learn: what each neuron learns for itself by rules that train through its membrane, such as bptt: nothing, beta,
            v_threshold or both; with reset_delay=true.
        surrogate: the surrogate derivative with options, such as "atan:alpha=2".

    Returns:
        The neuron, with a refractory period if `refractory` is not 0.

    Raises:
        UserError: a number is out of range.
    """
    check_own_numbers("cuba_lif", beta, beta_to, learn, reset_delay, refractory)
    plain = (beta, v_threshold, reset, reset_delay, make_surrogate(surrogate), alpha)
    own = beta_to is not None or learn != "nothing"
    neuron = SynapticOfPopulation(*plain, beta_to, LEARNED[learn]) if own else SynapticIntegrator(*plain)
    return with_refractory_period(neuron, refractory)


ENTRY = current_based
