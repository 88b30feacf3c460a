"""Feedback alignment through time: backpropagation with fixed random feedback weights."""

from __future__ import annotations

from neurorules.language.rules import DELTA_RULE, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._surrogate import SPIKE, Presynaptic, surrogate_texts


def feedback_alignment(*, presynaptic: Presynaptic = "eligibility") -> Rule:
    """Feedback alignment through time: backpropagation with fixed random feedback weights.

    Args:
        presynaptic: the eligibility of the membrane, as in `bptt`, or the spike of the step, as in `dfa` and `drtp`.

    Returns:
        The rule with its texts, signal and source.
    """
    return Rule(
        name="fa",
        plasticity=(*surrogate_texts(presynaptic), *DELTA_RULE),
        signal=SignalSpec("fa"),
        source=Source(
            "T. P. Lillicrap, D. Cownden, D. B. Tweed, C. J. Akerman",
            2016,
            "Random synaptic feedback weights support error backpropagation for deep learning",
            (
                "spiking neurons: psi stands for the derivative of the output",
                SPIKE
                if presynaptic == "spike"
                else "the error also travels back through time, in each neuron's own membrane (presynaptic=spike: not)",
                "a layer's recurrent weights have random feedback as well",
                "the feedback is normal, of variance one over its fan-in",
                "by default Adam, and the update is centred and decorrelated by streaming normalisation (norm none: "
                "neither)",
            ),
            link="https://doi.org/10.1038/ncomms13276",
        ),
    )


ENTRY = feedback_alignment
