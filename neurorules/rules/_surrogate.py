"""The hidden texts of rules whose third factor reaches a neuron's spikes, and goes on through psi to its synapses."""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import Plasticity, Statistics

Presynaptic = Literal["spike", "eligibility"]
"""Through time: the presynaptic spike of the step alone, or all that still acts on the membrane, `dv_dw`."""
SPIKE = "through time, the presynaptic factor is the spike of the step, not the membrane's eligibility (presynaptic)"
"""The deviation of a rule that keeps the spike; its papers know no time."""


def surrogate_texts(
    presynaptic: Presynaptic, statistics: Statistics = "moving", bias: bool = True
) -> tuple[Plasticity, ...]:
    """m psi(v) at a neuron, times what came in at each of its synapses; and the same for its bias.

    Args:
        presynaptic: spike or eligibility.
        statistics: of the normalisation, on the way back through it (see `Plasticity`).
        bias: whether biases learn.
    """
    if presynaptic == "eligibility":
        weights, biases = "-m_post * psi(v_post) * dv_dw", "-m_post * psi(v_post) * dv_dw"
    else:
        weights, biases = "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)", "-m_post * psi(v_post)"
    texts = (Plasticity("w", weights, statistics=statistics), Plasticity("b", biases))
    return texts if bias else texts[:1]
