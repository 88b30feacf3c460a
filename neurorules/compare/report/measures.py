"""The measures that charts offer: the name and format of each, and how to read it."""

from __future__ import annotations

from typing import NamedTuple

from neurorules.contracts.target import FIGURES

PERCENT, DEGREES, RATIO = ".0%", ".0f", ".2~f"
"""Formats of an axis, as d3 writes them."""


class Measure(NamedTuple):
    """A measure, which is a column of a list in `compare.json`.

    Args:
        name: the name of the column.
        title: the title of the axis.
        format, exact: formats of the axis and of a tooltip, as d3 writes them.
        about: a sentence that explains it to the reader.
        reference: a value at which a line is drawn, such as chance; None for no line.
        span: fixed bounds of the axis; None if the data determine them.
    """

    name: str
    title: str
    format: str
    exact: str
    about: str
    reference: float | None = None
    span: tuple[float, float] | None = None


ALIGNMENT = (
    Measure(
        "angle_deg",
        "angle to the gradient (°)",
        DEGREES,
        ".1f",
        "Angle between the rule's update and the exact gradient, from the same weights on the same batch. "
        "0° is the same direction, 90° (dashed) is chance, above it works against the loss.",
        90.0,
        (0, 100),
    ),
    Measure(
        "signal_angle_deg",
        "angle of the signal to BPTT's (°)",
        DEGREES,
        ".1f",
        "The same angle to the update BPTT trains with, where both are centred and decorrelated by the same "
        "normalisation: what the rule's learning signal makes of it alone. BPTT with itself is 0°.",
        90.0,
        (0, 100),
    ),
    Measure(
        "cosine",
        "cosine with the gradient",
        RATIO,
        ".3f",
        "Cosine between the rule's update and the exact gradient. 1 is the same direction, 0 (dashed) chance.",
        0.0,
        (0, 1),
    ),
    Measure(
        "norm_ratio",
        "length over the gradient's",
        RATIO,
        ".3f",
        "Length of the rule's update over the length of the exact gradient, before any optimiser; dashed: equal.",
        1.0,
        None,
    ),
    Measure(
        "sign_agreement",
        "weights moved the same way",
        PERCENT,
        ".1%",
        "Share of weights that both would move in the same direction; a coin gives 50 % (dashed).",
        0.5,
        (0, 1),
    ),
)

LAYERS = (
    Measure("firing_rate", "spikes a neuron and step", RATIO, ".3f", "Mean spikes of a neuron in a step.", None, None),
    Measure(
        "dead",
        "dead neurons",
        PERCENT,
        ".1%",
        "Share of neurons that never fired on the probe samples.",
        None,
        (0, 0.1),
    ),
    Measure(
        "saturated", "saturated neurons", PERCENT, ".1%", "Share of neurons that fired at every step.", None, (0, 0.1)
    ),
    Measure(
        "weight_change",
        "relative weight change",
        RATIO,
        ".3f",
        "How far the weights moved since the epoch before, relative to their length.",
        None,
        None,
    ),
    Measure(
        "cka",
        "linear CKA with BPTT's net",
        RATIO,
        ".3f",
        "How alike the layer's representation is to that of the net trained by BPTT with the same seed: 1 is the "
        "same up to rotation and scale.",
        None,
        (0, 1),
    ),
    Measure(
        "probe_accuracy",
        "linear probe's accuracy",
        PERCENT,
        ".1%",
        "Accuracy of a linear classifier on this layer's activity: what the layer knows of the classes.",
        None,
        None,
    ),
)

LEARNING = (
    Measure(
        "validation_accuracy",
        "validation accuracy",
        PERCENT,
        ".2%",
        "Accuracy on held-out training samples after each epoch. Choices are made on these; the test set is read "
        "once, at the end.",
    ),
    Measure("train_accuracy", "training accuracy", PERCENT, ".2%", "Accuracy on the training samples, as they came."),
    *(
        Measure(
            f"{part}_{name}",
            f"{words} {FIGURES[name].words}",
            PERCENT if FIGURES[name].share else RATIO,
            ".2%" if FIGURES[name].share else ".4f",
            f"{FIGURES[name].words} of the {words} samples, "
            f"{'after each epoch' if part == 'validation' else 'as they came'}; "
            f"{'higher' if FIGURES[name].higher else 'lower'} is better.",
        )
        for part, words in (("validation", "validation"), ("train", "training"))
        for name in FIGURES
        if name != "accuracy"
    ),
    Measure(
        "train_loss",
        "training loss",
        RATIO,
        ".4f",
        "Loss the read-out reports on the training samples; rules may minimise different losses.",
    ),
)

COSTS = (
    Measure(
        "learning_bytes_per_sample",
        "bytes moved to learn, a sample",
        ".2~s",
        ",.0f",
        "Bytes that hidden layers keep, are sent and read in order to learn from a sample, counted from what a rule "
        "needs and from its phases: not a measurement of one machine.",
    ),
    Measure(
        "synops_per_sample",
        "synaptic operations a sample",
        ".2~s",
        ",.0f",
        "Spikes times the synapses they reach, in the forward run of a test sample.",
    ),
    Measure("spikes_per_sample", "spikes a sample", ".2~s", ",.1f", "Spikes of all hidden layers."),
    Measure("train_seconds", "seconds to train", ".3~g", ",.2f", "Wall time of a run on this machine."),
    Measure(
        "peak_memory_mb",
        "peak memory (MB)",
        ".2~s",
        ",.0f",
        "Largest resident memory of a run while it learns.",
    ),
    Measure(
        "energy_pJ",
        "energy of a sample (pJ)",
        ".2~s",
        ",.0f",
        "Of running the network, by the device model that the comparison names.",
    ),
    Measure(
        "learning_energy_pJ",
        "energy of learning from a sample (pJ)",
        ".2~s",
        ",.0f",
        "Beside that of running the network, of a chip that learns from each sample by itself.",
    ),
)
