"""EchoSpike: a layer's spikes grow more like its echo of the same class, and less like those of other classes."""

from __future__ import annotations

from neurorules.language.eligibility import Eligibility
from neurorules.language.ranges import BelowOne, NonNegative, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._online import CENTRED


@ranged("rule 'espp'")
def espp(*, same: NonNegative | None = None, other: NonNegative | None = None, beta: BelowOne = 0.9) -> Rule:
    """EchoSpike predictive plasticity: dw = y q psi(v) x, with q the echo of a class, and y 1 for the own one, else -1.

    Gates that close make it worse on validation samples of the digits, so that by default both stand open: then q and
    the label alone teach, and no step has to wait for the end of its trial.

    Args:
        same: likeness to the echo of the own class, in spikes per step, from which a sample teaches nothing, >= 0; None
            where every sample teaches.
        other: likeness to the echo of another class up to which a sample teaches nothing, >= 0; None likewise.
        beta: decay of the presynaptic trace per step, which by default is the neurons' too.

    Returns:
        The rule with its texts, eligibility, signal, default settings and source.
    """
    return Rule(
        name="espp",
        plasticity=(
            Plasticity("w", "-through_norm(m_post * psi(v_post)) * x"),
            Plasticity("b", "-m_post * psi(v_post)"),
            *DELTA_RULE,
        ),
        signal=SignalSpec("echo", {"same": same, "other": other}),
        eligibilities=(Eligibility("x", beta, CENTRED),),
        defaults=Defaults(neuron=f"lif:beta={beta:g}:surrogate=atan"),
        source=Source(
            "L. Graf, Z. Su, G. Indiveri",
            2024,
            "EchoSpike predictive plasticity: an online local learning rule for spiking neural networks",
            (
                "the echo of a class is a running mean of its samples; the paper's is the sample before, in a stream "
                "in which every second sample has the class of the one before it",
                "a sample is compared with its own class and with all others; the paper compares it with one of them",
                "what a neuron learns by is its own echo; the paper divides it by the sum over the layer",
                "every comparison teaches by default; in the paper one that is as predicted does not (same, other)",
                "weights change once a trial, the paper's offline form, by Adam; the paper has plain gradient steps",
                "biases learn too",
                "one read-out learns by the delta rule, of the last layer; the paper reads out every layer",
                "streaming normalisation, which centres and decorrelates the update (norm none: neither)",
            ),
            link="https://arxiv.org/abs/2405.13976",
        ),
    )


ENTRY = espp
