"""The hidden texts of rules whose third factor is a derivative by spikes, which psi carries on to the membrane."""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import Plasticity, Statistics

Presynaptic = Literal["spike", "eligibility"]
"""The presynaptic factor: the spike of the present step alone, or the eligibility `dv_dw`, which also holds what the
spikes of earlier steps have left in the membrane."""
SPIKE = "through time, the presynaptic factor is the spike of the step, not the membrane's eligibility (presynaptic)"
"""The deviation of a rule whose presynaptic factor is the spike; the papers of such rules have no time."""


def surrogate_texts(
    presynaptic: Presynaptic, statistics: Statistics = "moving", bias: bool = True
) -> tuple[Plasticity, ...]:
    """Write the texts of hidden weights, m psi(v) times the presynaptic factor, and of hidden biases.

    Args:
        presynaptic: spike or eligibility.
        statistics: how the way back through the normalisation takes its statistics (see `Plasticity`).
        bias: whether biases learn.

    Returns:
        The text of weights, and behind it that of biases where they learn.
    """
    if presynaptic == "eligibility":
        weights, biases = "-m_post * psi(v_post) * dv_dw", "-m_post * psi(v_post) * dv_dw"
    else:
        weights, biases = "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)", "-m_post * psi(v_post)"
    texts = (Plasticity("w", weights, statistics=statistics), Plasticity("b", biases))
    return texts if bias else texts[:1]
