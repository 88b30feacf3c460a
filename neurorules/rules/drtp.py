"""Direct random target projection: every layer sees the label through a fixed random matrix."""

from __future__ import annotations

from neurorules.language.rules import DELTA_RULE, Plasticity, Rule, Source


def direct_random_target_projection() -> Rule:
    """Direct random target projection: every layer sees the label through a fixed random matrix."""
    return Rule(
        name="drtp",
        plasticity=(
            Plasticity("w", "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)"),
            Plasticity("b", "-m_post * psi(v_post)"),
            *DELTA_RULE,
        ),
        signal="drtp",
        source=Source(
            "C. Frenkel, M. Lefebvre, D. Bol",
            2021,
            "Learning without feedback: fixed random learning signals allow for feedforward training of "
            "deep neural networks",
            ("spiking neurons: psi stands for the derivative of the output",),
        ),
    )


ENTRY = direct_random_target_projection
