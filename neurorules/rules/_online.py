"""Eligibility traces that several online rules share (e-prop, ETLP, OSTL, OSTTP, S-TLLR, TESS and others)."""

from __future__ import annotations

from typing import Literal, NamedTuple

from neurorules.language.eligibility import Eligibility
from neurorules.language.neuron_trace import Trace

Resets = Literal["subtract", "zero", "none"]
"""What a spike does to the membrane: subtract the threshold, set the membrane to 0, or nothing."""
Derivative = Literal["differentiated", "fixed"]
"""Whether eligibilities include the derivative of the reset through the neuron's own spike, or hold resets fixed."""
CENTRED = "S_pre - mean_pre"
"""What a spike adds to a trace of a synapse. The running mean is 0 unless the normalisation centres the inputs."""
ADAPTED = "(x - adaptation * delay(eps, 1))"
"""The eligibility of the distance between membrane and threshold, for adaptive thresholds."""


def adaptive(alpha: float, rho: float, adaptation: float) -> tuple[str, tuple[Eligibility, ...], dict[str, float], str]:
    """The eligibility of leaky neurons with an adaptive or a fixed threshold. Source: Bellec et al. 2020.

    Args:
        alpha: decay of the membrane per step.
        rho: decay of the threshold's rise per step.
        adaptation: rise of the threshold per spike; 0 for none.

    Returns:
        The factor that texts multiply with psi, the eligibilities that it reads, their constants, and the neuron.
    """
    x = Eligibility("x", alpha, CENTRED)
    if not adaptation:
        return "x", (x,), {}, f"lif:beta={alpha:g}"
    eps = Eligibility("eps", "rho - adaptation * psi(v_post)", "psi(v_post) * x")
    neuron = f"alif:beta={alpha:g}:rho={rho:g}:kappa={adaptation:g}"
    return ADAPTED, (x, eps), {"adaptation": adaptation, "rho": rho}, neuron


class TwoTraces(NamedTuple):
    """The text, constants and traces of a rule with a causal and a non-causal trace per synapse.

    Args:
        text: the text of the weights.
        constants: the constants that the text reads.
        traces: the traces of the neurons.
        eligibilities: the eligibilities of the synapses.
    """

    text: str
    constants: dict[str, float]
    traces: tuple[Trace, ...]
    eligibilities: tuple[Eligibility, ...]


def causal_and_not(l_pre: float, l_post: float, a_post: float) -> TwoTraces:
    """The text -m (psi x + a_post y S_pre), where x is the trace of S_pre, and y that of psi before this step.

    Source: Apolinario & Roy 2025 (S-TLLR). TESS uses the same form.

    Args:
        l_pre: decay of x per step.
        l_post: decay of y per step.
        a_post: weight of the non-causal term; 0 for none.

    Returns:
        The text with the constants, traces and eligibilities that it reads.
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

    Source: Bohnstingl et al. 2023. The derivative of the reset includes that of the neuron's own spike, dS/dv = psi.

    Args:
        beta: decay of the membrane per step.
        resets: the resets of the neurons, whose threshold is 1.
        derivative: whether resets are differentiated or taken as fixed.

    Returns:
        The traces that the eligibility reads, the eligibility, and its constants.
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
