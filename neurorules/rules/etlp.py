"""Event-based three-factor local plasticity: the label, through a fixed random matrix, times an eligibility."""

from __future__ import annotations

from neurorules.language.ranges import BelowOne, Fraction, NonNegative, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._online import adaptive


@ranged("rule 'etlp'")
def etlp(
    *, alpha: BelowOne = 0.9, adaptation: NonNegative = 0.0, rho: Fraction = 0.9, teaching: Fraction = 1.0
) -> Rule:
    """Event-based three-factor local plasticity: the label, through a fixed random matrix, times an eligibility.

    Args:
        alpha: decay of the membrane per step.
        adaptation: rise of the threshold per spike; 0 for a fixed threshold.
        rho: decay of that rise per step.
        teaching: the probability of a teaching event per step, the same for all synapses; at other steps the third
            factor is 0. Under streaming normalisation, the averages that centre an update act at every step. In the
            paper the probability is 0.1 per millisecond.

    Returns:
        The rule with its texts, eligibilities, signal, default settings and source.
    """
    e, eligibilities, constants, neuron = adaptive(alpha, rho, adaptation)
    return Rule(
        name="etlp",
        plasticity=(
            Plasticity("w", f"-through_norm(m_post * psi(v_post)) * {e}"),
            Plasticity("b", "-m_post * psi(v_post)"),
            *DELTA_RULE,
        ),
        signal=SignalSpec("drtp"),
        errors="step",
        teaching=teaching,
        constants=constants,
        eligibilities=eligibilities,
        defaults=Defaults(neuron=neuron, readout_neuron="leaky_readout:beta=0.9", readout_lr=0.01),
        source=Source(
            "F. M. Quintana, F. Perez-Pena, P. L. Galindo, E. O. Neftci, E. Chicca, L. Khacef",
            2024,
            "ETLP: event-based three-factor local plasticity for online learning with neuromorphic hardware",
            (
                *(("every step teaches; in the paper teaching events come at random, 100 a second",)
                  if teaching == 1 else ()),
                "weights change once a trial, by the sum over its steps",
                "thresholds stay by default, and no neuron is refractory; the paper's threshold rises by 5",
                "time constants are the same in all neurons; the paper draws them",
                "the read-out is a leaky one with softmax and cross-entropy at each step; the paper's spikes",
                "psi is the neuron's own surrogate; the paper's is a triangle of height 0.3",
                "by default Adam, and the update is centred and decorrelated by streaming normalisation (norm none: "
                "neither)",
            ),
            link="https://arxiv.org/abs/2301.08281",
        ),
    )  # fmt: skip


ENTRY = etlp
