"""Spiking BSP: the reverse signal of BSP carried by spikes. None is published; this form is ours."""

from __future__ import annotations

from neurorules.language.ranges import Count, Positive, ranged
from neurorules.language.rules import Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec


@ranged("rule 'spiking_bsp'")
def spiking_bsp(*, burst: Count = 4, reach: Positive = 8.0) -> Rule:
    """Forward and reverse signals of BSP (a reconstruction) as spikes; G1 = reverse spike count x forward spikes.

    What we chose, and why. Forward: any spiking neuron, so that the rule stands beside `bptt` and `shallow` on the
    same net. Reverse: after the forward run, signed integrate-and-fire units on the mirrored path, since an error has
    two signs and a five-element ring's reversed run is linear in it, which a count of signed spikes is too. Gate: the
    mean psi(v) that the forward run left, the spiking form of mode `final`: one number a neuron is kept, no history.
    Spikes alone travel back; where nothing is wrong, none do.

    Args:
        burst, reach: resolution and range of the reverse spikes (see `signals.reverse_spikes`).
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
