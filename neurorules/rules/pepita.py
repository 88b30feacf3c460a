"""PEPITA on spiking layers: the difference between two passes, the second driven by input plus projected error."""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import DELTA_RULE, Phase, Plasticity, Rule, Source

PHASE = {"clean": "input", "modulated": "modulated"}


def pepita(*, scale: float = 0.1, presynaptic: Literal["clean", "modulated"] = "clean") -> Rule:
    """dW_l = -(r_l - r_l^err) r_{l-1}^T, r the mean spikes of a pass; identical spikes in both passes.

    Args:
        scale: standard deviation of the projection F's entries, in units of the (standardised) input.
        presynaptic: the pass whose presynaptic spikes the update reads; the paper's is the modulated one.
    """
    phase = PHASE[presynaptic]
    return Rule(
        name="pepita",
        plasticity=(
            Plasticity("w", "-through_norm(m_post) * (S_pre - mean_pre)", phase=phase),
            Plasticity("b", "-m_post", phase=phase),
            *DELTA_RULE,
        ),
        signal=f"perturbation:scale={scale}",
        phases=(Phase("input"), Phase("modulated", replay=True)),
        source=Source(
            "G. Dellaferrera, G. Kreiman",
            2022,
            "Error-driven input modulation: solving the credit assignment problem without a backward pass",
            (
                "mean spike counts stand for rates",
                "the read-out learns from the first pass's activity",
                "F is 40 times the paper's at 784 inputs, which moves too few spikes",
                "the presynaptic factor is the first pass's (option presynaptic)",
            ),
        ),
    )


ENTRY = pepita
