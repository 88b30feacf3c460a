"""Direct feedback alignment: every layer sees the output error through a fixed random matrix."""

from __future__ import annotations

from neurorules.language.rules import DELTA_RULE, Plasticity, Rule, Source


def direct_feedback_alignment() -> Rule:
    """Direct feedback alignment: every layer sees the output error through a fixed random matrix."""
    return Rule(
        name="dfa",
        plasticity=(
            Plasticity("w", "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)"),
            Plasticity("b", "-m_post * psi(v_post)"),
            *DELTA_RULE,
        ),
        signal="dfa",
        source=Source(
            "A. Nokland",
            2016,
            "Direct feedback alignment provides learning in deep neural networks",
            ("spiking neurons: psi stands for the derivative of the output",),
        ),
    )


ENTRY = direct_feedback_alignment
