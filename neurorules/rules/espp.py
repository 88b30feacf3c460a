"""EchoSpike: a layer's spikes become more similar to its echo of the same class, and less to those of other classes.

The echo of a class is an average of the layer's earlier responses to samples of that class.
"""

from __future__ import annotations

from neurorules.language.eligibility import Eligibility
from neurorules.language.ranges import BelowOne, NonNegative, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._online import CENTRED

SAME, OTHER = 0.4, 0.3
"""Limits of similarity, in spikes per step. Chosen on validation samples of MNIST (784-256-10) and of digits, both of
which lose 3 to 4 points without limits, since then a sample that is told apart teaches as much as one that is not. The
paper's are 1e-4 times the number of neurons, for layers whose weights begin larger; here a layer nearly falls silent by
them."""


@ranged("rule 'espp'")
def espp(*, same: NonNegative | None = SAME, other: NonNegative | None = OTHER, beta: BelowOne = 0.9) -> Rule:
    """EchoSpike predictive plasticity: dw = sum_c y_c q_c psi(v) x, where q_c is the neuron's echo of class c, y_c is 1
    for the sample's class and -1 / (C - 1) for each of the other C - 1 classes, and x is the presynaptic trace.

    A sample teaches a layer only where its similarity to an echo is not yet as it should be, which is known at the end
    of the trial. Without limits (`same=none:other=none`) the update depends on q and the label alone, and no step waits
    for the end of the trial.

    Args:
        same: similarity to the echo of the sample's class, in spikes per step, above which nothing is learned, >= 0;
            None for no limit.
        other: similarity to the echo of another class, in spikes per step, below which nothing is learned, >= 0; None
            for no limit.
        beta: decay of the presynaptic trace per step; by default the neurons have the same decay.

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
                "the limits of similarity (same, other) are larger than the paper's, 1e-4 times the neurons",
                "weights change once a trial, the paper's offline form, by Adam; the paper has plain gradient steps",
                "biases learn too",
                "one read-out learns by the delta rule, of the last layer; the paper reads out every layer",
                "streaming normalisation, which centres and decorrelates the update (norm none: neither)",
            ),
            link="https://arxiv.org/abs/2405.13976",
        ),
    )


ENTRY = espp
