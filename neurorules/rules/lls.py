"""Local learning with sinusoids (LLS): each layer's activity learns to match a fixed periodic pattern of the class."""

from __future__ import annotations

from typing import Literal

from neurorules.language.ranges import Positive, ranged
from neurorules.language.rules import DELTA_RULE, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._surrogate import SPIKE, Presynaptic, surrogate_texts


@ranged("rule 'lls'")
def lls(
    *,
    waves: Literal["sine", "square"] = "sine",
    tau: Positive = 1.0,
    gains: Literal["none", "class", "matrix"] = "none",
    presynaptic: Presynaptic = "spike",
) -> Rule:
    """Local learning with sinusoids: each layer's activity learns to match a fixed periodic pattern of the class.

    Args:
        waves: the shape of the patterns, sine or square waves.
        tau: temperature of the softmax over classes, > 0.
        gains: none; class, for a learned factor of each class's score (LLS-M); or matrix, for a learned matrix between
            classes (LLS-MxM).
        presynaptic: the spike of the step, or the eligibility of the membrane, as in `bptt` and `fa`.

    Returns:
        The rule with its texts, signal and source.
    """
    return Rule(
        name="lls",
        plasticity=(*surrogate_texts(presynaptic), *DELTA_RULE),
        signal=SignalSpec("patterns", {"waves": waves, "tau": tau, "gains": gains}),
        source=Source(
            "M. P. E. Apolinario, A. Roy, K. Roy",
            2025,
            "LLS: local learning rule for deep neural networks inspired by neural activity synchronization",
            (
                "spiking neurons: the mean spikes of a trial stand for the paper's activations, psi for their slope",
                *((SPIKE,) if presynaptic == "spike" else ()),
                "dense layers are compared whole; the paper averages neighbours to a few features",
                "maps are averaged to 4 x 4 at most before they are compared, as in the paper",
                "patterns begin at n = 1; at the paper's n = 0 all of them are 0, so that a neuron is taught nothing",
                "a layer's activity is divided by its length, or by that of one spike where it is silent",
                "the read-out learns by the delta rule",
                "Adam, and streaming normalisation, which centres and decorrelates the update (norm none: neither); "
                "the paper has batch normalisation and AdamW without a schedule",
            ),
            link="https://arxiv.org/abs/2405.15868",
        ),
    )


ENTRY = lls
