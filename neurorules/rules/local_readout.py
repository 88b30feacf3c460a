"""Local read-outs (DECOLLE): every layer learns from a linear read-out of its own spikes."""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import DELTA_RULE, Plasticity, Rule, Source


def local_readout(*, readouts: Literal["learned", "fixed"] = "learned") -> Rule:
    """Local read-outs.

    Args:
        readouts: learned by their own delta rule, or fixed and random as in the paper.
    """
    return Rule(
        name="local_readout",
        plasticity=(
            Plasticity("w", "-through_norm(m_post * psi(v_post)) * (S_pre - mean_pre)"),
            Plasticity("b", "-m_post * psi(v_post)"),
            *DELTA_RULE,
        ),
        signal=f"local_readout:readouts={readouts}",
        source=Source(
            "J. Kaiser, H. Mostafa, E. O. Neftci",
            2020,
            "Synaptic plasticity dynamics for deep continuous local learning (DECOLLE)",
            (
                "cross-entropy on the trial's mean spikes instead of a smooth L1 loss at each step",
                "the presynaptic factor is the spike of the step, not a double low-pass trace",
            ),
        ),
    )


ENTRY = local_readout
