"""Backpropagation through time with surrogate gradients: the global rule that local ones are compared with."""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import DELTA_RULE, Plasticity, Rule, Source


def backpropagation(*, loss: Literal["cross_entropy", "squared"] = "cross_entropy", bias: bool = True) -> Rule:
    """Backpropagation through time with surrogate gradients: the global rule that local ones are compared with.

    Args:
        loss: cross_entropy of the scores' softmax, or squared: of the scores, with targets 1 and 0.
        bias: whether biases learn; without, it stands beside papers whose nets have none.
    """
    texts = (
        Plasticity("w", "-m_post * psi(v_post) * dv_dw"),
        Plasticity("b", "-m_post * psi(v_post) * dv_dw"),
        *DELTA_RULE,
    )
    return Rule(
        name="bptt",
        plasticity=tuple(text for text in texts if bias or text.parameter != "b"),
        signal="bptt",
        loss=loss,
        source=Source(
            "E. O. Neftci, H. Mostafa, F. Zenke",
            2019,
            "Surrogate gradient learning in spiking neural networks",
            ("resets are held fixed, as in snnTorch",),
        ),
    )


ENTRY = backpropagation
