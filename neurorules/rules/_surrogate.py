"""The texts of hidden layers for rules whose third factor is the derivative of a loss with respect to spikes.

The texts multiply the third factor by psi, the surrogate derivative of the spike. `bptt`, `dfa`, `fa` and others use
them.
"""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import Plasticity, Statistics

Presynaptic = Literal["spike", "eligibility"]
"""The presynaptic factor: only the spike of the current step, or the eligibility `dv_dw`, which also includes the
effect of earlier spikes on the membrane."""
SPIKE = "through time, the presynaptic factor is the spike of the step, not the membrane's eligibility (presynaptic)"
"""The deviation for rules that use the spike as presynaptic factor; their papers treat networks without time."""


def surrogate_texts(
    presynaptic: Presynaptic, statistics: Statistics = "moving", bias: bool = True
) -> tuple[Plasticity, ...]:
    """The texts of hidden weights, m psi(v) times the presynaptic factor, and of hidden biases.

    Args:
        presynaptic: spike or eligibility.
        statistics: how post factors are carried back through the normalisation (see `Plasticity`).
        bias: whether biases learn.

    Returns:
        The text of the weights, followed by that of the biases if they learn.
    """
    if presynaptic == "eligibility":
        weights, biases = "-m_post * psi(v_post) * dv_dw", "-m_post * psi(v_post) * dv_dw"
    else:
        weights, biases = "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)", "-m_post * psi(v_post)"
    texts = (Plasticity("w", weights, statistics=statistics), Plasticity("b", biases))
    return texts if bias else texts[:1]
