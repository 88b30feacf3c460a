"""Integrate-and-fire: no leak; a spike resets the membrane to zero."""

from __future__ import annotations

from neurorules.language.errors import UserError
from neurorules.neurons._shared import LeakyIntegrator, Reset
from neurorules.surrogates import make_surrogate


def integrate_and_fire(
    *, v_threshold: float = 1.0, reset: Reset = "zero", reset_delay: bool = False, surrogate: str = "fast_sigmoid"
) -> LeakyIntegrator:
    """v[t] = v[t-1] + I[t].

    Args:
        v_threshold: threshold, > 0, in units of the current.
        reset: subtract, zero or none.
        reset_delay: the reset acts one step later.
        surrogate: name and options, such as "atan:alpha=2".

    Raises:
        UserError: v_threshold not positive.
    """
    if v_threshold <= 0:
        raise UserError(f"neuron 'if': v_threshold is {v_threshold}, must be > 0")
    return LeakyIntegrator(1.0, v_threshold, reset, reset_delay, make_surrogate(surrogate))


ENTRY = integrate_and_fire
