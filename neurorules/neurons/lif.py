"""Leaky integrate-and-fire, with snnTorch's conventions: decay beta a step, reset by subtraction."""

from __future__ import annotations

from neurorules.language.errors import UserError
from neurorules.neurons._shared import LeakyIntegrator, Reset
from neurorules.surrogates import make_surrogate


def leaky_integrate_and_fire(
    *,
    beta: float = 0.9,
    v_threshold: float = 1.0,
    reset: Reset = "subtract",
    reset_delay: bool = False,
    surrogate: str = "fast_sigmoid",
) -> LeakyIntegrator:
    """v[t] = beta v[t-1] + I[t].

    Args:
        beta: decay a step, exp(-dt/tau), in [0, 1].
        v_threshold: threshold, > 0, in units of the current.
        reset: subtract, zero or none.
        reset_delay: the reset acts one step later (snnTorch's default).
        surrogate: name and options, such as "atan:alpha=2".

    Raises:
        UserError: beta outside [0, 1], or v_threshold not positive.
    """
    if not 0 <= beta <= 1:
        raise UserError(f"neuron 'lif': beta is {beta}, must lie in [0, 1]")
    if v_threshold <= 0:
        raise UserError(f"neuron 'lif': v_threshold is {v_threshold}, must be > 0")
    return LeakyIntegrator(beta, v_threshold, reset, reset_delay, make_surrogate(surrogate))


ENTRY = leaky_integrate_and_fire
