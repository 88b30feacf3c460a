"""PEPITA on spiking layers: the difference between two passes, the second driven by input plus projected error."""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import DELTA_RULE, Phase, Plasticity, Rule, Source


PHASE = {"clean": "input", "modulated": "modulated"}


def pepita(*, kappa: float = 0.5, presynaptic: Literal["clean", "modulated"] = "clean") -> Rule:
    """dW_l = -(r_l - r_l^err) r_{l-1}^T, r the mean spikes of a pass; identical spikes in both passes.

    Args:
        kappa: scale of the projection F, whose entries are N(0, (kappa sqrt(2/inputs))^2).
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
        signal=f"perturbation:kappa={kappa}",
        phases=(Phase("input"), Phase("modulated", replay=True)),
        source=Source(
            "G. Dellaferrera, G. Kreiman",
            2022,
            "Error-driven input modulation: solving the credit assignment problem without a backward pass",
            (
                "mean spike counts stand for rates",
                "the read-out learns from the first pass's activity",
                "kappa is 0.5, the paper's 0.05 moves too few spikes",
                "the presynaptic factor is the first pass's (option presynaptic)",
            ),
        ),
    )


ENTRY = pepita
