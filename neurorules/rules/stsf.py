"""STSF: coincident spikes times the error of the layer's own read-out, which arrives through sparse fixed feedback."""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import DELTA_RULE, Defaults, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec


def stsf(*, feedback: Literal["sparse", "readout"] = "sparse", errors: Literal["step", "trial"] = "step") -> Rule:
    """Spiking time sparse feedback: dw = -m S_post S_pre, where m is the error for one class of the layer's own
    read-out.

    A neuron that does not fire does not learn, so a silent layer stays silent.

    Args:
        feedback: the weights that carry the read-out's error to the layer's neurons: sparse, fixed random numbers, one
            for a single class per neuron; or readout, the read-out's own weights.
        errors: whether the read-out has an error at each step, as in the paper, or one per trial, from mean spikes.

    Returns:
        The rule with its texts, signal, default settings and source.
    """
    return Rule(
        name="stsf",
        plasticity=(
            Plasticity("w", "-through_norm(m_post * S_post) * (S_pre - mean_pre)"),
            Plasticity("b", "-m_post * S_post"),
            *DELTA_RULE,
        ),
        signal=SignalSpec("local_readout", {"feedback": feedback, "errors": errors}),
        defaults=Defaults(neuron="if"),
        source=Source(
            "P. He, R. Xiao, C. Tang, S. Huang, J. Lv, H. Tang",
            2025,
            "STSF: spiking time sparse feedback learning for spiking neural networks",
            (
                "a layer's read-out is linear, with softmax and cross-entropy; the authors' code has spiking neurons "
                "and the squared error",
                "weights change once a trial, by the sum over its steps; theirs change at every step",
                "scores come from one read-out of the last layer, which learns by the delta rule; theirs count the "
                "spikes of the last layer's own classifier",
                "maps are averaged to 4 x 4 at most before they are read",
                "biases learn too",
                "streaming normalisation, which centres and decorrelates the update (norm none: neither)",
            ),
            link="https://doi.org/10.1109/TNNLS.2025.3527700",
        ),
    )


ENTRY = stsf
