"""Backpropagation through time with surrogate gradients: the global rule that local ones are compared with."""

from __future__ import annotations

from neurorules.language.rules import DELTA_RULE, Plasticity, Rule, Source


def backpropagation() -> Rule:
    """Backpropagation through time with surrogate gradients: the global rule that local ones are compared with."""
    return Rule(
        name="bptt",
        plasticity=(
            Plasticity("w", "-m_post * psi(v_post) * dv_dw"),
            Plasticity("b", "-m_post * psi(v_post) * dv_dw"),
            *DELTA_RULE,
        ),
        signal="bptt",
        source=Source(
            "E. O. Neftci, H. Mostafa, F. Zenke",
            2019,
            "Surrogate gradient learning in spiking neural networks",
            ("resets are held fixed, as in snnTorch",),
        ),
    )


ENTRY = backpropagation
