"""Weight mirroring through time: backpropagation with feedback weights that noise turns into the forward ones."""

from __future__ import annotations

from neurorules.language.ranges import Count, Fraction, ranged
from neurorules.language.rules import DELTA_RULE, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._surrogate import SPIKE, Presynaptic, surrogate_texts


@ranged("rule 'weight_mirroring'")
def weight_mirroring(*, rows: Count = 128, rate: Fraction = 0.02, presynaptic: Presynaptic = "eligibility") -> Rule:
    """Weight mirroring through time: backpropagation with feedback weights that noise turns into the forward ones.

    Args:
        rows: number of noise vectors that pass through each matrix in a trial, >= 1.
        rate: share of the feedback weights that the estimate from one trial's noise replaces, in [0, 1].
        presynaptic: the eligibility of the membrane, as in `bptt`, or the spike of the step, as in `dfa` and `drtp`.

    Returns:
        The rule with its texts, signal and source.
    """
    return Rule(
        name="weight_mirroring",
        plasticity=(*surrogate_texts(presynaptic), *DELTA_RULE),
        signal=SignalSpec("weight_mirroring", {"rows": rows, "rate": rate}),
        source=Source(
            "M. Akrout, C. Wilson, P. C. Humphreys, T. Lillicrap, D. B. Tweed",
            2019,
            "Deep learning without weight transport",
            (
                "spiking neurons: psi stands for the derivative of the output",
                SPIKE
                if presynaptic == "spike"
                else "the error also travels back through time, in each neuron's own membrane (presynaptic=spike: not)",
                "noise is mirrored from the current of the synapses; in the paper it is from the neuron's output",
                "no phase of noise comes before training; the noise of the first trials counts alike instead",
                "noise has the variance 1 and feedback decays as fast as it learns, so that it has the weights' size; "
                "the paper's weights decay by another rate",
                "by default Adam, and the update is centred and decorrelated by streaming normalisation (norm none: "
                "neither)",
            ),
            link="https://arxiv.org/abs/1904.05391",
        ),
    )


ENTRY = weight_mirroring
