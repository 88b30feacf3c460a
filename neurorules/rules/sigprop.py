"""Signal propagation: class prototypes travel forward through the same weights; each layer learns by comparing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from neurorules.language.errors import UserError
from neurorules.language.ranges import Count, Positive, ranged
from neurorules.language.rules import DELTA_RULE, Defaults, Phase, Plasticity, Rule, Source
from neurorules.language.signal_spec import SignalSpec
from neurorules.signals._generators import Generator
from neurorules.signals._similarity import Loss
from neurorules.signals.prototypes import Form

FACTOR: Mapping[Form, str] = {"surrogate": " * psi(v_post)", "voltage": " * (v_post > 0)", "raw_voltage": ""}
"""The derivative of the compared quantity with respect to the membrane, as a factor of a text. The quantity is f(v),
max(v, 0), or v."""
READOUT_LR = 1e-2
"""Default learning rate of the read-out. Hidden layers do not learn from the read-out's error, so the read-out has to
follow their changes faster than they move. Source: validation samples of MNIST, where convolutions gain 0.2 to 0.3
points over 3e-3 in both forms, and dense nets lose nothing."""
DEVIATIONS = (
    "each hidden layer has one loss a trial, on averages over its steps; its sources do not say whether "
    "each step has one",
    "the target stream has a row a class, not a row a sample; target_only sends the same row for every "
    "sample of a class",
    "the loss is the cross-entropy against the label's row, v1 of the authors' library (option loss: its "
    "others, and the paper's l2 and cosine)",
    "both streams are centred and compared by cosine; the library takes bare products (centred=false, "
    "normalised=false)",
    "the temperature is min(0.3, sqrt(2 / features)); the library has none (tau=1)",
    "maps are averaged to 4 x 4 at most before they are compared; the library compares each position",
    "the surrogate is the neuron's, a fast sigmoid unless neuron is if:surrogate=atan, which replications "
    "of the paper's spiking nets have",
    "the voltage form rectifies the voltage in the loss; the paper takes it as it is (form=raw_voltage), and "
    "learns less",
    "the update keeps the current step's presynaptic spike only; its sources do not say what of "
    "the membrane's past counts",
    "S_1's rows enter as a constant current behind the first layer's normalisation, without a bias d_1",
    "streaming normalisation, centred on both sides of the synapse; replications have batch normalisation (norm batch)",
    "biases learn in dense layers alone (option bias)",
    "the target stream runs without dropout",
    "Adam at 3e-3 and a read-out at 1e-2; the library has Adam at 5e-4 for every layer",
    "target_loop embeds the error's direction, whatever its size",
)
SOURCE = Source(
    "A. Kohan, E. A. Rietman, H. T. Siegelmann",
    2023,
    "Signal propagation: the framework for learning and inference in a forward pass",
    DEVIATIONS,
    link="https://doi.org/10.1109/TNNLS.2022.3230914",
)


@ranged("rule 'sigprop'")
def sigprop(
    *,
    form: Form = "surrogate",
    targets: Literal["pushed", "codes"] = "pushed",
    embedding: Literal["fixed", "learned", "class_means"] = "learned",
    generator: Generator = "target_only",
    loss: Loss = "label",
    centred: bool = True,
    normalised: bool = True,
    k: Count = 6,
    tau: Positive | None = None,
    predict: Literal["readout", "prototypes", "subset", "neutral"] = "readout",
    bias: Literal["dense", "all", "none"] = "dense",
) -> Rule:
    """Signal propagation: labels travel forward as class prototypes, and each layer compares samples with them. Options
    that are not described here belong to the signal (`signals.prototypes`).

    Args:
        form: the quantity that the loss compares. surrogate: f(v), the graded output before the spike; voltage: max(v,
            0), without a surrogate; raw_voltage: v, as in the paper, where neurons that never fire dominate.
        targets: whether targets travel through the weights (pushed), or are fixed codes of each layer (codes, a
            control).
        predict: how classes are predicted. readout: by a trained read-out; prototypes: by the nearest prototype in the
            last hidden layer; subset: by the closest subset of prototypes; neutral: by a read-out in a pass in which
            the neutral class (1/C, ..., 1/C) is added to the input.
        bias: the hidden layers whose biases learn. On validation samples of MNIST, biases of normalised maps cost half
            a point of accuracy, and those of dense layers gain a tenth.

    Returns:
        The rule with its texts, phases, signal, default settings and source.

    Raises:
        UserError: predict compares prototypes, but the generator makes more than one for each class.
    """
    by_prototypes = predict in ("prototypes", "subset")
    if by_prototypes and generator != "target_only":
        raise UserError(
            f"predict={predict} compares with one prototype a class, and generator={generator} makes a target a "
            f"sample. Use predict=readout, or generator=target_only"
        )
    streams = ("input", "target") if targets == "pushed" else ("input",)
    passes = (*streams, "neutral") if predict == "neutral" else streams
    stream = {"form": form, "targets": targets, "embedding": embedding, "generator": generator}
    comparison = {"loss": loss, "centred": centred, "normalised": normalised, "k": k, "tau": tau}
    search = "subset" if predict == "subset" else "all"
    return Rule(
        name="sigprop",
        plasticity=(
            *_hidden_texts(FACTOR[form], streams, bias, embedding == "learned" and targets == "pushed"),
            *(Plasticity(p.parameter, p.text, p.role, passes[-1]) for p in DELTA_RULE if predict == "neutral"),
            *(p for p in DELTA_RULE if predict != "neutral"),
        ),
        signal=SignalSpec("prototypes", {**stream, **comparison, "search": search}),
        phases=tuple(Phase(name, replay=name == "neutral", statistics="own") for name in passes),
        predict="prototypes" if by_prototypes else "readout",
        error_phase="neutral" if predict == "neutral" else "input",
        score_phase="neutral" if predict == "neutral" else "input",
        defaults=Defaults(readout_lr=READOUT_LR),
        source=SOURCE,
    )


def _hidden_texts(factor: str, streams: tuple[str, ...], bias: str, embedding: bool) -> list[Plasticity]:
    """The texts of hidden layers, which are the same in both streams, and the text of the embedding in the target
    stream."""
    texts: list[Plasticity] = []
    for stream in streams:
        texts.append(Plasticity("w", f"-through_norm(m_post{factor}) * (S_pre - mean_pre)", phase=stream))
        if bias != "none":
            populations: Literal["all", "flat"] = "all" if bias == "all" else "flat"
            texts.append(Plasticity("b", f"-m_post{factor}", phase=stream, populations=populations))
    if embedding:
        texts.append(Plasticity("embedding", f"-m_post{factor}", phase="target"))
    return texts


ENTRY = sigprop
