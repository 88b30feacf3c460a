"""PEPITA on spiking layers: the difference between two passes, the second driven by input plus projected error."""

from __future__ import annotations

from neurorules.language.rules import DELTA_RULE, Phase, Plasticity, Rule, Source


def pepita(*, kappa: float = 2.0) -> Rule:
    """dW_l = -(r_l - r_l^err) (r_{l-1}^err)^T, r the mean spikes of a pass; identical spikes in both passes.

    Args:
        kappa: scale of the projection F, whose entries are N(0, (kappa sqrt(2/inputs))^2).
    """
    return Rule(
        name="pepita",
        plasticity=(
            Plasticity("w", "-through_norm(m_post) * S_pre", phase="modulated"),
            Plasticity("b", "-m_post", phase="modulated"),
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
                "kappa is 2, the paper's 0.05 moves too few spikes",
            ),
        ),
    )


ENTRY = pepita
