"""Direct random target projection: every layer receives the label through a fixed random matrix."""

from __future__ import annotations

from neurorules.language.rules import DELTA_RULE, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._surrogate import SPIKE, Presynaptic, surrogate_texts


def direct_random_target_projection(*, presynaptic: Presynaptic = "spike") -> Rule:
    """Direct random target projection: the third factor of each layer is the label times a fixed random matrix.

    Args:
        presynaptic: the spike of the step, or the eligibility of the membrane, as in `bptt` and `fa`.

    Returns:
        The rule with its texts, signal and source.
    """
    return Rule(
        name="drtp",
        plasticity=(*surrogate_texts(presynaptic), *DELTA_RULE),
        signal=SignalSpec("drtp"),
        source=Source(
            "C. Frenkel, M. Lefebvre, D. Bol",
            2021,
            "Learning without feedback: fixed random learning signals allow for feedforward training of "
            "deep neural networks",
            (
                "spiking neurons: psi stands for the derivative of the output, mean spikes over the trial for rates",
                *((SPIKE,) if presynaptic == "spike" else ()),
                "units that dropout silences learn as the others do",
                "descends -B y*; the authors' code descends +B y*. B is symmetric about zero, so that the sign is free",
                "the feedback is normal, of variance one over the layer's size; theirs is uniform (Kaiming)",
                "softmax and cross-entropy at the output, where theirs has sigmoids and binary cross-entropy",
                "by default Adam (theirs: Nesterov), and the update is centred and decorrelated by streaming "
                "normalisation (norm none: neither)",
            ),
            link="https://doi.org/10.3389/fnins.2021.629892",
        ),
    )


ENTRY = direct_random_target_projection
