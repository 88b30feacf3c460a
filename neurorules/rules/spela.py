"""SPELA: each layer turns the direction of its activity towards a fixed vector of the sample's class."""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import DELTA_RULE, Predict, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.rules._surrogate import SPIKE, Presynaptic, surrogate_texts


def spela(
    *,
    loss: Literal["log", "cosine"] = "log",
    centred: bool = True,
    predict: Literal["readout", "vectors"] = "readout",
    presynaptic: Presynaptic = "spike",
) -> Rule:
    """SPELA: each layer turns the direction of its activity towards a fixed vector of the sample's class.

    Args:
        loss: a function of the cosine between a layer's mean spikes and the class vector: log for log(2 - cos), or
            cosine for -cos.
        centred: whether the layer's mean is subtracted from its activity before the comparison.
        predict: whether classes are predicted by a trained read-out (readout), or by the nearest class vector in the
            last hidden layer (vectors), as in the paper.
        presynaptic: the spike of the step, or the eligibility of the membrane, as in `bptt` and `fa`.

    Returns:
        The rule with its texts, signal and source.
    """
    by: Predict = "readout" if predict == "readout" else "local_readouts"
    return Rule(
        name="spela",
        plasticity=(*surrogate_texts(presynaptic), *DELTA_RULE),
        signal=SignalSpec("class_vectors", {"loss": loss, "centred": centred}),
        predict=by,
        source=Source(
            "A. Somasundaram, P. Mishra, A. Borthakur",
            2025,
            "Learning using a single forward pass",
            (
                "spiking neurons: the mean spikes of a trial stand for the paper's activations, psi for their slope",
                *((SPIKE,) if presynaptic == "spike" else ()),
                *(("a layer's mean is taken from its activity before it is compared (centred=false)",) * centred),
                "vectors are a regular simplex, turned at random, where a layer has more features than classes",
                "a layer's spikes go up as they are; the paper divides them by their length",
                "maps are averaged to 4 x 4 at most before they are compared",
                *(
                    ("a read-out that learns by the delta rule predicts; in the paper it is the nearest class vector "
                     "of the last layer (predict=vectors)",) * (predict == "readout")
                ),
                "Adam, and streaming normalisation, which centres and decorrelates the update (norm none: neither)",
            ),
            link="https://arxiv.org/abs/2402.09769",
        ),
    )  # fmt: skip


ENTRY = spela
