"""Leaky integrate-and-fire with an adaptive threshold, which rises with each spike and decays back."""

from __future__ import annotations

from typing import Any

from neurorules.contracts.neuron import Reset
from neurorules.contracts.threshold_neuron import ThresholdNeuron
from neurorules.language.options import Named
from neurorules.language.ranges import Fraction, NonNegative, Positive, Whole, ranged
from neurorules.neurons._adaptive import AdaptiveIntegrator
from neurorules.neurons._refractory import Refractory, with_refractory_period
from neurorules.surrogates import make_surrogate


@ranged("neuron 'alif'")
def adaptive(
    *,
    beta: Fraction = 0.9,
    rho: Fraction = 0.95,
    kappa: NonNegative = 0.2,
    v_threshold: Positive = 1.0,
    reset: Reset = "subtract",
    reset_delay: bool = False,
    refractory: Whole = 0,
    surrogate: Named = "fast_sigmoid",
) -> ThresholdNeuron[Any] | Refractory:
    """b[t] = rho b[t-1] + S[t-1]; S[t] = 1 where v[t] > v_threshold + kappa b[t]; v[t] = beta v[t-1] + I[t].

    Source: Bellec et al. 2020, "A solution to the learning dilemma", ALIF (2018: "Long short-term memory and learning
    to learn", there b is scaled by 1 - rho). The reset `subtract` subtracts v_threshold without the adaptation.

    Args:
        beta: decay of the membrane per step, in [0, 1].
        rho: decay of the adaptation per step, exp(-dt/tau_a), in [0, 1].
        kappa: rise of the threshold per spike, >= 0.
        v_threshold: threshold at rest, > 0.
        reset, reset_delay, surrogate: as for `lif`.
        refractory: number of steps after a spike in which the membrane is held and the neuron cannot spike, >= 0; the
            adaptation continues.

    Returns:
        The neuron, with a refractory period if `refractory` is not 0.

    Raises:
        UserError: a number is out of range.
    """
    neuron = AdaptiveIntegrator(beta, v_threshold, reset, reset_delay, make_surrogate(surrogate), rho, kappa)
    return with_refractory_period(neuron, refractory)


ENTRY = adaptive
