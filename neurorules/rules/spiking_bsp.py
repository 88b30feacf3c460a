"""Spiking BSP: a form of BSP whose reverse signal consists of spikes. This form is ours; none has been published."""

from __future__ import annotations

from neurorules.language.ranges import Count, Positive, ranged
from neurorules.language.rules import Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec


@ranged("rule 'spiking_bsp'")
def spiking_bsp(*, burst: Count = 4, reach: Positive = 8.0) -> Rule:
    """BSP (a reconstruction) with spikes as forward and reverse signals: G1 = reverse spike count x forward spikes.

    The forward net has any spiking neuron, so that the rule can be compared with `bptt` and `shallow` on the same net.
    After the forward run, signed integrate-and-fire units send spikes along the mirrored path. They are signed because
    an error has two signs, and their count is linear in the error, as the reversed run of a five-element ring is. Each
    unit is gated by the mean psi(v) of its neuron in the forward run. This corresponds to mode `final` of BSP: one
    number for each neuron is stored, and no history. Where the error is 0, no spikes travel back.

    Args:
        burst: largest number of reverse spikes that a unit sends in one step, >= 1.
        reach: range of hidden units, in units of the mean size of their input, > 0 (see `signals.reverse_spikes`).

    Returns:
        The rule with its texts, signal, default settings and source.
    """
    return Rule(
        name="spiking_bsp",
        plasticity=(
            Plasticity("w", "-through_norm(m_post) * (S_pre - mean_pre)"),
            Plasticity("b", "-m_post"),
            Plasticity("w", "-m_post * S_pre", role="readout"),
            Plasticity("b", "-m_post", role="readout"),
        ),
        signal=SignalSpec("reverse_spikes", {"burst": burst, "reach": reach}),
        defaults=Defaults(),
        source=Source(
            "Jiang, Fu",
            2025,
            "Backward Signal Propagation on symmetric differential equations (Algorithms 18(10):594)",
            (
                "A RECONSTRUCTION carried over to spikes: the paper has no spiking form",
                "signed integrate-and-fire units stand for the reversed rings (cf. Thiele et al. 2019, SpikeGrad)",
                "psi of the forward membrane, averaged over time, gates them",
                "a unit's threshold follows the running size of what it hears (options burst, reach)",
                "the forward net, its loss and its optimiser are those of the other spiking rules here",
                "the reverse signal reads the forward connections backwards (weight transport)",
            ),
            link="https://arxiv.org/abs/2502.10414",
        ),
    )


ENTRY = spiking_bsp
