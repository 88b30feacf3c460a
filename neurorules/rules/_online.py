"""The traces that rules which learn at every step share: they carry a synapse's past, beside those of the neurons."""

from __future__ import annotations

from typing import Literal, NamedTuple

from neurorules.language.eligibility import Eligibility
from neurorules.language.neuron_trace import Trace

Resets = Literal["subtract", "zero", "none"]
"""How neurons reset after a spike."""
Derivative = Literal["differentiated", "fixed"]
"""Whether eligibilities go through the derivative of the reset by the neuron's own spike, or take resets as fixed."""
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


class TwoTraces(NamedTuple):
    """The declarations of a rule with a causal and a non-causal trace of each synapse.

    Args:
        text: of the weights.
        constants: that it reads.
        traces: of the neurons.
        eligibilities: of the synapses.
    """

    text: str
    constants: dict[str, float]
    traces: tuple[Trace, ...]
    eligibilities: tuple[Eligibility, ...]


def causal_and_not(l_pre: float, l_post: float, a_post: float) -> TwoTraces:
    """-m (psi x + a_post y S_pre): x the trace of S_pre, and y that of psi before this step.

    Source: Apolinario & Roy 2025 (S-TLLR), of which TESS takes the same form.

    Args:
        l_pre: decay of x per step.
        l_post: decay of y per step.
        a_post: weight of the non-causal term; 0 for none.

    Returns:
        The text, and what it reads.
    """
    causal, x = "-through_norm(m_post * psi(v_post)) * x", Eligibility("x", l_pre, CENTRED)
    if not a_post:
        return TwoTraces(causal, {}, (), (x,))
    other = f" - a_post * through_norm(m_post * before(slopes_post)) * ({CENTRED})"
    return TwoTraces(causal + other, {"a_post": a_post}, (Trace("slopes", l_post, "psi(v)"),), (x,))


def through_reset(
    beta: float, resets: Resets, derivative: Derivative = "differentiated"
) -> tuple[tuple[Trace, ...], Eligibility, dict[str, float]]:
    """The eligibility `eps` of leaky neurons: eps[t] = dv[t]/dv[t-1] eps[t-1] + S_pre[t].

    Source: Bohnstingl et al. 2023. In the derivative of a reset by its own spike, dS/dv is psi.

    Args:
        beta: decay of the membrane per step.
        resets: of the neurons, whose threshold is 1.
        derivative: whether resets are differentiated or taken as fixed.

    Returns:
        Traces that it reads, the eligibility, and constants.
    """
    keep = {
        ("subtract", "differentiated"): "1 - delay(slope_post, 1)",
        ("zero", "differentiated"): "1 - delay(S_post, 1) - delay(v_post, 1) * delay(slope_post, 1)",
        ("zero", "fixed"): "1 - delay(S_post, 1)",
    }.get((resets, derivative))
    if keep is None:
        return (), Eligibility("eps", beta, CENTRED), {}
    slope = (Trace("slope", 0.0, "psi(v)"),) if derivative == "differentiated" else ()
    return slope, Eligibility("eps", f"beta * ({keep})", CENTRED), {"beta": beta}
