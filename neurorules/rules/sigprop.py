"""Signal propagation: class prototypes travel forward through the same weights; each layer learns by comparing."""

from __future__ import annotations

from typing import Literal

from neurorules.language.rules import DELTA_RULE, Phase, Plasticity, Rule, Source

FACTOR = {"surrogate": "psi(v_post)", "voltage": "(v_post > 0)"}
"""Derivative of the compared quantity by the membrane: of f(v), or of max(v, 0)."""


def sigprop(
    *,
    form: Literal["surrogate", "voltage"] = "surrogate",
    targets: Literal["pushed", "codes"] = "pushed",
    embedding: Literal["fixed", "learned", "class_means"] = "learned",
    predict: Literal["readout", "prototypes"] = "readout",
    tau: float | None = None,
    bias: Literal["dense", "all", "none"] = "dense",
    time: Literal["exact", "step"] = "exact",
) -> Rule:
    """Signal propagation.

    Args:
        form: surrogate: the loss is on f(v), before the spike. voltage: on max(v, 0): no surrogate at all.
        targets: pushed through the weights, or fixed codes of each layer's own (a control).
        embedding: of the classes at the first layer (see `signals.prototypes`).
        predict: by a trained read-out, or by comparing with the prototypes of the last hidden layer.
        tau: temperature of the comparison, > 0; None for one that follows the layer's size.
        bias: the hidden layers whose biases learn. Biases of normalised maps cost half a point, those of dense layers
            bring a tenth (validation samples of MNIST).
        time: exact: the membrane's dependence on the weights, back to its last reset (an eligibility of its own
            synapses and soma). step: the present step's spikes alone.
    """
    through = "{d} * dv_dw" if time == "exact" else "through_norm({d}) * (S_pre - mean_pre)"
    factor = f"m_post * {FACTOR[form]}"
    own = f"-{factor} * dv_dw" if time == "exact" else f"-{factor}"
    streams = ("input", "target") if targets == "pushed" else ("input",)
    hidden: list[Plasticity] = []
    for stream in streams:
        hidden.append(Plasticity("w", f"-{through.format(d=factor)}", phase=stream))
        if bias != "none":
            populations: Literal["all", "flat"] = "all" if bias == "all" else "flat"
            hidden.append(Plasticity("b", own, phase=stream, populations=populations))
    if embedding == "learned" and targets == "pushed":
        hidden.append(Plasticity("embedding", own, phase="target"))
    return Rule(
        name="sigprop",
        plasticity=(*hidden, *DELTA_RULE),
        signal=f"prototypes:form={form}{'' if tau is None else f':tau={tau}'}:targets={targets}:embedding={embedding}",
        phases=tuple(Phase(stream, statistics="own") for stream in streams),
        predict=predict,
        source=Source(
            "A. Kohan, E. A. Rietman, H. T. Siegelmann",
            2023,
            "Signal propagation: the framework for learning and inference in a forward pass",
            (
                "both streams are centred before they are compared",
                "the voltage form rectifies the voltage in the loss",
                "the update keeps the current step's presynaptic spike only",
            ),
        ),
    )


ENTRY = sigprop
