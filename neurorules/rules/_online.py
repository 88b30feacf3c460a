"""What rules that learn at every step share: the traces that carry a synapse's past, beside those of the neurons."""

from __future__ import annotations

from typing import Literal

from neurorules.language.eligibility import Eligibility
from neurorules.language.neuron_trace import Trace

Reset = Literal["subtract", "zero", "none"]
"""How neurons reset after a spike."""
CENTRED = "S_pre - mean_pre"
"""What a spike brings to a trace of a synapse; the running mean is 0 where no normalisation centres inputs."""
ADAPTED = "(x - adaptation * delay(eps, 1))"
"""What a synapse's past spikes have done to the distance of membrane and threshold, where the threshold adapts."""


def adaptive(alpha: float, rho: float, adaptation: float) -> tuple[str, tuple[Eligibility, ...], dict[str, float], str]:
    """The eligibility of leaky neurons whose threshold may rise with their spikes. Source: Bellec et al. 2020.

    Args:
        alpha: decay of the membrane per step.
        rho: decay of the threshold's rise per step.
        adaptation: rise of the threshold per spike; 0 for none.

    Returns:
        What texts multiply psi with, the eligibilities that it reads, constants, and the neuron's text.
    """
    x = Eligibility("x", alpha, CENTRED)
    if not adaptation:
        return "x", (x,), {}, f"lif:beta={alpha:g}"
    eps = Eligibility("eps", "rho - adaptation * psi(v_post)", "psi(v_post) * x")
    neuron = f"alif:beta={alpha:g}:rho={rho:g}:kappa={adaptation:g}"
    return ADAPTED, (x, eps), {"adaptation": adaptation, "rho": rho}, neuron


def through_reset(beta: float, reset: Reset) -> tuple[tuple[Trace, ...], Eligibility, dict[str, float]]:
    """The eligibility `eps` of leaky neurons, with the derivative of their reset by their own spike.

    eps[t] = dv[t]/dv[t-1] eps[t-1] + S_pre[t], where dS/dv is psi. Source: Bohnstingl et al. 2022.

    Args:
        beta: decay of the membrane per step.
        reset: of the neurons, whose threshold is 1.

    Returns:
        Traces that it reads, the eligibility, and constants.
    """
    if reset == "none":
        return (), Eligibility("eps", beta, CENTRED), {}
    slope = Trace("slope", 0.0, "psi(v)")
    kept = "1 - delay(slope_post, 1)"
    if reset == "zero":
        kept = "1 - delay(S_post, 1) - delay(v_post, 1) * delay(slope_post, 1)"
    return (slope,), Eligibility("eps", f"beta * ({kept})", CENTRED), {"beta": beta}
