"""Integrate-and-fire: no leak; a spike resets the membrane to zero."""

from __future__ import annotations

from neurorules.neurons._gated import GatedIntegrator, check_integrator
from neurorules.neurons._shared import LeakyIntegrator, Reset
from neurorules.surrogates import make_surrogate


def integrate_and_fire(
    *,
    v_threshold: float = 1.0,
    reset: Reset = "zero",
    reset_delay: bool = False,
    refractory: int = 0,
    surrogate: str = "fast_sigmoid",
) -> LeakyIntegrator | GatedIntegrator:
    """v[t] = v[t-1] + I[t].

    Args:
        v_threshold: threshold, > 0, in units of the current.
        reset: subtract, zero or none.
        reset_delay: the reset acts one step later.
        refractory: steps after a spike in which the membrane is held and cannot spike, >= 0.
        surrogate: name and options, such as "atan:alpha=2".

    Raises:
        UserError: a number out of range.
    """
    check_integrator("if", v_threshold, refractory)
    made = make_surrogate(surrogate)
    if refractory:
        return GatedIntegrator(1.0, v_threshold, reset, reset_delay, made, refractory=refractory)
    return LeakyIntegrator(1.0, v_threshold, reset, reset_delay, made)


ENTRY = integrate_and_fire
