"""Feedback alignment through time: backpropagation with fixed random feedback weights."""

from __future__ import annotations

from neurorules.language.rules import DELTA_RULE, Plasticity, Rule, Source


def feedback_alignment() -> Rule:
    """Feedback alignment through time: backpropagation with fixed random feedback weights."""
    return Rule(
        name="fa",
        plasticity=(
            Plasticity("w", "-m_post * psi(v_post) * dv_dw"),
            Plasticity("b", "-m_post * psi(v_post) * dv_dw"),
            *DELTA_RULE,
        ),
        signal="fa",
        source=Source(
            "T. P. Lillicrap, D. Cownden, D. B. Tweed, C. J. Akerman",
            2016,
            "Random synaptic feedback weights support error backpropagation for deep learning",
            ("spiking neurons: psi stands for the derivative of the output",),
        ),
    )


ENTRY = feedback_alignment
