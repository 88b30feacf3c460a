"""Online spatio-temporal learning with target projection: the label, through a fixed matrix, times an eligibility."""

from __future__ import annotations

from neurorules.language.ranges import BelowOne, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._online import Resets, through_reset


@ranged("rule 'osttp'")
def osttp(*, beta: BelowOne = 0.5, resets: Resets = "subtract") -> Rule:
    """Online spatio-temporal learning with target projection: the label, projected at random, times an eligibility.

    The eligibility, through leak and reset, is that of `ostl`; the third factor is that of `drtp`.

    Args:
        beta: decay of the neurons' membrane per step.
        resets: how the neurons, whose threshold is 1, reset.

    Returns:
        The rule with its texts, eligibility, signal, default settings and source.
    """
    traces, eps, constants = through_reset(beta, resets)
    return Rule(
        name="osttp",
        plasticity=(
            Plasticity("w", "-through_norm(m_post * psi(v_post)) * eps"),
            Plasticity("b", "-m_post * psi(v_post)"),
            *DELTA_RULE,
        ),
        signal=SignalSpec("drtp"),
        errors="step",
        constants=constants,
        traces=traces,
        eligibilities=(eps,),
        defaults=Defaults(
            neuron=f"lif:beta={beta:g}:reset={resets}", readout_neuron="leaky_readout:beta=0.9", readout_lr=0.01
        ),
        source=Source(
            "T. Ortner, L. Pes, J. Gentinetta, C. Frenkel, A. Pantazi",
            2023,
            "Online spatio-temporal learning with target projection",
            (
                "weights change once a trial, by the sum over its steps",
                "descends -B y*, as drtp here; B is symmetric about zero, so that the sign is free",
                "recurrent layers have the eligibility of each neuron's own membrane alone",
                "psi is the neuron's own surrogate, and the threshold is 1",
                "beta=0.5 is ours, chosen on validation samples",
                "biases have no trace: they learn by the step's psi alone",
                "by default Adam, and the update is centred and decorrelated by streaming normalisation (norm none: "
                "neither)",
            ),
            link="https://arxiv.org/abs/2304.05124",
            constants={"beta": "not told", "slope": "this step alone"},
        ),
    )


ENTRY = osttp
