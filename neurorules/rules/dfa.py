"""Direct feedback alignment: every layer receives the output error through a fixed random matrix."""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import DELTA_RULE, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._surrogate import SPIKE, Presynaptic, surrogate_texts


def direct_feedback_alignment(
    *, presynaptic: Presynaptic = "spike", error: Literal["graded", "sign"] = "graded"
) -> Rule:
    """Direct feedback alignment: the third factor of each layer is the output error times a fixed random matrix.

    Args:
        presynaptic: the spike of the step, or the eligibility of the membrane, as in `bptt` and `fa`.
        error: the output error itself (graded), or only its sign (sDFA, Frenkel et al. 2021).

    Returns:
        The rule with its texts, signal and source.
    """
    return Rule(
        name="dfa",
        plasticity=(*surrogate_texts(presynaptic), *DELTA_RULE),
        signal=SignalSpec("dfa", {"error": error}),
        source=Source(
            "A. Nokland",
            2016,
            "Direct feedback alignment provides learning in deep neural networks",
            (
                "spiking neurons: psi stands for the derivative of the output, mean spikes over the trial for rates",
                *((SPIKE,) if presynaptic == "spike" else ()),
                *(("hidden layers are sent the sign of the error alone (sDFA)",) if error == "sign" else ()),
                "units that dropout silences learn as the others do",
                "the feedback is normal, of variance one over the layer's size; the paper draws it uniformly",
                "by default Adam, and the update is centred and decorrelated by streaming normalisation (norm none: "
                "neither)",
            ),
            link="https://arxiv.org/abs/1609.01596",
        ),
    )


ENTRY = direct_feedback_alignment
